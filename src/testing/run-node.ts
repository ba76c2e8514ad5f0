/** @file Running graphs in tests, through the same bytes and the same runtime as everything else. */
import type { Graph } from "../graph/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { removeDeadNodes } from "../passes/index.ts";
import type { Executable, Feeds } from "../runtime/index.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import type { Tensor } from "../tensor/index.ts";

/** The graph, ready to run on one thread. Dispose of it. */
export async function compileGraph(graph: Graph): Promise<Executable> {
  const runtime = await nodeRuntime({ threads: 1 });
  return runtime.compile(writeModel(onnxModelOf(removeDeadNodes(graph))));
}

/** The graph's outputs by name. */
export async function runGraph(graph: Graph, feeds: Feeds): Promise<ReadonlyMap<string, Tensor>> {
  const executable = await compileGraph(graph);
  try {
    return await executable.run(feeds);
  } finally {
    await executable.dispose();
  }
}
