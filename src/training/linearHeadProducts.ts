/** @file The two products that fitting a linear head is made of, with centred and scaled features that nobody stores. */
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import type { Executable, Runtime } from "../runtime/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, type Tensor, unreachable } from "../tensor/index.ts";

/** A matrix `[count, width]` that is only multiplied by. */
export interface Products {
  readonly count: number;
  readonly width: number;
  /** X·W for W `[width, columns]`: `[count, columns]`. The result may be used until the next call. */
  forward(weights: Float64Array, columns: number): Promise<Float32Array | Float64Array>;
  /** Xᵀ·G for G `[count, columns]`: `[width, columns]`. The result may be used until the next call. */
  backward(gradient: Float64Array, columns: number): Promise<Float32Array | Float64Array>;
  dispose(): Promise<void>;
}

/** In plain TypeScript: best where the matrix is small. */
export function plainProducts(matrix: Float32Array | Float64Array, count: number, width: number): Products {
  return {
    count,
    width,
    async forward(weights, columns) {
      const result = new Float64Array(count * columns);
      for (let row = 0; row < count; row++) {
        const to = row * columns;
        for (let k = 0; k < width; k++) {
          const factor = matrix[row * width + k] ?? 0;
          if (factor === 0) continue;
          const from = k * columns;
          for (let c = 0; c < columns; c++) result[to + c] = (result[to + c] ?? 0) + factor * (weights[from + c] ?? 0);
        }
      }
      return result;
    },
    async backward(gradient, columns) {
      const result = new Float64Array(width * columns);
      for (let row = 0; row < count; row++) {
        const from = row * columns;
        for (let k = 0; k < width; k++) {
          const factor = matrix[row * width + k] ?? 0;
          if (factor === 0) continue;
          const to = k * columns;
          for (let c = 0; c < columns; c++) result[to + c] = (result[to + c] ?? 0) + factor * (gradient[from + c] ?? 0);
        }
      }
      return result;
    },
    dispose: () => Promise.resolve(),
  };
}

/** By the runtime, in float32: best where the matrix is large. It is fed as it lies, without a copy. */
export async function runtimeProducts(
  runtime: Runtime,
  matrix: Float32Array,
  count: number,
  width: number,
): Promise<Products> {
  const x = float32([count, width], matrix);
  const forward = await compileProduct(runtime, count, width, false);
  const backward = await compileProduct(runtime, count, width, true);
  const run = async (product: Executable, rows: number, factor: Float64Array, columns: number) => {
    const outputs = await product.run({ x, factor: float32([rows, columns], new Float32Array(factor)) });
    return floatsOf(outputs.get("product"));
  };
  return {
    count,
    width,
    forward: (weights, columns) => run(forward, width, weights, columns),
    backward: (gradient, columns) => run(backward, count, gradient, columns),
    async dispose() {
      await forward.dispose();
      await backward.dispose();
    },
  };
}

function compileProduct(runtime: Runtime, count: number, width: number, transA: boolean): Promise<Executable> {
  const build = newBuilder();
  const x = build.input("x", "float32", [count, width]);
  const factor = build.input("factor", "float32", [transA ? count : width, "columns"]);
  const product = build.apply("Gemm", [x, factor], { transA }, "product");
  return runtime.compile(writeModel(onnxModelOf(build.graph([product], "product"))));
}

function floatsOf(tensor: Tensor | undefined): Float32Array {
  return tensor?.data instanceof Float32Array ? tensor.data : unreachable("a product of float32 is float32");
}

/** Features about their mean, over their root mean square distance from it. */
export interface Scaling {
  readonly mean: Float64Array;
  readonly scale: number;
}

/** The mean of the examples, and their root mean square distance from it, both weighted. */
export function scalingOf(features: Float32Array, width: number, weights: Float64Array): Scaling {
  const mean = new Float64Array(width);
  let total = 0;
  for (let row = 0; row < weights.length; row++) {
    const weight = weights[row] ?? 0;
    total += weight;
    for (let k = 0; k < width; k++) mean[k] = (mean[k] ?? 0) + weight * (features[row * width + k] ?? 0);
  }
  for (let k = 0; k < width; k++) mean[k] = (mean[k] ?? 0) / total;
  let spread = 0;
  for (let row = 0; row < weights.length; row++) {
    let distance = 0;
    for (let k = 0; k < width; k++) distance += ((features[row * width + k] ?? 0) - (mean[k] ?? 0)) ** 2;
    spread += (weights[row] ?? 0) * distance;
  }
  // Examples that are all the same have no distances: any scale will do.
  return { mean, scale: spread === 0 ? 1 : Math.sqrt(spread / total) };
}

