/** @file `graft predict`: what a classifier says of photos in files, folders or on standard input. */
import { GraftError, type PhotoAnswer, type Prediction } from "graftwork";
import { loadModel, photosOf } from "graftwork/node";
import { csvLine, jsonObject, oneLine, percent, print } from "./output.ts";
import { type Progress, progressOn } from "./progress.ts";
import { decoding, sourcesOf } from "./sources.ts";

export interface PredictOptions {
  readonly top?: number;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly batch?: number;
  readonly threads?: number;
  readonly filesFrom?: string;
  readonly quiet?: boolean;
}

/** Exit code where some photos could not be read: bad data. */
const someFailed = 3;

/** Prints a prediction for each photo, in order, and returns the exit code. */
export async function predict(artifact: string, files: readonly string[], options: PredictOptions): Promise<number> {
  const { threads, batch } = options;
  const sources = await sourcesOf(files, options.filesFrom);
  const photos = await photosOf(sources, decoding(threads));
  if (photos.files.length === 0) {
    throw new GraftError("bad-data", "there is no file to say anything of", { path: [...files] });
  }
  const model = await loadModel(artifact, { threads });
  const progress = progressOn(options);
  try {
    for (const remark of model.remarks) progress.note(remark);
    const form = formOf(options, model.classNames, progress);
    const onProgress = (done: number, total: number) => progress.progress("photos", done, total);
    let [count, failures] = [0, 0];
    await print(form.before);
    for await (const answer of model.predictEach(photos, { onProgress, ...(batch && { batchSize: batch }) })) {
      if ("error" in answer) failures += 1;
      await print(form.answer(answer, count));
      count += 1;
    }
    progress.end();
    await print(form.after);
    if (failures > 0) progress.problem(`nothing can be said of ${failures} of ${count} files`);
    return failures > 0 ? someFailed : 0;
  } finally {
    progress.end();
    await Promise.all([photos.close(), model.close()]);
  }
}

/** How answers are printed, one at a time. */
interface Form {
  readonly before: string;
  readonly answer: (answer: PhotoAnswer, place: number) => string;
  readonly after: string;
}

function formOf({ json, csv, top }: PredictOptions, classNames: readonly string[], progress: Progress): Form {
  const count = Math.min(top ?? classNames.length, classNames.length);
  if (json) {
    return {
      before: "[",
      answer: (answer, place) => `${place === 0 ? "" : ","}\n  ${jsonOf(answer, classNames, top)}`,
      after: "\n]\n",
    };
  }
  if (csv) {
    const further = Array.from({ length: Math.max((top === undefined ? 1 : count) - 1, 0) }, (_, index) => index + 2);
    const header = ["file", "label", "probability", "sure", "error"];
    return {
      before: csvLine([...header, ...further.flatMap((rank) => [`label_${rank}`, `probability_${rank}`])]),
      answer: (answer) => csvOf(answer, classNames, further.length),
      after: "",
    };
  }
  return {
    before: "",
    answer: (answer) => {
      if (!("error" in answer)) return textOf(answer, classNames, top);
      progress.problem(oneLine(answer.error.message));
      return "";
    },
    after: "",
  };
}

function jsonOf(answer: PhotoAnswer, classNames: readonly string[], top: number | undefined): string {
  if ("error" in answer) return JSON.stringify({ file: answer.file, error: answer.error.reason });
  const { file, label, probability, isSure } = answer;
  const scores = top === undefined ? inOrder(answer, classNames) : ranked(answer, classNames).slice(0, top);
  const fields = Object.entries({ file, label, probability: rounded(probability), sure: isSure });
  const parts = fields.map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{${parts.join(", ")}, "scores": ${jsonObject(scores)}}`;
}

function csvOf(answer: PhotoAnswer, classNames: readonly string[], further: number): string {
  if ("error" in answer) {
    return csvLine([answer.file, undefined, undefined, undefined, answer.error.reason, ...Array(2 * further)]);
  }
  const rest = ranked(answer, classNames).slice(1, 1 + further);
  return csvLine([answer.file, answer.label, rounded(answer.probability), answer.isSure, undefined, ...rest.flat()]);
}

function textOf(answer: Prediction, classNames: readonly string[], top: number | undefined): string {
  const { file, isSure } = answer;
  // Someone who is not sure says between what.
  const scores = ranked(answer, classNames).slice(0, top ?? (isSure ? 1 : 2));
  const said = scores.map(([name, probability]) => `${oneLine(name)} ${percent(probability)}`).join(", ");
  return `${oneLine(file)}: ${isSure ? said : `not sure (${said})`}\n`;
}

function inOrder({ probabilities }: Prediction, classNames: readonly string[]): (readonly [string, number])[] {
  return classNames.map((name, place) => [name, rounded(probabilities[place] ?? 0)] as const);
}

/** The most probable first; of equals, the first class. */
function ranked(answer: Prediction, classNames: readonly string[]): (readonly [string, number])[] {
  return inOrder(answer, classNames).sort(([, one], [, other]) => other - one);
}

/** As many digits as a float32 holds. */
function rounded(probability: number): number {
  return Number(probability.toPrecision(7));
}
