/** @file The fit report: what a model takes and gives, how deep it can be tuned, and whether it fits a folder of photos. */
import type { PictureSummary } from "../data/index.ts";
import type { LayerScope } from "../graph/index.ts";
import type { ModelDescription, Provenance, SourceModel } from "../model/index.ts";

/** How a mismatch ends: nothing can be done; someone must choose; it is mended; it is only said. */
export type Severity = "stop" | "choice" | "fix" | "note";

/** One thing that does not fit by itself, or that a person should know. */
export interface Finding {
  readonly severity: Severity;
  /** What it is about. */
  readonly about:
    | "picture"
    | "size"
    | "channels"
    | "range"
    | "classes"
    | "photos"
    | "fine-tuning"
    | "licence"
    | "model";
  /** In a sentence: what was expected and what there is. */
  readonly what: string;
  /** What will be done about it, or what to choose from. Empty where nothing is. */
  readonly action: string;
}

/** The picture that goes in. */
export interface PictureInput {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly channels: 3;
  readonly channelOrder: "rgb" | "bgr";
  /** Where the channels lie: `channels_last` is `[N, H, W, 3]`. */
  readonly layout: "channels_first" | "channels_last";
  /** Whether other sizes can be asked for with --image-size. */
  readonly takesOtherSizes: boolean;
}

/** Which values a picture has. */
export interface RangeReport {
  /** `[-1, 1]`, `[0, 255]`…; null where it is not known. */
  readonly name: string | null;
  /** How that is known. */
  readonly because: string;
  readonly isMeasured: boolean;
  /** Every range that was tried, the likeliest first; empty where there is no batch norm to compare with. */
  readonly trials: readonly { readonly name: string; readonly divergence: number }[];
  /** How many batch norms were compared. */
  readonly batchNorms: number;
}

/** How deep fine-tuning reaches. */
export interface FineTuningReport {
  /** How many trainable weights gradients of the features arrive at, and how many there are. */
  readonly reached: number;
  readonly trainable: number;
  /** How many stages can be unfrozen, from the features down (`--fine-tune N`). */
  readonly stages: number;
  /** What stops it before the picture, a phrase each. */
  readonly stoppedBy: readonly string[];
}

/** A folder of photos beside a model. */
export interface DataReport {
  readonly folder: string;
  readonly photos: number;
  readonly classes: readonly { readonly name: string; readonly photos: number }[];
  readonly skipped: number;
  readonly pictures: PictureSummary | null;
}

export interface LayerReport {
  readonly name: string;
  readonly class: string;
  readonly outputShape: LayerScope["outputShape"] | null;
  readonly parameters: number;
  readonly trainable: boolean;
}

export interface FitReport extends Omit<ModelDescription, "parameters"> {
  readonly name: string;
  readonly format: string;
  readonly savedBy: string | null;
  readonly license: string | null;
  readonly provenance: Provenance;
  /** Of the file. */
  readonly bytes: number | null;
  readonly labels: readonly string[] | null;
  /** What has to be done to texts before they are its numbers. */
  readonly textSteps: SourceModel["textSteps"];
  readonly parameters: ModelDescription["parameters"] & {
    /** How many numbers training changes, and how many it does not, as the file has it. */
    readonly trainable: number;
    readonly nonTrainable: number;
  };
  readonly layers: readonly LayerReport[];
  readonly picture: PictureInput | null;
  readonly range: RangeReport | null;
  /** The features that a head would be put on. */
  readonly features: { readonly count: number; readonly from: string } | null;
  readonly fineTuning: FineTuningReport | null;
  /** Milliseconds from pixels to features, one picture at a time, on this machine; null where it was not run. */
  readonly millisecondsPerPicture: number | null;
  readonly data: DataReport | null;
  readonly remarks: readonly string[];
  readonly findings: readonly Finding[];
  /** Whether nothing stops `graft train` with this model and, where one was given, this folder. */
  readonly fits: boolean;
}
