/** @file `graft evaluate`: how good a classifier is on a folder of labelled photos. */
import { renderEvaluation } from "graftwork";
import { labelledFolder, loadModel } from "graftwork/node";
import { oneLine, print } from "./output.ts";
import { progressOn } from "./progress.ts";
import { decoding } from "./sources.ts";

export interface EvaluateOptions {
  readonly json?: boolean;
  readonly minAccuracy?: number;
  readonly part?: "train" | "validation" | "test" | "all";
  readonly strict?: boolean;
  readonly batch?: number;
  readonly threads?: number;
  readonly quiet?: boolean;
}

/** Exit code where the accuracy is below what was asked for. */
const gateFailed = 10;
/** How many skipped files are named in the text. */
const shown = 10;

/** Prints the figures, and returns the exit code. */
export async function evaluate(artifact: string, folder: string, options: EvaluateOptions): Promise<number> {
  const { json, minAccuracy, part, strict = false, batch, threads } = options;
  const progress = progressOn(options);
  const model = await loadModel(artifact, { threads });
  try {
    for (const remark of model.remarks) progress.note(remark);
    const { photos, layout, skipped, close } = await labelledFolder(folder, model.classNames, {
      strict,
      ...(part && { part }),
      ...decoding(threads),
      onProgress: (done, total) => progress.progress("checking photos", done, total),
    });
    try {
      const figures = await model.evaluate(photos, {
        onProgress: (done, total) => progress.progress("evaluating", done, total),
        ...(batch && { batchSize: batch }),
      });
      progress.end();
      const isBelow = minAccuracy !== undefined && figures.accuracy < minAccuracy;
      if (json) {
        const gate = minAccuracy === undefined ? {} : { minAccuracy, passed: !isBelow };
        const document = { schema: "graftwork/evaluate/1", ...figures, ...gate, layout, skipped };
        await print(`${JSON.stringify(document, undefined, 2)}\n`);
      } else {
        const names = skipped.slice(0, shown).map(({ file, reason }) => `  ${oneLine(file)}: ${oneLine(reason)}`);
        if (skipped.length > shown) names.push(`  and ${skipped.length - shown} more`);
        const left = skipped.length > 0 ? [`Skipped ${skipped.length} files:`, ...names, ""] : [];
        await print(`${[...left, renderEvaluation(figures)].join("\n")}`);
      }
      if (isBelow) progress.problem(`the accuracy ${figures.accuracy} is below the ${minAccuracy} asked for`);
      return isBelow ? gateFailed : 0;
    } finally {
      await close();
    }
  } finally {
    progress.end();
    await model.close();
  }
}
