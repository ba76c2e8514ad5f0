/** @file A graph built layer by layer with Keras's meanings, and the record of which values and weights belong to which layer. */
import {
  type Builder,
  type LayeredGraph,
  type LayerScope,
  type LayerWeight,
  Oriented,
  separatePads,
  type Value,
} from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { type Dimension, type DType, float32, GraftError, type NumericTensor, type Shape } from "../tensor/index.ts";
import { Config, type Json } from "./config.ts";
import type { CallArguments, Flow, InnerOptions, LayerCall, LayerDefinition, WeightOptions } from "./layer.ts";
import { layerTable } from "./table.ts";
import type { WeightSource } from "./weights.ts";

/** A layer of a network: its class, its name, and what the file or the builder says of it. */
export interface LayerSpec {
  readonly className: string;
  /** Unique in the network; of nested models with the names on the way, joined by `/`. */
  readonly name: string;
  readonly config: { readonly [key: string]: Json };
  /** Default: true. */
  readonly trainable?: boolean;
}

/** An output of a layer that was called, for the next. */
export interface LayerOutput extends Flow {
  /** The name of the layer that gave it. */
  readonly layer: string;
}

export interface NetworkOptions {
  readonly weights: WeightSource;
  /** Default: 3. */
  readonly kerasVersion?: number;
  /** Definitions of classes that Keras does not have, or other ones for those that it has; by class name. */
  readonly customLayers?: ReadonlyMap<string, LayerDefinition>;
  /**
   * The axes in which the graph takes its pictures and gives its maps: as the model says (`channels_last`, for files), or
   * `channels_first`, for bases. Default: channels_last.
   */
  readonly layout?: "channels_last" | "channels_first";
}

interface Scope {
  readonly spec: LayerSpec;
  readonly inputs: Set<string>;
  output: Value;
  outputShape: readonly (number | null)[] | undefined;
  readonly values: string[];
  readonly weights: LayerWeight[];
  readonly made: Map<string, Value>;
}

/** How many layers may lie around one: wrappers, cells, layers that serve as activations. */
const deepestNesting = 16;

const noArguments: CallArguments = { named: new Map(), config: new Config({}) };

