/** @file Layers around a layer: in both directions of time, and at every step of it. */
import type { Value } from "../graph/index.ts";
import { GraftError, isStatic, type Shape } from "../tensor/index.ts";
import { Config, isJsonObject, type Json, type JsonObject } from "./config.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { asLast, channelsOf, inputAt } from "./orient.ts";
import { turned } from "./recurrent.ts";

interface Wrapped {
  readonly className: string;
  readonly config: JsonObject;
  readonly name: string;
}

/** The layer that a config holds. */
function wrappedOf(config: Config, key: string): Wrapped {
  const value: Json | undefined = config.get(key);
  const className = isJsonObject(value) ? value["class_name"] : undefined;
  const own = isJsonObject(value) ? value["config"] : undefined;
  if (typeof className !== "string" || !isJsonObject(own)) return config.refuse(key, "a layer", value);
  const name = own["name"];
  return { className, config: own, name: typeof name === "string" ? name : className.toLowerCase() };
}

type Merge = (forward: Value, backward: Value, call: LayerCall) => Value;

const merges: ReadonlyMap<string, Merge> = new Map<string, Merge>([
  ["concat", (a, b, { build, name }) => build.apply("Concat", [a, b], { axis: -1 }, name)],
  ["sum", (a, b, { build, name }) => build.apply("Add", [a, b], {}, name)],
  ["ave", (a, b, { build, name }) => build.apply("Mean", [a, b], {}, name)],
  ["mul", (a, b, { build, name }) => build.apply("Mul", [a, b], {}, name)],
]);

const bidirectional: LowerLayer = (inputs, call) => {
  const { config } = call;
  const input = inputAt(inputs);
  const forward = wrappedOf(config, "layer");
  const given = config.has("backward_layer") ? wrappedOf(config, "backward_layer") : undefined;
  const backward = given ?? {
    ...forward,
    config: { ...forward.config, go_backwards: forward.config["go_backwards"] !== true },
  };
  const isSequence = forward.config["return_sequences"] === true;
  const initial = [...inputs.slice(1), ...(call.call.named.get("initial_state") ?? [])];
  const half = initial.length / 2;
  const mask = call.call.named.get("mask") ?? [];
  const run = (direction: "forward" | "backward", { className, config: own, name }: Wrapped, states: readonly Flow[]) =>
    call.inner(
      className,
      // Keras sets this on both layers, whatever their configs say.
      new Config({ ...own, zero_output_for_mask: isSequence }),
      [input, ...states],
      {
        name: name.startsWith(direction) ? name : `${direction}_${name}`,
        holder: [`${direction}_layer`],
        call: { named: new Map(mask.length > 0 ? [["mask", mask]] : []), config: new Config({}) },
      },
    );
  const [y, ...states] = run("forward", forward, initial.slice(0, half));
  const [last, ...statesBack] = run("backward", backward, initial.slice(half));
  if (y === undefined || last === undefined) throw new GraftError("model-invalid", "the layer within gives nothing");
  const back = isSequence ? { ...last, ...asLast(call, turned(last.data.last(), call)) } : last;
  const mode = config.get("merge_mode");
  if (mode === undefined) return [y, back, ...states, ...statesBack];
  const merge = typeof mode === "string" ? merges.get(mode) : undefined;
  if (merge === undefined) return config.refuse("merge_mode", [...merges.keys()].join(", "), mode);
  const merged = asLast(call, merge(y.data.last(), back.data.last(), call));
  return [{ ...merged, mask: y.mask }, ...states, ...statesBack];
};

/** A shape as an int64 vector for Reshape: constant where at most one size is open. */
function sizesOf(value: Value, from: number, { build }: LayerCall): Value {
  const rest: Shape = value.shape?.slice(from) ?? [];
  return isStatic(rest) ? build.ints(rest) : build.apply("Shape", [value], { start: from });
}

/** Steps become pictures of a larger batch, and go back to their places. */
const timeDistributed: LowerLayer = (inputs, call) => {
  const { build, config, name } = call;
  const input = inputAt(inputs);
  const { className, config: own, name: innerName } = wrappedOf(config, "layer");
  const x = input.data.last();
  if ((x.shape?.length ?? 0) < 3) throw new GraftError("model-invalid", "there are no steps among its input's axes");
  const flat = build.apply("Reshape", [x, build.concat([build.ints([-1]), sizesOf(x, 2, call)], 0)]);
  const { training } = call.call;
  const [result, ...others] = call.inner(className, new Config(own), [asLast(call, flat)], {
    name: innerName,
    holder: ["layer"],
    call: { training, named: new Map(), config: new Config({}) },
  });
  if (result === undefined || others.length > 0) {
    throw new GraftError("model-refused", "the layer at every step gives more than one value");
  }
  const y = result.data.last();
  const time = x.shape?.[1];
  const steps = typeof time === "number" ? build.ints([-1, time]) : build.apply("Shape", [x], { start: 0, end: 2 });
  const shape = build.concat([steps, sizesOf(y, 1, call)], 0);
  return asLast(call, build.apply("Reshape", [y, shape], {}, name));
};

/** A layer whose kernel was divided by its largest singular value in training: at inference that layer, as it was saved. */
const spectralNormalization: LowerLayer = (inputs, call) => {
  const { className, config, name } = wrappedOf(call.config, "layer");
  const own = new Config(config);
  // The kernel's last size, of the layers that have one.
  const width = ["units", "filters", "output_dim"].find((key) => own.has(key));
  const last = className.endsWith("Transpose") ? channelsOf(inputAt(inputs)) : own.count(width ?? "units");
  const result = call.inner(className, own, inputs, { name, holder: ["layer"] });
  // Among the wrapper's own variables Keras lists the kernel that it took from the layer first.
  call.weight("vector_u", [1, last], { isTrainable: false, after: 1 });
  call.remark("Spectral normalization is not renewed when such a model is trained further.");
  return result;
};

export const wrapperLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Bidirectional", { lower: bidirectional }],
  ["TimeDistributed", { lower: timeDistributed, passesMask: true }],
  ["SpectralNormalization", { lower: spectralNormalization }],
];
