/** @file Weights as Keras 1 stored them, in the layouts of Keras 2: gates apart, kernels of Theano, one-dimensional kernels. */
import { elementCount, stridesOf } from "../../tensor/index.ts";
import type { JsonRecord } from "./config.ts";
import { fieldOf, isRecord, kerasObject, recordOf } from "./config.ts";
import type { LayerPart } from "./model-parts.ts";
import type { StoredWeight } from "./stores.ts";

/** The weights of a layer of a file of Keras 1 as Keras 2 has them (`preprocess_weights_for_loading`); others as they are. */
export function keras2Weights(
  { className, config }: Pick<LayerPart, "className" | "config">,
  weights: readonly StoredWeight[],
  version: 1 | 2 | 3,
): readonly StoredWeight[] {
  return version === 1 ? converted(className, config, weights) : weights;
}

/** The gates of Keras 1's recurrent layers in its order, as positions of Keras 2's. */
const gates: ReadonlyMap<string, readonly number[]> = new Map([
  // i, c, f, o becomes i, f, c, o.
  ["LSTM", [0, 2, 1, 3]],
  ["GRU", [0, 1, 2]],
]);

function converted(className: string, config: JsonRecord, weights: readonly StoredWeight[]): readonly StoredWeight[] {
  const inner = kerasObject(fieldOf(config, "layer"));
  if (inner !== undefined && className === "TimeDistributed")
    return converted(inner.className, recordOf(inner), weights);
  if (inner !== undefined && className === "Bidirectional") {
    const half = weights.length / 2;
    return [weights.slice(0, half), weights.slice(half)].flatMap((each) =>
      converted(inner.className, recordOf(inner), each),
    );
  }
  const order = gates.get(className);
  if (order !== undefined && weights.length === 3 * order.length) {
    return [0, 1, 2].map((kind) => joined(order.flatMap((gate) => weights[3 * gate + kind] ?? [])));
  }
  const [kernel, ...others] = weights;
  return kernel === undefined ? weights : [kernelOf(className, config, kernel), ...others];
}

/** A convolution's kernel. Theano's lie `[out, in, …]`. */
function kernelOf(className: string, config: JsonRecord, kernel: StoredWeight): StoredWeight {
  const isFirst = isRecord(config) && fieldOf(config, "data_format") === "channels_first";
  if (className === "Conv1D" && kernel.shape.length === 4) {
    const isOldest = kernel.shape[3] === 1 && kernel.shape[0] === fieldOf(config, "filters");
    const turned = isOldest ? transposed(kernel, [2, 3, 1, 0]) : kernel;
    const [length = 0, , from = 0, to = 0] = turned.shape;
    return { ...turned, shape: [length, from, to], read: () => turned.read() };
  }
  if (className === "Conv2D" && isFirst) return transposed(kernel, [2, 3, 1, 0]);
  if (className === "Conv3D" && isFirst) return transposed(kernel, [2, 3, 4, 1, 0]);
  if (className === "Conv2DTranspose") return transposed(kernel, isFirst ? [2, 3, 0, 1] : [0, 1, 3, 2]);
  return kernel;
}

/** Weights beside each other along the last axis. */
function joined(parts: readonly StoredWeight[]): StoredWeight {
  const [first] = parts;
  const shape = first?.shape ?? [];
  const width = shape.at(-1) ?? 0;
  const rows = elementCount(shape.slice(0, -1));
  const whole = width * parts.length;
  const read = (): Float32Array => {
    const elements = new Float32Array(rows * whole);
    for (const [index, part] of parts.entries()) {
      const own = part.read();
      for (let row = 0; row < rows; row++) {
        elements.set(own.subarray(row * width, (row + 1) * width), row * whole + index * width);
      }
    }
    return elements;
  };
  return { name: first?.name ?? "", shape: [...shape.slice(0, -1), whole], read };
}

function transposed(weight: StoredWeight, axes: readonly number[]): StoredWeight {
  const shape = axes.map((axis) => weight.shape[axis] ?? 0);
  const strides = stridesOf(weight.shape);
  const read = (): Float32Array => {
    const from = weight.read();
    const to = new Float32Array(from.length);
    const position = shape.map(() => 0);
    for (let index = 0; index < to.length; index++) {
      const at = axes.reduce((sum, axis, place) => sum + (position[place] ?? 0) * (strides[axis] ?? 0), 0);
      to[index] = from[at] ?? 0;
      for (let place = shape.length - 1; place >= 0; place--) {
        const next = (position[place] ?? 0) + 1;
        position[place] = next < (shape[place] ?? 0) ? next : 0;
        if (position[place] !== 0) break;
      }
    }
    return to;
  };
  return { name: weight.name, shape, read };
}
