/** @file The summary of a model, as Keras 3 prints it. */
import { byteLength, GraftError } from "../tensor/index.ts";
import type { Layer } from "./layer.ts";
import { type KerasShape, showShape } from "./shape.ts";
import { drawTable, type TableColumn } from "./table.ts";
import type { Variable } from "./variable.ts";

export interface SummaryOptions {
  /** How many characters a line has. Default: 76, Keras's on a terminal of 80. */
  readonly lineLength?: number;
  /** Whether the layers of models inside are listed below them. Default: false. */
  readonly expandNested?: boolean;
  /** Whether a column says what is trained. Default: false. */
  readonly showTrainable?: boolean;
  /** What takes the text. Default: what the platform prints with; `false` prints nothing. */
  readonly print?: ((text: string) => void) | false;
}

/** One row of the summary. */
export interface SummaryRow {
  readonly layer: Layer;
  /** `undefined` before the model knows what goes in. */
  readonly outputShape: KerasShape | undefined;
  /** The names of the layers whose outputs it takes. */
  readonly inputs: readonly string[];
  /** The rows of the model that it is. */
  readonly nested: readonly SummaryRow[];
}

interface Summarized {
  readonly name: string;
  readonly rows: readonly SummaryRow[];
  /** Whether each layer takes the output of the one before, so that nothing need say so. */
  readonly isChain: boolean;
  readonly trainable: readonly Variable[];
  readonly frozen: readonly Variable[];
}

/** The text of the summary, as Keras 3.15 prints it (`keras.src.utils.summary_utils`). */
export function summarize(model: Summarized, options: SummaryOptions): string {
  const { lineLength = 76, expandNested = false, showTrainable = false } = options;
  const base = model.isChain ? [0.45, 0.8, 1] : [0.3, 0.56, 0.74, 1];
  const positions = showTrainable ? [...base.map((position) => position * 0.9), 1] : base;
  const headers = ["Layer (type)", "Output Shape", "Param #"];
  if (!model.isChain) headers.push("Connected to");
  if (showTrainable) headers.push("Trainable");
  const ends = positions.map((position) => Math.trunc(position * lineLength));
  const columns = headers.map(
    (header, index): TableColumn => ({
      header,
      width: (ends[index] ?? 0) - (ends[index - 1] ?? 0),
      align: header === "Param #" ? "right" : header === "Trainable" ? "center" : "left",
    }),
  );
  if (!columns.every(({ width }) => width >= 4)) {
    throw new GraftError("usage", "the lines are too short for a summary", { actual: `${lineLength}` });
  }
  const cells = (row: SummaryRow, level: number): string[][] => {
    const { layer, outputShape } = row;
    const prefix = level === 0 ? "" : `${"   ".repeat(level)}└ `;
    const fields = [
      `${prefix}${layer.name} (${layer.className})`,
      outputShape === undefined ? "?" : showShape(outputShape),
      layer.isBuilt ? grouped(layer.countParams()) : "0 (unbuilt)",
    ];
    if (!model.isChain) fields.push(row.inputs.map((name) => `${name}[0][0]`).join(", ") || "-");
    if (showTrainable) fields.push(layer.weights.length === 0 ? "-" : layer.trainable ? "Y" : "N");
    return [fields, ...(expandNested ? row.nested.flatMap((each) => cells(each, level + 1)) : [])];
  };
  const table = drawTable(
    columns,
    model.rows.flatMap((row) => cells(row, 0)),
    lineLength,
  );
  return [
    `Model: "${model.name}"`,
    ...table,
    ` Total params: ${total([...model.trainable, ...model.frozen])}`,
    ` Trainable params: ${total(model.trainable)}`,
    ` Non-trainable params: ${total(model.frozen)}`,
  ].join("\n");
}

/** `2,259,265 (8.62 MB)`. */
function total(variables: readonly Variable[]): string {
  const unique = [...new Set(variables)];
  const count = unique.reduce((sum, { size }) => sum + size, 0);
  const bytes = unique.reduce((sum, { value, size }) => sum + byteLength(value.dtype, size), 0);
  return `${grouped(count)} (${readableSize(bytes)})`;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

function readableSize(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB", "PB"];
  let size = bytes;
  let unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${size.toFixed(2)} ${units[unit]}`;
}
