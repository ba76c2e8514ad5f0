/** @file Where values come from, and operators that pass them on. */

import { float32, GraftError, type NumericTensor, numbersOf, type Tensor } from "../../../tensor/index.ts";
import type { Call, Lower, OperatorRows, Slot } from "./call.ts";
import { Weight } from "./weight.ts";

const passed: Lower = (call) => call.slot(0);
const allPassed: Lower = (call) => call.inputs;

/** A constant or a variable's value, in an element type that ONNX Runtime computes in. */
export function weightSlot(weight: Weight): Slot {
  return { kind: "weight", weight, shape: weight.tensor.shape };
}

/** bfloat16, which ONNX Runtime does not compute in, as float32. */
export function computable(tensor: Tensor): Tensor {
  if (tensor.dtype !== "bfloat16") return tensor;
  return { dtype: "float32", shape: tensor.shape, data: Float32Array.from(numbersOf(tensor)) };
}

/** Real and imaginary parts lie in pairs. */
function complexConstant(call: Call, tensor: NumericTensor): Slot {
  const part = (offset: number, name: string) => {
    const data = Float32Array.from({ length: tensor.data.length / 2 }, (_, at) => Number(tensor.data[2 * at + offset]));
    return call.build.constant(float32(tensor.shape, data), `${call.name}/${name}`);
  };
  return { kind: "complex", real: part(0, "real"), imaginary: part(1, "imaginary") };
}

const constant: Lower = (call: Call) => {
  const tensor = call.tensor("value");
  if (tensor === undefined) throw new GraftError("model-invalid", "the constant has no value");
  if (tensor.dtype === "complex64") return complexConstant(call, tensor);
  return weightSlot(new Weight(call.context.outermost, call.context.outermost.unused(call.name), computable(tensor)));
};

export const sourceRows: OperatorRows = [
  ["Const", constant],
  ["DebugGradientIdentity", passed],
  ["Identity", passed],
  ["IdentityN", allPassed],
  ["PlaceholderWithDefault", passed],
  ["PreventGradient", passed],
  ["ReadVariableOp", passed],
  ["Snapshot", passed],
  // Keras stops gradients only where they cancel out, in the moments of its norms.
  ["StopGradient", passed],
];