/** Builds a network; layers are recorded in the order of their first call. */
export class Network {
  readonly #build: Builder = newBuilder();
  readonly #options: NetworkOptions;
  readonly #scopes = new Map<string, Scope>();
  readonly #remarks = new Set<string>();

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** What a person should know, a sentence each. */
  get remarks(): readonly string[] {
    return [...this.#remarks];
  }

  /** An input of the graph. `shape` is Keras's, batch first: `[null, 224, 224, 3]`. */
  input(name: string, shape: readonly (number | null)[], dtype: DType = "float32"): LayerOutput {
    const isFirst = this.#options.layout === "channels_first" && shape.length >= 3;
    const [batch = null, ...sizes] = shape;
    const letters = isFirst && sizes.length === 3 ? ["H", "W"] : sizes.map((_, axis) => `d${axis + 1}`);
    // Open sizes of two inputs are not the same.
    const prefix = this.#scopes.size === 0 ? "" : `${name}_`;
    const open = sizes.map((size, axis): Dimension => size ?? `${prefix}${letters[axis] ?? `d${axis + 1}`}`);
    const own: Shape = isFirst ? [batch ?? "N", ...open.slice(-1), ...open.slice(0, -1)] : [batch ?? "N", ...open];
    const value = this.#build.input(name, dtype, own);
    const data = isFirst ? Oriented.first(this.#build, value) : Oriented.last(this.#build, value);
    const spec: LayerSpec = { className: "InputLayer", name, config: {} };
    const scope = { spec, inputs: new Set<string>(), output: value, values: [], weights: [], made: new Map() };
    this.#scopes.set(name, { ...scope, outputShape: kerasShape(data.shape) });
    return { layer: name, data };
  }

  /**
   * Calls a layer: its nodes are appended, its weights asked for at its first call.
   *
   * @throws GraftError `model-refused` for a class that the table does not have; `model-invalid` where config, inputs and
   *   weights do not fit
   */
  call(spec: LayerSpec, inputs: readonly LayerOutput[], call: CallArguments = noArguments): readonly LayerOutput[] {
    const definition = this.#definition(spec);
    const first = this.#build.nodes.length;
    const known = this.#scopes.get(spec.name);
    const weights: LayerWeight[] = known?.weights ?? [];
    const made = known?.made ?? new Map<string, Value>();
    const config = new Config(spec.config);
    const outputs = this.#located(spec, () =>
      this.#lower(definition, spec, config, inputs, call, { weights, made, prefix: "", depth: 0, holder: [] }),
    );
    const [output] = outputs;
    if (output === undefined) throw new GraftError("model-invalid", "the layer gives nothing", { path: [spec.name] });
    const values = this.#build.nodes.slice(first).flatMap((node) => node.outputs.flatMap((each) => each?.name ?? []));
    const named = [...call.named.values()].flat();
    const sources = [...inputs, ...named].flatMap((each) => ("layer" in each ? [String(each.layer)] : []));
    const scope: Scope = known ?? {
      spec,
      inputs: new Set(),
      output: output.data.native,
      outputShape: undefined,
      values: [],
      weights,
      made,
    };
    for (const source of sources) scope.inputs.add(source);
    scope.values.push(...values);
    scope.output = output.data.native;
    scope.outputShape = kerasShape(output.data.shape);
    this.#scopes.set(spec.name, scope);
    return outputs.map((each) => ({ ...each, layer: spec.name }));
  }

  /** Calls a layer with one output. */
  layer(
    className: string,
    name: string,
    config: { readonly [key: string]: Json },
    ...inputs: readonly LayerOutput[]
  ): LayerOutput {
    const [output] = this.call({ className, name, config }, inputs);
    if (output === undefined) throw new GraftError("model-invalid", "the layer gives nothing", { path: [name] });
    return output;
  }

  /** The graph so far, with these outputs, in the network's layout. */
  graph(outputs: readonly Flow[], name: string): LayeredGraph {
    const isFirst = this.#options.layout === "channels_first";
    const values = outputs.map(({ data }) => (isFirst ? data.first() : data.last()));
    // An output is computed, even where it is an input, and no two are one.
    const seen = new Set<Value>();
    const own = values.map((value) => {
      const isTaken = seen.has(value) || !this.#build.nodes.some((node) => node.outputs.includes(value));
      const output = isTaken ? this.#build.apply("Identity", [value], {}, `${value.name}/output`) : value;
      seen.add(output);
      return output;
    });
    return { graph: separatePads(this.#build.graph(own, name)), layers: [...this.#scopes.values()].map(scopeOf) };
  }

  #definition({ className, name }: LayerSpec): LayerDefinition {
    const found = this.#options.customLayers?.get(className) ?? layerTable.get(className);
    if (found !== undefined) return found;
    throw new GraftError("model-refused", `the class ${className} is not known`, {
      path: [`layer "${name}"`],
      hint: `give what it computes as customLayers: { ${className}: … }, or save the model without it`,
    });
  }

  #lower(
    definition: LayerDefinition,
    spec: LayerSpec,
    config: Config,
    inputs: readonly Flow[],
    call: CallArguments,
    place: Place,
  ): readonly Flow[] {
    const layerCall: LayerCall = {
      build: this.#build,
      name: place.prefix === "" ? spec.name : `${spec.name}/${place.prefix}`,
      config,
      call,
      kerasVersion: this.#options.kerasVersion ?? 3,
      weight: (weight, shape, options = {}) => this.#weight(spec, place, weight, shape, options),
      inner: (className, innerConfig, innerInputs, { name, holder, call: innerCall = noArguments }: InnerOptions) => {
        if (place.depth >= deepestNesting) {
          throw new GraftError("model-refused", "layers lie within layers too deeply", {
            expected: `${deepestNesting}`,
          });
        }
        const inner = this.#definition({ className, name: spec.name, config: {} });
        const prefix = place.prefix === "" ? name : `${place.prefix}/${name}`;
        return this.#lower(inner, spec, innerConfig, innerInputs, innerCall, {
          ...place,
          prefix,
          depth: place.depth + 1,
          holder: [...place.holder, ...holder],
        });
      },
      remark: (sentence) => this.#remarks.add(sentence),
    };
    const result = definition.lower(inputs, layerCall);
    const flows: readonly Flow[] = "data" in result ? [result] : result;
    const mask = definition.passesMask ? inputs[0]?.mask : undefined;
    return mask === undefined ? flows : flows.map((flow) => (flow.mask === undefined ? { ...flow, mask } : flow));
  }

  /** Unlike a constant, never one with an equal one: each is trained for itself. */
  #weight(spec: LayerSpec, place: Place, weight: string, shape: readonly number[], options: WeightOptions): Value {
    const path = place.prefix === "" ? weight : `${place.prefix}/${weight}`;
    const known = place.made.get(path);
    if (known !== undefined) return known;
    const { holder = [], after = 0, isTrainable = true, toOnnx = asItIs } = options;
    const elements = this.#options.weights({
      layer: spec.name,
      weight: path,
      shape,
      holder: [...place.holder, ...holder],
      after,
      isTrainable,
    });
    const tensor = toOnnx(elements, shape);
    const value = { name: this.#build.unused(`${spec.name}/${path}`), dtype: tensor.dtype, shape: tensor.shape };
    this.#build.adoptConstant(value, tensor);
    place.made.set(path, value);
    place.weights.push({ name: value.name, isTrainable });
    return value;
  }

  #located<T>({ className, name }: LayerSpec, run: () => T): T {
    try {
      return run();
    } catch (error) {
      const place = `layer "${name}" (${className})`;
      throw error instanceof GraftError && !error.path[0]?.startsWith("layer ") ? error.at(place) : error;
    }
  }
}

/** Where in a layer the work is: layers within layers share its weights. */
interface Place {
  readonly weights: LayerWeight[];
  readonly made: Map<string, Value>;
  readonly prefix: string;
  /** How many layers are around it. */
  readonly depth: number;
  readonly holder: readonly string[];
}

function scopeOf({ spec, inputs, output, outputShape, values, weights }: Scope): LayerScope {
  return {
    name: spec.name,
    className: spec.className,
    inputs: [...inputs],
    output: output.name,
    outputShape,
    values,
    weights,
    ...(spec.trainable === false ? { trainable: false } : {}),
  };
}

function kerasShape(shape: Shape | undefined): readonly (number | null)[] | undefined {
  return shape?.map((size, axis) => (axis > 0 && typeof size === "number" ? size : null));
}

function asItIs(elements: Float32Array, shape: readonly number[]): NumericTensor {
  return float32(shape, elements);
}
