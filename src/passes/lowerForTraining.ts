/** @file From a model as it was read to the form in which its training step runs fastest. */
import { findValue, type GivenDerivatives, type Graph } from "../graph/index.ts";
import { inferShapes } from "../shapes/index.ts";
import { foldBatchNorm } from "./batchNorm.ts";
import type { DepthwiseForm, DepthwiseGeometry } from "./depthwise.ts";
import { foldConstants } from "./fold.ts";
import { foldPadding } from "./foldPadding.ts";
import { stackBatch } from "./stackBatch.ts";

export interface LoweringOptions {
  /** The names of the parameters to be trained. */
  readonly trainable: readonly string[];
  /** The names of other initializers that change from step to step: they keep their names, and nothing is computed ahead of them. */
  readonly updated?: readonly string[];
  /** The number of pictures that go through the graph at once: the first size of every input. */
  readonly batch: number;
}

export interface LoweredGraph {
  readonly graph: Graph;
  /** Derivatives in forms chosen by shape, for the walk. */
  readonly derivatives: GivenDerivatives;
}

/**
 * Fixes the batch, folds batch norm in inference mode into convolutions, and lays out the trained part so that its
 * derivatives are products of matrices. What is frozen keeps its layout: with constant weights the runtime chooses best.
 * The trainable and updated initializers and the outputs keep their names.
 */
export function lowerForTraining(graph: Graph, { trainable, updated = [], batch }: LoweringOptions): LoweredGraph {
  const inputs = Object.fromEntries(
    graph.inputs.flatMap(({ name, shape }) => (shape === undefined ? [] : [[name, [batch, ...shape.slice(1)]]])),
  );
  const fixed = inferShapes(graph, { inputs });
  const keep = [...trainable, ...updated].map((name) => findValue(fixed, name));
  const folded = inferShapes(foldBatchNorm(foldPadding(foldConstants(fixed, { keep }))));
  const trained = trainable.map((name) => findValue(folded, name));
  return stackBatch(folded, { trained, depthwise: depthwiseForm });
}

/**
 * On small maps a matrix product a channel wins, where its matrix, C·P·Q numbers, is small beside what it is multiplied
 * with: three quarters of a megabyte a picture was measured to be the limit (bench/kernels).
 */
function depthwiseForm({ batch, channels, height, width, outHeight, outWidth }: DepthwiseGeometry): DepthwiseForm {
  const bytes = 4 * channels * height * width * outHeight * outWidth;
  return bytes <= batch * 0.75 * 2 ** 20 ? "toeplitz" : "grouped";
}
