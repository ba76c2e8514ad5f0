/** @file `graft convert`: any model in, ONNX out. */
import { readFile } from "node:fs/promises";
import { writeWhole } from "../files/index.ts";
import { readModelFile, writeModelFile } from "../onnx/files-node.ts";
import { onnxModelOf } from "../onnx/index.ts";
import { familyOfHandle } from "./application-node.ts";
import { withImported } from "./import-node.ts";
import { isOnnx, locateModel, type OpenOptions, openModel } from "./open-model-node.ts";
import { readSource } from "./read-source-node.ts";
import { importMetadata, type SourceDescription } from "./source.ts";

/** What a person should know of a model that was converted. */
export type Conversion = Pick<SourceDescription, "format" | "remarks" | "textSteps" | "labels">;

/**
 * Converts a model that a handle means to one ONNX file, whole or not at all. Inputs and outputs are as the original has
 * them. What the original says of itself beside its graph is written as JSON under the metadata key `graftwork.import`.
 *
 * @throws GraftError as `openModel`; `usage` or `out-of-resources` where the file cannot be written
 */
export async function convertModel(handle: string, out: string, options: OpenOptions = {}): Promise<Conversion> {
  if (familyOfHandle(handle) !== undefined) {
    const { graph, ...model } = await openModel(handle, options);
    await writeModelFile(out, onnxModelOf(graph, { metadata: importMetadata(model) }));
    return model;
  }
  const { path } = await locateModel(handle, options);
  if (await isOnnx(path)) {
    const model = await readModelFile(path);
    await writeModelFile(out, model);
    return { format: "ONNX", remarks: [], textSteps: [], labels: undefined };
  }
  if (options.customLayers !== undefined) {
    const { graph, ...source } = await readSource(path, { customLayers: options.customLayers });
    await writeModelFile(out, onnxModelOf(graph, { metadata: importMetadata(source) }));
    return source;
  }
  return await withImported({ path }, { signal: options.signal, ...options.limits }, async (file, imported) => {
    await writeWhole(out, await readFile(file));
    return imported.kind === "source" ? imported.source : { format: "", remarks: [], textSteps: [], labels: undefined };
  });
}
