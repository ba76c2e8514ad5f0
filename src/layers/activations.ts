/** @file Activations by name, as Keras's `activation` argument and its `Activation` layer have them. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { Json } from "./config.ts";
import type { Flow, LayerCall, LayerDefinition } from "./layer.ts";
import { inputAt, scalar } from "./orient.ts";

/** What an activation computes of every element; `axis` is where the channels lie in the value. */
type Activate = (x: Value, call: LayerCall, axis: number) => Value;

const activations: ReadonlyMap<string, Activate> = new Map<string, Activate>([
  ["linear", (x) => x],
  ["relu", (x, { build }) => build.apply("Relu", [x])],
  ["relu6", (x, call) => call.build.apply("Clip", [x, scalar(call, 0), scalar(call, 6)])],
  ["softmax", (x, { build }, axis) => build.apply("Softmax", [x], { axis })],
  ["sigmoid", (x, { build }) => build.apply("Sigmoid", [x])],
  ["tanh", (x, { build }) => build.apply("Tanh", [x])],
]);

/** The name of an activation in a config: a text, or a serialized function of Keras's own. */
function activationName(value: Json | undefined): string {
  if (value === undefined || value === null) return "linear";
  if (typeof value === "string") return value;
  throw new GraftError("model-refused", "the activation is no name", { actual: JSON.stringify(value).slice(0, 80) });
}

/** Applies the activation that the config names. `axis` of softmax is the last of the model. */
export function activated(flow: Flow, call: LayerCall, value: Json | undefined): Flow {
  const name = activationName(value);
  const activate = activations.get(name);
  if (activate === undefined) {
    throw new GraftError("model-refused", `the activation ${name} is not known`, {
      hint: `give what it computes as customLayers: { ${name}: … }`,
    });
  }
  const axis = flow.data.nativeAxis(-1);
  return { ...flow, data: flow.data.map((x) => activate(x, call, axis)) };
}

export const activationLayers: readonly (readonly [string, LayerDefinition])[] = [
  [
    "Activation",
    { lower: (inputs, call) => activated(inputAt(inputs), call, call.config.get("activation")), passesMask: true },
  ],
  [
    "ReLU",
    {
      passesMask: true,
      lower: (inputs, call) => {
        const { data } = inputAt(inputs);
        const most = call.config.get("max_value");
        const clip = (x: Value) =>
          most === undefined
            ? call.build.apply("Relu", [x], {}, call.name)
            : call.build.apply("Clip", [x, scalar(call, 0), scalar(call, Number(most))], {}, call.name);
        return { data: data.map(clip) };
      },
    },
  ],
];
