/** @file `graft inspect`: what goes into a model, what comes out, how deep it can be tuned, and whether it fits photos. */
import type { FitReport } from "graftwork";
import { inspectModel } from "graftwork/node";
import { oneLine, print } from "./output.ts";
import { progressOn } from "./progress.ts";

export interface InspectOptions {
  readonly output?: string;
  readonly data?: string;
  readonly imageSize?: number;
  readonly cut?: string;
  readonly run?: boolean;
  readonly offline?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Exit code where the photos and the model cannot work together. */
const doesNotFit = 4;

/** Prints the report and returns the exit code. */
export async function inspect(handle: string, options: InspectOptions): Promise<number> {
  const { output, data, imageSize, cut, run, offline, json, quiet } = options;
  const progress = progressOn({ ...(quiet !== undefined && { quiet }) });
  try {
    const report = await inspectModel(handle, {
      output,
      data,
      run,
      base: { imageSize, cut },
      ...(offline !== undefined && { offline }),
      onProgress: ({ file, received, total }) => progress.progress(`downloading ${file}`, received, total ?? 0),
    });
    progress.end();
    const document = { schema: "graftwork/inspect/1", file: handle, ...report };
    await print(json ? `${JSON.stringify(document, undefined, 2)}\n` : `${asText(handle, report)}\n`);
    return data !== undefined && !report.fits ? doesNotFit : 0;
  } finally {
    progress.end();
  }
}

function asText(handle: string, report: FitReport): string {
  return [
    ...identity(handle, report),
    ...ports("inputs", report.inputs),
    ...ports("outputs", report.outputs),
    ...picture(report),
    ...contents(report),
    ...gradients(report),
    ...data(report),
    ...findings(report),
  ].join("\n");
}

const count = (number: number) => number.toLocaleString("en-US");

function identity(handle: string, { format, savedBy, license, bytes, labels, textSteps }: FitReport): string[] {
  const facts = [format, savedBy && `by ${savedBy}`, bytes && megabytes(bytes), license && `licence ${license}`];
  const shown = labels?.slice(0, 5).map((label) => oneLine(label)) ?? [];
  const more = (labels?.length ?? 0) - shown.length;
  return [
    `${handle}: ${facts.filter(Boolean).join(", ")}`,
    ...(labels === null ? [] : [`labels: ${shown.join(", ")}${more > 0 ? ` and ${count(more)} more` : ""}`]),
    ...textSteps.map(
      ({ input, kind, vocabulary }) => `texts: ${kind} of ${count(vocabulary.length)} words before ${input}`,
    ),
  ];
}

function ports(heading: string, list: FitReport["inputs"]): string[] {
  return [heading, ...list.map(({ name, type }) => `  ${oneLine(name)}: ${type}`)];
}

function picture({ picture: taken, range, features, millisecondsPerPicture }: FitReport): string[] {
  if (taken === null) return [];
  const { width, height, takesOtherSizes, channelOrder, layout } = taken;
  const order = layout === "channels_last" ? "last" : "first";
  const lines = [
    `picture: ${width}×${height}${takesOtherSizes ? " and other sizes" : ""}, ${channelOrder.toUpperCase()}, channels ${order}`,
  ];
  if (range !== null) {
    const tried = range.trials
      .slice(0, 3)
      .map(({ name, divergence }) => `${name} ${Number(divergence.toPrecision(2))}`);
    lines.push(`values: ${range.name ?? "not known"}: ${range.because}`);
    if (tried.length > 0) {
      lines.push(`  nats between what ${range.batchNorms} batch norms see and what they stored: ${tried.join(", ")}`);
    }
  }
  if (features !== null) lines.push(`features: ${oneLine(features.from)}`);
  if (millisecondsPerPicture !== null)
    lines.push(`cost: ${millisecondsPerPicture.toFixed(1)} ms a picture on this machine`);
  return lines;
}

function contents({ parameters, layers, operators, foreignOperators }: FitReport): string[] {
  const lines = [
    `parameters: ${count(parameters.elements)} in ${count(parameters.tensors)} tensors (${megabytes(parameters.bytes)}); ${count(parameters.trainable)} trainable, ${count(parameters.nonTrainable)} not, in ${count(layers.length)} layers`,
    `operators: ${operators.map(({ operator, nodes }) => `${operator} ${count(nodes)}`).join(", ")}`,
  ];
  if (foreignOperators.length > 0) {
    lines.push("foreign operators (they run, frozen):");
    for (const { domain, operator, nodes } of foreignOperators) {
      lines.push(`  ${domain === "" ? "" : `${domain}::`}${operator} ${count(nodes)}`);
    }
  }
  return lines;
}

function gradients({ gradients: walked, parameters, fineTuning }: FitReport): string[] {
  const lines = walked.flatMap(({ output, parameters: reached, reachesInputs, barriers }) => [
    `gradients of ${output} reach ${count(reached.elements)} parameters in ${count(reached.tensors)} of ${count(parameters.tensors)} tensors` +
      (reachesInputs.length > 0 ? `, down to ${reachesInputs.join(", ")}` : ""),
    ...barriers.map(({ node, reason }) => `  stopped by ${node}: ${reason}`),
  ]);
  if (fineTuning !== null) {
    const { reached, trainable, stages } = fineTuning;
    lines.push(`fine-tuning: ${count(reached)} of ${count(trainable)} weights of the base, in ${stages} stages`);
  }
  return lines;
}

function data({ data: given }: FitReport): string[] {
  if (given === null) return [];
  const { folder, photos, classes, pictures } = given;
  const lines = [`${folder}: ${count(photos)} photos of ${classes.length} kinds`];
  if (pictures !== null) {
    const sizes = [pictures.smallest, pictures.median, pictures.largest].map(([width, height]) => `${width}×${height}`);
    lines.push(`  sizes: ${sizes[0]} to ${sizes[2]}, in the middle ${sizes[1]}`);
  }
  const shown = classes.slice(0, 10).map(({ name, photos: number }) => `${oneLine(name)} ${count(number)}`);
  return [...lines, `  ${shown.join(", ")}${classes.length > 10 ? `, and ${classes.length - 10} more` : ""}`];
}

function findings({ findings: found, data: given, fits, remarks }: FitReport): string[] {
  const signs = { stop: "✗", choice: "?", fix: "→", note: "·" } as const;
  return [
    ...remarks.map((remark) => `· ${oneLine(remark)}`),
    ...found.map(
      ({ severity, what, action }) => `${signs[severity]} ${oneLine([what, action].filter(Boolean).join(" "))}`,
    ),
    ...(given === null ? [] : [fits ? "It fits." : "It does not fit."]),
  ];
}

function megabytes(bytes: number): string {
  return bytes < 1e5 ? `${bytes} bytes` : `${(bytes / 1e6).toFixed(1)} MB`;
}
