/** @file The report of a run: everything that is known of it, with small pictures of what it got wrong. */
import { basename } from "node:path";
import sharp from "sharp";
import type { Dataset, PhotoFolder } from "../data/index.ts";
import { type ReportData, renderReport, reportSchema } from "../evaluation/index.ts";
import { writeWhole } from "../files/index.ts";
import { elementCount, GraftError } from "../tensor/index.ts";
import type { TrainResult, TrainSettings } from "./train-node.ts";
import type { Transferred } from "./transfer.ts";

export interface ReportInputs {
  readonly result: TrainResult;
  readonly transferred: Transferred;
  readonly settings: TrainSettings;
  readonly timings: readonly { readonly stage: string; readonly seconds: number }[];
  readonly photos: PhotoFolder;
  /** Of the artifact. */
  readonly bytes: number;
  /** SHA-256 of the artifact. */
  readonly digest: string;
}

/** How many pictures are shown in each row of them. */
const shown = 24;
/** Their longer side: twice what is drawn, for fine screens. */
const thumbnailSide = 192;

/** Writes `report.html`, whole or not at all. */
export async function writeReport(path: string, inputs: ReportInputs): Promise<void> {
  await writeWhole(path, renderReport(await reportOf(inputs)));
}

async function reportOf({
  result,
  transferred,
  settings,
  timings,
  photos,
  bytes,
  digest,
}: ReportInputs): Promise<ReportData> {
  const { base, parts, evaluation, judgedBy, judged, frozen, fineTuned, temperature, threshold, graph } = transferred;
  const { classNames } = parts.train;
  const classes = classNames.length;
  const trained = fineTuned.kept && fineTuned.tried ? fineTuned.trained : [];
  const sizes = new Map([...graph.initializers].map(([{ name }, tensor]) => [name, elementCount(tensor.shape)]));
  const numbers = (names: readonly string[]) => names.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
  const [kernel, bias] = [base.features * classes, classes];
  return {
    schema: reportSchema,
    name: basename(settings.photos),
    classNames,
    final: { evaluation, judgedBy },
    remarks: result.remarks,
    photos: {
      layout: photos.layout,
      parts: (["train", "validation", "test"] as const)
        .map((name) => ({ name, counts: result.counts[name] }))
        .filter(({ counts }) => counts.some((count) => count > 0)),
      skipped: result.skipped,
      digest: result.dataDigest,
    },
    tried: [
      {
        name: "frozen base",
        description: "a regularised linear head on the features of the base as it came",
        n: frozen.evaluation.n,
        accuracy: frozen.evaluation.accuracy,
        accuracyInterval: frozen.evaluation.accuracyInterval,
        logLoss: frozen.evaluation.logLoss,
        isKept: !fineTuned.kept,
      },
      ...(fineTuned.tried
        ? [
            {
              name: "fine-tuned",
              description: fineTuned.description,
              n: fineTuned.evaluation.n,
              accuracy: fineTuned.evaluation.accuracy,
              accuracyInterval: fineTuned.evaluation.accuracyInterval,
              logLoss: fineTuned.evaluation.logLoss,
              isKept: fineTuned.kept,
            },
          ]
        : []),
    ],
    decision: {
      reason: fineTuned.reason,
      ...(fineTuned.tried ? { answers: fineTuned.verdict.answers, losses: fineTuned.verdict.losses } : {}),
    },
    ...(fineTuned.tried
      ? {
          curves: {
            stages: [{ name: "fine-tuning", epochs: fineTuned.history, kept: fineTuned.bestEpoch }],
            start: { name: "frozen", ...fineTuned.start },
          },
        }
      : { curves: "There are none: the head is solved to its optimum in one go, and the base was left as it came." }),
    calibration: { temperature, threshold },
    mistakes: await Promise.all(
      evaluation.topMistakes
        .slice(0, shown)
        .map(async (mistake) => ({ ...mistake, thumbnail: await thumbnail(judged.dataset, mistake.index) })),
    ),
    doubtful: await Promise.all(
      transferred.doubtful
        .slice(0, shown)
        .map(async ({ index, name, label, suggested, probability, labelProbability }) => ({
          name,
          label,
          suggested,
          probability,
          labelProbability,
          thumbnail: await thumbnail(transferred.unseen, index),
        })),
    ),
    doubtfulCount: transferred.doubtful.length,
    base: {
      name: base.name,
      source: base.provenance.source,
      digest: base.provenance.digest,
      license: base.provenance.license,
      features: base.features,
      remarks: base.remarks,
    },
    frozen: {
      tensors: transferred.frozenDigest.tensors,
      parameters: [...sizes.values()].reduce((sum, size) => sum + size, 0) - numbers(trained) - kernel - bias,
      trainedParameters: numbers(trained) + kernel + bias,
      trained: fineTuned.kept && fineTuned.tried ? fineTuned.description : "the head alone",
      before: transferred.frozenDigest.before,
      after: transferred.frozenDigest.after,
    },
    timings,
    peakMemoryBytes: result.peakMemoryBytes,
    repeat: {
      command: commandOf(settings),
      seed: settings.seed ?? 0,
      versions: [
        { name: "graftwork", version: result.versions.graftwork },
        { name: "runtime", version: result.versions.runtime },
        { name: "node", version: process.version },
      ],
    },
    artifact: { file: "model.onnx", bytes, digest, pixels: base.recipe },
  };
}

/** The picture, small, as JPEG; nothing where its file has gone since. */
async function thumbnail(dataset: Dataset, index: number): Promise<Uint8Array | undefined> {
  try {
    const pixels = await dataset.read([{ index }], {
      height: thumbnailSide,
      width: thumbnailSide,
      method: "antialias",
      aspect: "crop",
    });
    const raw = { width: thumbnailSide, height: thumbnailSide, channels: 3 as const };
    return await sharp(pixels, { raw }).jpeg({ quality: 72 }).toBuffer();
  } catch (error) {
    if (error instanceof GraftError) return undefined;
    throw error;
  }
}

/** What to type to get the same again. */
function commandOf({ photos, ...settings }: TrainSettings): string {
  const options = Object.entries(settings).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return value === true ? [option] : [option, quoted(String(value))];
  });
  return ["graft train", quoted(basename(photos)), ...options].join(" ");
}

function quoted(text: string): string {
  return /^[\w./:?=,@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
