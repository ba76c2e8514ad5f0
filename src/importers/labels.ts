/** @file Names of classes in a file beside a model: Teachable Machine's labels.txt. */
import type { ImportedModel } from "./imported.ts";
import type { ModelFiles } from "./model-files.ts";

const mostBytes = 2 ** 20;

/**
 * The model with the classes of a `labels.txt` beside it, one a line, where the model has none of its own and as many
 * outputs. Teachable Machine puts each label's number in front of it.
 */
export async function withLabelsBeside(model: ImportedModel, files: ModelFiles, entry: string): Promise<ImportedModel> {
  const name = `${entry.slice(0, entry.lastIndexOf("/") + 1)}labels.txt`;
  const [output, second] = model.graph.outputs;
  const classes = second === undefined ? output?.shape?.at(-1) : undefined;
  if (model.labels !== undefined || !files.names.includes(name) || files.size(name) > mostBytes) return model;
  const lines = new TextDecoder().decode(await files.read(name)).split(/\r?\n/);
  const labels = lines.filter((line) => line.trim() !== "");
  if (labels.length !== classes) return model;
  const isNumbered = labels.every((label, index) => label.startsWith(`${index} `));
  return { ...model, labels: isNumbered ? labels.map((label) => label.slice(label.indexOf(" ") + 1)) : labels };
}