/** The products of (X − mean)/scale by those of X. */
export function scaledProducts(products: Products, { mean, scale }: Scaling): Products {
  const { count, width } = products;
  return {
    count,
    width,
    async forward(weights, columns) {
      const shift = new Float64Array(columns);
      for (let k = 0; k < width; k++) {
        for (let c = 0; c < columns; c++) shift[c] = (shift[c] ?? 0) + (mean[k] ?? 0) * (weights[k * columns + c] ?? 0);
      }
      const result = await products.forward(weights, columns);
      for (let row = 0, at = 0; row < count; row++) {
        for (let c = 0; c < columns; c++, at++) result[at] = ((result[at] ?? 0) - (shift[c] ?? 0)) / scale;
      }
      return result;
    },
    async backward(gradient, columns) {
      const sum = new Float64Array(columns);
      for (let row = 0, at = 0; row < count; row++) {
        for (let c = 0; c < columns; c++, at++) sum[c] = (sum[c] ?? 0) + (gradient[at] ?? 0);
      }
      const result = await products.backward(gradient, columns);
      for (let k = 0, at = 0; k < width; k++) {
        for (let c = 0; c < columns; c++, at++)
          result[at] = ((result[at] ?? 0) - (mean[k] ?? 0) * (sum[c] ?? 0)) / scale;
      }
      return result;
    },
    dispose: () => products.dispose(),
  };
}

/** Fewer numbers an example for the same problem, and the way back. */
export interface Reduction {
  /** Z `[count, count]` with Z·Zᵀ = X·Xᵀ. */
  readonly products: Products;
  /** From weights of Z to the weights of X, `[width, columns]`, that give the same and are as long. */
  restore(weights: Float64Array, columns: number): Float64Array;
}

/**
 * Where there are fewer examples than features, the problem lives in the span of the examples (the representer theorem):
 * with the Cholesky factor Z of the scaled examples' Gram matrix, X·W and |W| are what Z·V and |V| are for W = Xᵀ·Z⁻ᵀ·V.
 */
export function reduceToSpan(features: Float32Array, width: number, count: number, scaling: Scaling): Reduction {
  const { mean, scale } = scaling;
  const scaled = new Float64Array(count * width);
  for (let at = 0; at < scaled.length; at++) scaled[at] = ((features[at] ?? 0) - (mean[at % width] ?? 0)) / scale;
  const factor = choleskyOfGram(scaled, count, width);
  return {
    products: plainProducts(factor, count, count),
    restore(weights, columns) {
      const multipliers = solveTransposed(factor, count, weights, columns);
      const result = new Float64Array(width * columns);
      for (let row = 0; row < count; row++) {
        for (let k = 0; k < width; k++) {
          const x = scaled[row * width + k] ?? 0;
          for (let c = 0; c < columns; c++) {
            result[k * columns + c] = (result[k * columns + c] ?? 0) + x * (multipliers[row * columns + c] ?? 0);
          }
        }
      }
      return result;
    },
  };
}

/** Below this share of the largest diagonal element, a row of the Gram matrix is a combination of those above it. */
const dependent = 1e-9;

/** The lower triangle L `[count, count]` with L·Lᵀ = X·Xᵀ; its column is zero where a row depends on those above. */
function choleskyOfGram(x: Float64Array, count: number, width: number): Float64Array {
  const lower = new Float64Array(count * count);
  let largest = 0;
  for (let row = 0; row < count; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += (x[row * width + k] ?? 0) * (x[column * width + k] ?? 0);
      lower[row * count + column] = sum;
    }
    largest = Math.max(largest, lower[row * count + row] ?? 0);
  }
  for (let column = 0; column < count; column++) {
    for (let row = column; row < count; row++) {
      let sum = lower[row * count + column] ?? 0;
      for (let k = 0; k < column; k++) sum -= (lower[row * count + k] ?? 0) * (lower[column * count + k] ?? 0);
      lower[row * count + column] = sum;
    }
    const pivot = lower[column * count + column] ?? 0;
    const divisor = pivot > dependent * largest ? 1 / Math.sqrt(pivot) : 0;
    for (let row = column; row < count; row++)
      lower[row * count + column] = (lower[row * count + column] ?? 0) * divisor;
  }
  return lower;
}

/** A with Lᵀ·A = V, zero where L's column is. */
function solveTransposed(lower: Float64Array, count: number, v: Float64Array, columns: number): Float64Array {
  const result = new Float64Array(v);
  for (let row = count - 1; row >= 0; row--) {
    const pivot = lower[row * count + row] ?? 0;
    for (let c = 0; c < columns; c++) {
      let sum = result[row * columns + c] ?? 0;
      for (let k = row + 1; k < count; k++) sum -= (lower[k * count + row] ?? 0) * (result[k * columns + c] ?? 0);
      result[row * columns + c] = pivot === 0 ? 0 : sum / pivot;
    }
  }
  return result;
}
