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

/** A layer as `Sequential` takes it. */
export type SequentialLayer = readonly [className: string, name: string, config: LayerConfig];

interface Call {
  readonly name: string;
  /** One layer, or those of a nested `Sequential`, under their names in the graph. */
  readonly layers: readonly SequentialLayer[];
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

  /** Calls a nested `Sequential`: one layer in Keras's order; in the graph its layers are `<name>/<own name>`. */
  sequential(name: string, layers: readonly SequentialLayer[], input: KerasTensor): KerasTensor {
    const named = layers.map(([className, own, config]): SequentialLayer => [className, `${name}/${own}`, config]);
    const shape = layers.reduce(
      (sizes, [className, , config]) => outputShapeOf(className, config, [sizes]),
      input.shape,
    );
    return this.#record({ name, layers: named, inputs: [input], isLayer: true }, shape);
  }

  /**
   * Arithmetic by Python's operators, of a tensor and a number or another tensor. Keras counts it in names and in the order,
   * but not among the layers. With a number it becomes a part of the layer that follows; with a tensor a part of the layer
   * that gave that one, which nothing else may take.
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
      if (call.inputs.length === 0) {
        outputs.set(call.output.call, network.input(call.name, [null, ...call.output.shape]));
        continue;
      }
      let flows = call.inputs.map(outputOf);
      for (const [className, own, config] of call.layers) flows = [network.layer(className, own, config, ...flows)];
      outputs.set(call.output.call, flows[0] ?? unreachable("a call has layers"));
    }
    const operations = new Map(this.#calls.flatMap((call) => (call.isLayer ? [] : [[call.name, call.inputs.length]])));
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
    return this.#record({ name, layers: [[className, name, config]], inputs, isLayer }, shape);
  }

  #record(call: Omit<Call, "output">, shape: readonly (number | null)[]): KerasTensor {
    const output = { shape, channels: shape.at(-1) ?? 0, call: this.#calls.length };
    this.#calls.push({ ...call, output });
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

/** Arithmetic, by name and number of tensors, goes into the layer that comes next, or into the one that gave the second tensor. */
function withoutOperations({ graph, layers }: LayeredGraph, operations: ReadonlyMap<string, number>): LayeredGraph {
  const own = new Map<string, LayerScope>();
  /** Which layer holds an operation. */
  const holders = new Map<string, string>();
  let waiting: LayerScope[] = [];
  for (const layer of layers) {
    const tensors = operations.get(layer.name);
    const given = layer.inputs.map((input) => holders.get(input) ?? input);
    const last = own.get(given.at(-1) ?? "");
    if (tensors === 2 && last !== undefined) {
      holders.set(layer.name, last.name);
      const { output, outputShape } = layer;
      const inputs = new Set([...last.inputs, ...given.slice(0, -1)]);
      own.set(last.name, {
        ...last,
        output,
        outputShape,
        inputs: [...inputs],
        values: [...last.values, ...layer.values],
      });
      continue;
    }
    waiting.push(layer);
    if (tensors !== undefined) continue;
    for (const { name } of waiting) holders.set(name, layer.name);
    const inputs = new Set(waiting.flatMap((each) => each.inputs.map((input) => holders.get(input) ?? input)));
    inputs.delete(layer.name);
    own.set(layer.name, { ...layer, inputs: [...inputs], values: waiting.flatMap(({ values }) => values) });
    waiting = [];
  }
  return { graph, layers: [...own.values()] };
}
