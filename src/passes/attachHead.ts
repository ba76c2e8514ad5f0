/** @file Attaching a new head to a base. */
import { type Graph, type Value, verify } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, GraftError, type NumericTensor, randomNumbers } from "../tensor/index.ts";

export interface HeadOptions {
  /** How many classes the head tells apart: at least 1. */
  readonly classes: number;
  /** The name of the head's output; its kernel and bias are `<name>/kernel` and `<name>/bias`. */
  readonly name?: string;
  /** Draws the kernel's first values; the same seed gives the same head. */
  readonly seed?: number;
}

/**
 * The graph with a linear classifier on `features`, instead of its former outputs: maps `[N, C, …]` are averaged over
 * their spatial axes first; logits `[N, classes]` come out. The kernel `[C, classes]` is drawn as Keras draws a Dense
 * layer's (Glorot uniform, Glorot and Bengio 2010, eq. 16), the bias is zero.
 *
 * @throws GraftError `model-invalid` where the number of features is not known
 */
export function attachHead(graph: Graph, features: Value, options: HeadOptions): Graph {
  const { classes, name = "logits", seed = 0 } = options;
  const { shape } = features;
  const width = shape?.[1];
  if (shape === undefined || typeof width !== "number") {
    throw new GraftError("model-invalid", "a head needs to know how many features it gets", {
      path: [`value "${features.name}"`],
      expected: "[N, features] or [N, features, …]",
    });
  }
  const build = newBuilder(graph);
  const spatial = shape.slice(2).map((_, index) => index + 2);
  const pooled = spatial.length === 0 ? features : build.reduceMean(features, spatial, false);
  const kernel = build.constant(glorotUniform(width, classes, seed), `${name}/kernel`);
  const bias = build.constant(float32([classes], new Float32Array(classes)), `${name}/bias`);
  const logits = build.apply("Gemm", [pooled, kernel, bias], {}, name);
  return verify(build.graph([logits]));
}

/** Uniform in ±√(6 / (fan in + fan out)), `[fanIn, fanOut]`. */
function glorotUniform(fanIn: number, fanOut: number, seed: number): NumericTensor {
  const limit = Math.sqrt(6 / (fanIn + fanOut));
  const next = randomNumbers(seed);
  return float32(
    [fanIn, fanOut],
    Float32Array.from({ length: fanIn * fanOut }, () => limit * (2 * next() - 1)),
  );
}
