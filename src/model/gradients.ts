/** @file A model with its derivatives: what `graft gradients` writes and what anyone can run. */
import { type GradientsRequest, withGradients } from "../gradient/index.ts";
import { findValue, verify } from "../graph/index.ts";
import { checkResources, type OnnxModel } from "../onnx/index.ts";
import { foldConstants, removeDeadNodes, removeDuplicateNodes } from "../passes/index.ts";
import { inferShapes } from "../shapes/index.ts";

/**
 * The model with one more input `dy`, the cotangent of the output, and one more output `grad:<name>` for each wanted
 * value: shapes inferred, what is known folded, the derivative appended (`withGradients`), what is double or dead gone.
 *
 * @throws GraftError as `withGradients`, and `model-refused` where the model would ask for too much
 */
export function modelWithGradients(model: OnnxModel, request: GradientsRequest): OnnxModel {
  const inferred = inferShapes(model.graph);
  // With shapes inferred the check sees further than it did on reading.
  checkResources({ graph: inferred });
  const keep = [request.output, ...request.wanted].map((name) => findValue(inferred, name));
  const derived = withGradients(foldConstants(inferred, { keep }), request);
  return { ...model, graph: verify(removeDeadNodes(removeDuplicateNodes(derived))) };
}
