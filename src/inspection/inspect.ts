/** @file A model looked at from all sides, on the machine it would be trained on. */
import { classCounts, type PhotoFolder } from "../data/index.ts";
import { countParameters, type LayeredGraph } from "../graph/index.ts";
import {
  type Base,
  type BaseOptions,
  baseOf,
  baseReach,
  describeModel,
  fineTuningPoints,
  headlessGraph,
  type OpenedModel,
  valueRanges,
} from "../model/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { elementCount, GraftError, unreachable } from "../tensor/index.ts";
import { classFindings, pictureFindings, plainMargin, rangeFindings } from "./findings.ts";
import { somePixels } from "./pixels.ts";
import type { Finding, FineTuningReport, FitReport, LayerReport, PictureInput, RangeReport } from "./report.ts";
import { compareRanges, type RangeFinding } from "./statistics.ts";

export interface InspectionParts {
  readonly model: OpenedModel;
  /** Of the file. */
  readonly bytes: number | undefined;
  readonly photos: { readonly folder: string; readonly read: PhotoFolder } | undefined;
  /** Absent: nothing is run. */
  readonly runtime: Runtime | undefined;
  /** The output to walk gradients from. */
  readonly output?: string | undefined;
}

/**
 * The report. What cannot be told is null; what does not fit is among the findings.
 *
 * @throws GraftError `usage` for an output that the model does not have; as `describeModel`
 */
export async function inspectParts(parts: InspectionParts, options: BaseOptions = {}): Promise<FitReport> {
  const { model, bytes, photos, runtime, output } = parts;
  const description = describeModel(onnxModelOf(model.graph, model.onnx), output === undefined ? {} : { output });
  const base = tryBase(model, options);
  const findings: Finding[] = [];
  if (!("graph" in base)) findings.push({ severity: photos ? "stop" : "note", about: "picture", ...base });
  const isBase = "graph" in base;
  const probe =
    isBase && runtime !== undefined
      ? await probed(
          base,
          { photos: photos?.read, isRangeOpen: base.range === undefined || options.range !== undefined },
          runtime,
        )
      : undefined;
  if (isBase) findings.push(...rangeFindings(base.range, probe?.ranges));
  if (photos !== undefined) {
    const { classNames, pictures, skipped, train } = photos.read;
    const counts = classCounts(train);
    if (isBase && pictures !== undefined) findings.push(...pictureFindings(base, pictures));
    findings.push(...classFindings({ classNames, counts, skipped: skipped.length, pictures }));
  }
  const fineTuning = isBase ? fineTuningOf(base) : null;
  if (fineTuning !== null && fineTuning.reached < fineTuning.trainable) {
    findings.push({
      severity: "note",
      about: "fine-tuning",
      what: `Gradients reach ${fineTuning.reached.toLocaleString("en-US")} of ${fineTuning.trainable.toLocaleString("en-US")} weights of the base; ${fineTuning.stoppedBy.join("; ")}.`,
      action: "What they do not reach stays frozen.",
    });
  }
  if (model.license === undefined) {
    findings.push({ severity: "note", about: "licence", what: "Its licence is not known.", action: "" });
  }
  const layers = layersOf(model);
  return {
    ...description,
    name: model.name,
    format: model.format,
    savedBy: model.savedBy ?? null,
    license: model.license ?? null,
    provenance: model.provenance,
    bytes: bytes ?? null,
    labels: model.labels ?? null,
    textSteps: model.textSteps,
    parameters: { ...description.parameters, ...countParameters(model) },
    layers,
    picture: isBase ? pictureOf(base, model) : null,
    range: isBase ? rangeOf(model, base, probe?.ranges) : null,
    features: isBase ? { count: base.features, from: base.remarks.at(-1) ?? "" } : null,
    fineTuning,
    millisecondsPerPicture: probe?.milliseconds ?? null,
    data:
      photos === undefined
        ? null
        : {
            folder: photos.folder,
            photos: photos.read.train.labels.length,
            classes: photos.read.classNames.map((name, index) => ({
              name,
              photos: classCounts(photos.read.train)[index] ?? 0,
            })),
            skipped: photos.read.skipped.length,
            pictures: photos.read.pictures ?? null,
          },
    remarks: model.remarks,
    findings,
    fits: isBase && findings.every(({ severity }) => severity !== "stop"),
  };
}

