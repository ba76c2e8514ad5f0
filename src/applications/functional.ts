/** @file A model as Keras's functional interface records it: layers get Keras's automatic names, and its order of layers. */
import type { LayeredGraph, LayerScope } from "../graph/index.ts";
import { type Json, type LayerOutput, Network, type WeightSource } from "../layers/index.ts";
import { unreachable } from "../tensor/index.ts";
import { outputShapeOf } from "./output-shapes.ts";

/** What a layer of a model gives, before the model is built. */
export interface KerasTensor {
  /** Without the batch: `[height, width, channels]` or `[features]`; null is open. */
  readonly shape: readonly (number | null)[];
  /** The number of channels or features: the last size. */
  readonly channels: number;
  /** The position of the call that gave it. */
  readonly call: number;
}

/** The axes of the graph's pictures and maps. */
export type ApplicationLayout = "channels_first" | "channels_last";

export type LayerConfig = { readonly [key: string]: Json };

interface Call {
  readonly className: string;
  readonly name: string;
  readonly config: LayerConfig;
  readonly inputs: readonly KerasTensor[];
  readonly output: KerasTensor;
  /** False for arithmetic on tensors, which Keras counts in names and order but not among the layers. */
  readonly isLayer: boolean;
}

/** Records calls of layers; `build` then makes the graph, asking for weights in the order of Keras's `model.weights`. */
export class FunctionalModel {
  readonly #calls: Call[] = [];
  readonly #automatic = new Map<string, number>();

  /** The model's input, `input_layer`. */
  input(shape: readonly (number | null)[]): KerasTensor {
    return this.#call("InputLayer", this.#name("InputLayer"), {}, [], shape);
  }

  /**
   * Calls a layer. Without a name it gets Keras's automatic one, as in the first model of a process: `conv2d`, `conv2d_1`.
   * The config is under Keras's keys.
   */
  layer(
    className: string,
    name: string | undefined,
    config: LayerConfig,
    ...inputs: readonly KerasTensor[]
  ): KerasTensor {
    const shapes = inputs.map(({ shape }) => shape);
    const shape = outputShapeOf(className, config, shapes);
    return this.#call(className, name ?? this.#name(className), config, inputs, shape);
  }

  /**
   * Arithmetic by Python's operators, of a tensor and a number or another tensor. Keras counts it in names and in the order,
   * but not among the layers; a layer must follow.
   */
  operation(operation: "Add" | "Multiply", x: KerasTensor, y: KerasTensor | number): KerasTensor {
    const name = this.#name(operation);
    if (typeof y !== "number") return this.#call(operation, name, {}, [x, y], x.shape, false);
    const config = operation === "Add" ? { scale: 1, offset: y } : { scale: y, offset: 0 };
    return this.#call("Rescaling", name, config, [x], x.shape, false);
  }

  /** The graph, with one output. */
  build(output: KerasTensor, name: string, weights: WeightSource, layout: ApplicationLayout): LayeredGraph {
    const network = new Network({ weights, layout });
    const outputs = new Map<number, LayerOutput>();
    const outputOf = ({ call }: KerasTensor) => outputs.get(call) ?? unreachable("inputs come before what takes them");
    for (const call of this.#inOrder(output)) {
      const inputs = call.inputs.map(outputOf);
      const result =
        inputs.length === 0
          ? network.input(call.name, [null, ...call.output.shape])
          : network.layer(call.className, call.name, call.config, ...inputs);
      outputs.set(call.output.call, result);
    }
    const operations = new Set(this.#calls.filter(({ isLayer }) => !isLayer).map((call) => call.name));
    return withoutOperations(network.graph([outputOf(output)], name), operations);
  }

  #call(
    className: string,
    name: string,
    config: LayerConfig,
    inputs: readonly KerasTensor[],
    shape: readonly (number | null)[],
    isLayer = true,
  ): KerasTensor {
    const output = { shape, channels: shape.at(-1) ?? 0, call: this.#calls.length };
    this.#calls.push({ className, name, config, inputs, output, isLayer });
    return output;
  }

  #name(className: string): string {
    const base = className === "InputLayer" ? "input_layer" : snakeCase(className);
    const count = this.#automatic.get(base) ?? 0;
    this.#automatic.set(base, count + 1);
    return count === 0 ? base : `${base}_${count}`;
  }

  /**
   * Keras's order (`map_graph` in keras/src/ops/function.py): by the longest way to the output, and among those of equal
   * length by when a walk from the output, depth first, comes to them.
   */
  #inOrder(output: KerasTensor): readonly Call[] {
    const at = (index: number) => this.#calls[index] ?? unreachable("tensors name calls");
    const visits = new Map<number, number>();
    const waiting = [output.call];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (visits.has(next)) continue;
      visits.set(next, visits.size);
      waiting.push(
        ...at(next)
          .inputs.map(({ call }) => call)
          .reverse(),
      );
    }
    const depths = new Map<number, number>();
    const depthOf = (index: number) => depths.get(index) ?? 0;
    // A call comes after those of its inputs, so that backwards each is met after all that take it.
    for (let index = this.#calls.length - 1; index >= 0; index--) {
      if (!visits.has(index)) continue;
      for (const { call } of at(index).inputs) depths.set(call, Math.max(depthOf(call), depthOf(index) + 1));
    }
    const order = [...visits.keys()].sort(
      (a, b) => depthOf(b) - depthOf(a) || (visits.get(a) ?? 0) - (visits.get(b) ?? 0),
    );
    return order.map(at);
  }
}

/** Keras's `to_snake_case`: `ReLU` becomes `re_lu`, `GlobalAveragePooling2D` `global_average_pooling2d`. */
function snakeCase(className: string): string {
  return className
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

/** Arithmetic goes into the layer that comes next. */
function withoutOperations({ graph, layers }: LayeredGraph, operations: ReadonlySet<string>): LayeredGraph {
  const own: LayerScope[] = [];
  /** Which layer holds an operation. */
  const holders = new Map<string, string>();
  let waiting: LayerScope[] = [];
  for (const layer of layers) {
    waiting.push(layer);
    if (operations.has(layer.name)) continue;
    for (const { name } of waiting) holders.set(name, layer.name);
    const inputs = new Set(waiting.flatMap((each) => each.inputs.map((input) => holders.get(input) ?? input)));
    inputs.delete(layer.name);
    own.push({ ...layer, inputs: [...inputs], values: waiting.flatMap(({ values }) => values) });
    waiting = [];
  }
  return { graph, layers: own };
}
