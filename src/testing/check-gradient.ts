/** @file Derivatives judged by differences, in one random direction. */
import { withGradients } from "../gradient/index.ts";
import type { Builder, Value } from "../graph/index.ts";
import type { Executable } from "../runtime/index.ts";
import { newBuilder } from "../shapes/index.ts";
import {
  isFloating,
  type NumericTensor,
  numbersOf,
  randomNumbers,
  type Shape,
  type Tensor,
  tensorOf,
} from "../tensor/index.ts";
import { randomTensor } from "./random.ts";
import { compileGraph } from "./run-node.ts";

/** An input: sizes to fill with random numbers in [-1, 1), or a tensor, perhaps declared with symbolic sizes. */
export type InputSpec = readonly number[] | { readonly tensor: NumericTensor; readonly declared?: Shape };

export interface CheckOptions {
  /** float64 unless ONNX Runtime has no such kernel. */
  readonly dtype?: "float64" | "float32";
  /** The inputs to derive by; every floating-point one by default. */
  readonly wanted?: readonly string[];
  readonly seed?: number;
}

/** Half the distance of a difference, and how far it may be from the derivative, relative to the sum of its terms. */
const precision = {
  float64: { step: 1e-5, tolerance: 1e-6 },
  float32: { step: 1e-2, tolerance: 5e-3 },
} as const;

/**
 * Throws unless, for each wanted input w and random dy and v,
 * ```
 * Σ grad:w·v = Σ dy·(y(w + hv) − y(w − hv))/2h
 * ```
 * where `define` appends y to a graph with the given inputs. The error names the input.
 */
export async function checkGradient<Name extends string>(
  inputs: Readonly<Record<Name, InputSpec>>,
  define: (build: Builder, values: Readonly<Record<Name, Value>>) => Value,
  { dtype = "float64", wanted, seed = 1 }: CheckOptions = {},
): Promise<void> {
  const random = randomNumbers(seed);
  const build = newBuilder();
  const feeds = new Map<string, NumericTensor>();
  const values: Record<string, Value> = {};
  for (const [name, spec] of Object.entries<InputSpec>(inputs)) {
    const tensor = "tensor" in spec ? spec.tensor : randomTensor(random, dtype, spec);
    const shape = "tensor" in spec ? (spec.declared ?? tensor.shape) : spec;
    feeds.set(name, tensor);
    values[name] = build.input(name, tensor.dtype, shape);
  }
  // One value was made for each name.
  const y = define(build, values as Readonly<Record<Name, Value>>);
  const names = wanted ?? [...feeds].filter(([, tensor]) => isFloating(tensor.dtype)).map(([name]) => name);
  const graph = build.graph([y]);
  const forward = await compileGraph(graph);
  const backward = await compileGraph(withGradients(graph, { output: y.name, wanted: names }));
  try {
    const dy = randomTensor(random, dtype, (await outputOf(forward, feeds, y.name)).shape);
    const gradients = await backward.run(new Map([...feeds, ["dy", dy]]));
    for (const name of names) await compare(name, gradients.get(`grad:${name}`));

    async function compare(name: string, gradient: Tensor | undefined): Promise<void> {
      const tensor = feeds.get(name);
      if (gradient === undefined || tensor === undefined) throw new Error(`grad:${name} is missing`);
      if (`${gradient.shape}` !== `${tensor.shape}`) {
        throw new Error(`grad:${name} has the shape [${gradient.shape}], its input has [${tensor.shape}]`);
      }
      const { step, tolerance } = precision[dtype];
      const direction = numbersOf(randomTensor(random, dtype, tensor.shape));
      const moved = (distance: number) => {
        const numbers = numbersOf(tensor).map((number, index) => number + distance * (direction[index] ?? 0));
        return outputOf(forward, new Map([...feeds, [name, tensorOf(tensor.dtype, tensor.shape, numbers)]]), y.name);
      };
      const [ahead, behind] = [numbersOf(await moved(step)), numbersOf(await moved(-step))];
      const differences = ahead.map((number, index) => (number - (behind[index] ?? 0)) / (2 * step));
      const numeric = dot(numbersOf(dy), differences);
      const analytic = dot(numbersOf(gradient), direction);
      const scale = Math.max(numeric.size, analytic.size, 1e-3);
      if (Math.abs(numeric.sum - analytic.sum) <= tolerance * scale) return;
      throw new Error(
        `grad:${name} is wrong: along a random direction it is ${analytic.sum}, by differences ${numeric.sum}`,
      );
    }
  } finally {
    await forward.dispose();
    await backward.dispose();
  }
}

async function outputOf(model: Executable, feeds: ReadonlyMap<string, Tensor>, name: string): Promise<Tensor> {
  const output = (await model.run(feeds)).get(name);
  if (output === undefined) throw new Error(`the output ${name} is missing`);
  return output;
}

/** Σ aᵢ·bᵢ, and the size of its terms, against which rounding is judged. */
function dot(a: readonly number[], b: readonly number[]): { readonly sum: number; readonly size: number } {
  let [sum, size] = [0, 0];
  for (const [index, number] of a.entries()) {
    const term = number * (b[index] ?? 0);
    sum += term;
    size += Math.abs(term);
  }
  return { sum, size };
}