function tryBase(model: OpenedModel, options: BaseOptions): Base | Pick<Finding, "what" | "action"> {
  try {
    return baseOf(model, model.provenance, options);
  } catch (error) {
    if (!(error instanceof GraftError) || error.code === "usage") throw error;
    const { reason, expected, actual, hint } = error;
    const contrast = [expected && `expected ${expected}`, actual && `found ${actual}`].filter(Boolean).join(", ");
    return { what: `It is no base for photos: ${reason}${contrast && ` (${contrast})`}.`, action: hint ?? "" };
  }
}

interface Probe {
  readonly ranges: RangeFinding | undefined;
  readonly milliseconds: number;
}

interface Shown {
  readonly photos: PhotoFolder | undefined;
  /** Whether the range is to be told, or was said by a person, who may be wrong. */
  readonly isRangeOpen: boolean;
}

/** Runs it: on photos where there are some, on drawn pictures otherwise, which say too little against a known range. */
async function probed(base: Base, { photos, isRangeOpen }: Shown, runtime: Runtime): Promise<Probe> {
  const isCompared = isRangeOpen || photos !== undefined;
  const ranges = isCompared ? await compareRanges(base, await somePixels(base, photos), runtime) : undefined;
  return { ranges, milliseconds: await cost(base, runtime) };
}

/** Milliseconds a picture, the middle of three after one to warm up. */
async function cost(base: Base, runtime: Runtime): Promise<number> {
  const graph = headlessGraph({ ...base, range: base.range ?? valueRanges[0] });
  const executable = await runtime.compile(writeModel(onnxModelOf(graph)));
  try {
    const { height, width } = base.recipe;
    const picture = {
      dtype: "uint8",
      shape: [1, height, width, 3],
      data: new Uint8Array(height * width * 3),
    } as const;
    const feeds = new Map([[graph.inputs[0]?.name ?? unreachable("a graph without an input"), picture]]);
    const times: number[] = [];
    for (let run = 0; run < 4; run++) {
      const from = performance.now();
      await executable.run(feeds);
      if (run > 0) times.push(performance.now() - from);
    }
    return times.sort((one, other) => one - other)[1] ?? Number.NaN;
  } finally {
    await executable.dispose();
  }
}

function pictureOf(base: Base, model: OpenedModel): PictureInput {
  const { height, width } = base.recipe;
  const own = model.graph.inputs.find(({ shape }) => shape?.length === 4);
  const sides = own?.shape?.slice(1).filter((size) => size !== 3) ?? [];
  return {
    name: own?.name ?? base.graph.inputs[0]?.name ?? "",
    height,
    width,
    channels: 3,
    channelOrder: base.range?.channels ?? "rgb",
    layout: base.layout,
    takesOtherSizes: sides.some((size) => typeof size !== "number"),
  };
}

function rangeOf(model: OpenedModel, base: Base, found: RangeFinding | undefined): RangeReport {
  const trials = (found?.trials ?? []).map(({ range, divergence }) => ({ name: range.name, divergence }));
  const about = { trials, batchNorms: found?.batchNorms ?? 0 };
  if (base.range !== undefined) {
    const because = model.range?.because ?? "it was said";
    return { name: base.range.name, because, isMeasured: false, ...about };
  }
  const [best] = found?.trials ?? [];
  if (found === undefined || best === undefined) {
    return { name: null, because: "neither the file nor a batch norm says so", isMeasured: false, ...about };
  }
  const isPlain = found.margin >= plainMargin;
  const because = isPlain
    ? `its batch norms see what they saw in training, ${Number(found.margin.toPrecision(2))} times closer than under any other range`
    : "its batch norms are closest to what they saw in training, though not by much";
  return { name: best.range.name, because, isMeasured: true, ...about };
}

function fineTuningOf(base: Base): FineTuningReport {
  const { reached, trainable, barriers } = baseReach(base);
  const stages = fineTuningPoints(base).filter(({ isBlockEnd }) => isBlockEnd).length;
  return { reached, trainable, stages, stoppedBy: barriers };
}

function layersOf(model: LayeredGraph): readonly LayerReport[] {
  const sizes = sizesOf(model);
  return model.layers.map(({ name, className, outputShape, weights, trainable = true }) => ({
    name,
    class: className,
    outputShape: outputShape ?? null,
    parameters: weights.reduce((sum, weight) => sum + (sizes.get(weight.name) ?? 0), 0),
    trainable,
  }));
}

function sizesOf({ graph }: LayeredGraph): ReadonlyMap<string, number> {
  return new Map([...graph.initializers].map(([{ name }, { shape }]) => [name, elementCount(shape)]));
}
