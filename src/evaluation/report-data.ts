/** @file What a report is made from: plain data with a versioned schema. What is left out has no section. */
import type { TemperatureFit } from "./calibration.ts";
import type { Evaluation } from "./evaluate.ts";
import type { Interval } from "./interval.ts";
import type { PairedComparison, PairedLossComparison } from "./paired.ts";
import type { ChosenThreshold } from "./threshold.ts";

export const reportSchema = "graftwork/report/1";

/** Which photos figures were taken on: those held back until the end, those set apart, or each in its turn. */
export type JudgedBy = "test" | "validation" | "cross-validation";

/** Everything a report can say. Any text may stand in any name: it is escaped. */
export interface ReportData {
  readonly schema: typeof reportSchema;
  /** What was learnt from: the folder's name. */
  readonly name: string;
  /** In the order of the outputs. */
  readonly classNames: readonly string[];
  /** The final figures, and what they were taken on. */
  readonly final: { readonly evaluation: Evaluation; readonly judgedBy: JudgedBy } | undefined;
  /** What a person should know, a sentence each. */
  readonly remarks?: readonly string[] | undefined;
  readonly photos: ReportPhotos;
  /** What was tried, in order, each judged on the same photos. */
  readonly tried?: readonly ReportCandidate[] | undefined;
  /** How it was decided between the frozen and the fine-tuned model. */
  readonly decision?: ReportDecision | undefined;
  /** Or, in a sentence, why there are none. */
  readonly curves?: ReportCurves | string | undefined;
  readonly calibration?: ReportCalibration | undefined;
  /** The photos it got most wrong, the surest first. Default: the evaluation's, without pictures. */
  readonly mistakes?: readonly ReportMistake[] | undefined;
  /** Labels that may be wrong, the most doubtful first. */
  readonly doubtful?: readonly ReportDoubt[] | undefined;
  /** How many labels are doubted in all. Default: as many as are shown. */
  readonly doubtfulCount?: number | undefined;
  readonly base: ReportBase;
  readonly frozen?: ReportFrozen | undefined;
  readonly timings?: readonly { readonly stage: string; readonly seconds: number }[] | undefined;
  readonly peakMemoryBytes?: number | undefined;
  readonly repeat?: ReportRepeat | undefined;
  readonly artifact?: ReportArtifact | undefined;
}

export interface ReportPhotos {
  /** How the folder was understood: `a folder a class`. */
  readonly layout?: string | undefined;
  /** `train`, `validation`, `test`: how many photos of each class, in the order of the class names. */
  readonly parts: readonly { readonly name: string; readonly counts: readonly number[] }[];
  /** What was not used, and why. */
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
  /** SHA-256 over what was learnt from. */
  readonly digest?: string | undefined;
}

export interface ReportCandidate {
  /** `frozen base`, `fine-tuned`. */
  readonly name: string;
  /** What it is, in a sentence. */
  readonly description?: string | undefined;
  readonly n: number;
  readonly accuracy: number;
  readonly accuracyInterval: Interval;
  readonly logLoss?: number | undefined;
  readonly isKept: boolean;
}

export interface ReportDecision {
  /** In a clause: why what was kept was; or, without `answers`, why fine-tuning was not tried. */
  readonly reason: string;
  /** Frozen (a) against fine-tuned (b): which photos each is right about. */
  readonly answers?: PairedComparison | undefined;
  /** Frozen (a) against fine-tuned (b): their log losses. */
  readonly losses?: PairedLossComparison | undefined;
}

/** One time over the photos. What was not measured, or is not finite, is not drawn. */
export interface ReportEpoch {
  readonly loss?: number | undefined;
  readonly accuracy?: number | undefined;
  readonly valLoss?: number | undefined;
  readonly valAccuracy?: number | undefined;
}

export interface ReportCurves {
  /** One after another; each with a mark where it begins. */
  readonly stages: readonly {
    readonly name: string;
    readonly epochs: readonly ReportEpoch[];
    /** Which of its epochs was kept, from 0. */
    readonly kept?: number | undefined;
  }[];
  /** Drawn as a level line: what was there before, on the validation photos. */
  readonly start?:
    | { readonly name: string; readonly valLoss?: number | undefined; readonly valAccuracy?: number | undefined }
    | undefined;
}

export interface ReportCalibration {
  readonly temperature: TemperatureFit;
  readonly threshold: ChosenThreshold;
}

interface ReportPicture {
  /** The file. */
  readonly name: string;
  readonly label: string;
  /** A JPEG, PNG or WebP, as bytes or in base64; absent: only its words are shown. */
  readonly thumbnail?: string | Uint8Array | undefined;
}

export interface ReportMistake extends ReportPicture {
  readonly predicted: string;
  readonly probability: number;
  readonly labelProbability?: number | undefined;
}

export interface ReportDoubt extends ReportPicture {
  readonly suggested: string;
  readonly probability: number;
  readonly labelProbability: number;
}

export interface ReportBase {
  readonly name: string;
  /** The file or address it came from. */
  readonly source?: string | undefined;
  readonly digest?: string | undefined;
  readonly license?: string | null | undefined;
  /** How many numbers it says of a picture. */
  readonly features?: number | undefined;
  readonly remarks?: readonly string[] | undefined;
}

/** What stayed as it was, and the proof. */
export interface ReportFrozen {
  /** How many tensors stayed frozen. */
  readonly tensors: number;
  /** How many numbers they hold. */
  readonly parameters?: number | undefined;
  /** How many numbers were trained. */
  readonly trainedParameters?: number | undefined;
  /** What was trained, in words. */
  readonly trained?: string | undefined;
  /** SHA-256 over the frozen tensors before training. */
  readonly before: string;
  /** SHA-256 over the same tensors in the artifact. */
  readonly after: string;
}

export interface ReportRepeat {
  /** The command that gives the same artifact. */
  readonly command: string;
  readonly seed: number;
  readonly versions: readonly { readonly name: string; readonly version: string }[];
}

export interface ReportArtifact {
  /** The file's name, without folders. */
  readonly file: string;
  readonly bytes?: number | undefined;
  readonly digest?: string | undefined;
  /** How a picture becomes the model's input. */
  readonly pixels: {
    readonly height: number;
    readonly width: number;
    readonly method: "bilinear" | "antialias";
    readonly aspect: "stretch" | "crop" | "pad";
    readonly centralFraction?: number | undefined;
  };
}
