/** @file From Keras's kernel layouts to ONNX's. */
import { elementCount, float32, type NumericTensor } from "../tensor/index.ts";

/** `[…spatial, in, out]` to `[out, in, …spatial]`. */
export function toOnnxKernel(elements: Float32Array, shape: readonly number[]): NumericTensor {
  const [from = 0, to = 0] = shape.slice(-2);
  const spatial = shape.slice(0, -2);
  const area = elementCount(spatial);
  const moved = new Float32Array(elements.length);
  for (let at = 0; at < area; at++) {
    for (let input = 0; input < from; input++) {
      const row = (at * from + input) * to;
      for (let output = 0; output < to; output++) {
        moved[(output * from + input) * area + at] = elements[row + output] ?? 0;
      }
    }
  }
  return float32([to, from, ...spatial], moved);
}

/** `[…spatial, in, multiplier]` to `[in·multiplier, 1, …spatial]`. */
export function toOnnxDepthwise(elements: Float32Array, shape: readonly number[]): NumericTensor {
  const [channels = 0, multiplier = 0] = shape.slice(-2);
  return toOnnxKernel(elements, [...shape.slice(0, -2), 1, channels * multiplier]);
}

/** The elements with their axes in another order, as a transpose gives them: what `ToOnnx` does of any small weight. */
export function permuted(perm: readonly number[]): (elements: Float32Array, shape: readonly number[]) => NumericTensor {
  return (elements, shape) => {
    const target = perm.map((axis) => shape[axis] ?? 1);
    const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
    const steps = perm.map((axis) => strides[axis] ?? 0);
    const moved = new Float32Array(elements.length);
    const index = target.map(() => 0);
    let from = 0;
    for (let to = 0; to < moved.length; to++) {
      moved[to] = elements[from] ?? 0;
      for (let axis = target.length - 1; axis >= 0; axis--) {
        index[axis] = (index[axis] ?? 0) + 1;
        from += steps[axis] ?? 0;
        if ((index[axis] ?? 0) < (target[axis] ?? 0)) break;
        from -= (steps[axis] ?? 0) * (target[axis] ?? 0);
        index[axis] = 0;
      }
    }
    return float32(target, moved);
  };
}
