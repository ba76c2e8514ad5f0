/** @file The process that reads a stranger's file: it may hang, run out of memory or crash, and only it. */
import { serveTask } from "../files/index.ts";
import type { Graph } from "../graph/index.ts";
import { writeModelFile } from "../onnx/files-node.ts";
import { onnxModelOf } from "../onnx/index.ts";
import { baseFromWeights } from "./application-node.ts";
import type { Imported, ImportTask } from "./import-node.ts";
import { holdsWeightsOnly, readSource } from "./read-source-node.ts";
import { importMetadata } from "./source.ts";

serveTask(async ({ path, out, base, callable }: ImportTask): Promise<Imported> => {
  const write = async (graph: Graph, metadata: ReadonlyMap<string, string> = new Map()) =>
    await writeModelFile(out, onnxModelOf(graph, { metadata }));
  if (base !== undefined && (await holdsWeightsOnly(path))) {
    const { graph, ...rest } = await baseFromWeights(path, base);
    await write(graph);
    return { kind: "base", base: rest };
  }
  const { graph, ...source } = await readSource(path, { callable });
  await write(graph, importMetadata(source));
  return { kind: "source", source };
});
