/** @file `graft gradients`: a model with its derivatives, for any ONNX runtime. */
import {
  checkResources,
  findValue,
  foldConstants,
  inferShapes,
  removeDeadNodes,
  removeDuplicateNodes,
  withGradients,
} from "graftwork";
import { readModelFile, writeModelFile } from "graftwork/node";

export async function gradients(
  path: string,
  out: string,
  { output, wrt }: { readonly output: string; readonly wrt: readonly string[] },
): Promise<void> {
  const model = await readModelFile(path);
  const inferred = inferShapes(model.graph);
  checkResources({ graph: inferred });
  const keep = [output, ...wrt].map((name) => findValue(inferred, name));
  const derived = withGradients(foldConstants(inferred, { keep }), { output, wanted: wrt });
  await writeModelFile(out, { ...model, graph: removeDeadNodes(removeDuplicateNodes(derived)) });
}
