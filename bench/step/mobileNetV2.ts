/** @file MobileNetV2 as Keras builds it, with batch norm, as a graph with drawn weights: what the benchmark trains. */
import { type Graph, newBuilder, type Tensor, type Value } from "graftwork";

/** Expansion, channels, repeats and first stride of each stage (Sandler et al. 2018, table 2). */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

export interface MobileNetV2 {
  readonly graph: Graph;
  /** The value that enters each inverted-residual block, and last the one that enters the final convolution. */
  readonly boundaries: readonly Value[];
  /** The names of kernels, gammas and betas by block: 0 is the stem, the last the final convolution and the head. */
  readonly parameters: readonly (readonly string[])[];
}

/** Width 1.0, input `x [N, 3, size, size]`, output `logits [N, 2]`; weights drawn as He et al. (2015) do. */
export function mobileNetV2(size: number): MobileNetV2 {
  const b = newBuilder();
  const draw = drawer(7);
  const parameters: string[][] = [[]];
  const boundaries: Value[] = [];
  const parameter = (name: string, tensor: Tensor): Value => {
    const value = b.constant(tensor, name);
    parameters.at(-1)?.push(value.name);
    return value;
  };
  const convolution = (
    name: string,
    x: Value,
    outputs: number,
    kernel: number,
    stride: number,
    group: number,
    hasRelu: boolean,
  ) => {
    const inputs = Number(x.shape?.[1]) / group;
    const spread = Math.sqrt(2 / (inputs * kernel * kernel));
    const w = parameter(`${name}/kernel`, draw([outputs, inputs, kernel, kernel], spread));
    const border = stride === 2 ? [0, 0, 1, 1] : new Array<number>(4).fill((kernel - 1) / 2);
    const y = b.apply(
      "Conv",
      [x, w],
      { group, strides: [stride, stride], pads: border, kernelShape: [kernel, kernel] },
      name,
    );
    const gamma = parameter(`${name}_BN/gamma`, draw([outputs], 0.1, 1));
    const beta = parameter(`${name}_BN/beta`, draw([outputs], 0.1));
    const mean = b.constant(draw([outputs], 0.1), `${name}_BN/moving_mean`);
    const variance = b.constant(draw([outputs], 0.1, 1), `${name}_BN/moving_variance`);
    const normal = b.apply("BatchNormalization", [y, gamma, beta, mean, variance], { epsilon: 1e-3 }, `${name}_BN`);
    return hasRelu ? b.apply("Clip", [normal, b.scalar(0, normal), b.scalar(6, normal)], {}, `${name}_relu`) : normal;
  };
  const x = b.input("x", "float32", ["N", 3, size, size]);
  let map = convolution("Conv1", x, 32, 3, 2, 1, true);
  let block = 0;
  for (const [expansion, channels, repeats, firstStride] of stages) {
    for (let repeat = 0; repeat < repeats; repeat++, block++) {
      parameters.push([]);
      boundaries.push(map);
      const inputs = Number(map.shape?.[1]);
      const stride = repeat === 0 ? firstStride : 1;
      const name = `block_${block}`;
      const wide = expansion === 1 ? map : convolution(`${name}_expand`, map, inputs * expansion, 1, 1, 1, true);
      const deep = convolution(`${name}_depthwise`, wide, inputs * expansion, 3, stride, inputs * expansion, true);
      const narrow = convolution(`${name}_project`, deep, channels, 1, 1, 1, false);
      map = stride === 1 && inputs === channels ? b.add(map, narrow) : narrow;
    }
  }
  parameters.push([]);
  boundaries.push(map);
  const last = convolution("Conv_1", map, 1280, 1, 1, 1, true);
  const features = b.reduceMean(last, [2, 3], false);
  const kernel = parameter("head/kernel", draw([1280, 2], Math.sqrt(1 / 1280)));
  const bias = parameter("head/bias", draw([2], 0));
  const logits = b.apply("Gemm", [features, kernel, bias], {}, "logits");
  return { graph: b.graph([logits], "mobilenetv2"), boundaries, parameters };
}

/** Uniform numbers of this spread around a centre; xorshift, so that every run trains the same network. */
export function drawer(seed: number): (shape: readonly number[], spread: number, centre?: number) => Tensor {
  let state = seed;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 31 - 1;
  };
  return (shape, spread, centre = 0) => {
    const data = Float32Array.from(
      { length: shape.reduce((a, c) => a * c, 1) },
      () => centre + spread * Math.sqrt(3) * next(),
    );
    return { dtype: "float32", shape, data };
  };
}
