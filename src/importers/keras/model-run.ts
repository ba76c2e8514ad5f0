/** @file Running a model's parts over a network: calls in an order in which what they need is there. */
import type { CallArguments, Flow } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import { referencesIn } from "./functional-arguments.ts";
import { boundCall, boundOperation } from "./model-arguments.ts";
import type { LayerCallPart, LayerPart, ModelPart, Reference } from "./model-parts.ts";

/** Calls one layer that is no model. */
export type CallLayer = (
  part: LayerPart,
  place: RunPlace,
  inputs: readonly Flow[],
  call: CallArguments,
) => readonly Flow[];

/** Where the running model lies. */
export interface RunPlace {
  /** The names of the models around it, each with `/` after it. */
  readonly prefix: string;
  /** Whether all that is around it is trained. */
  readonly trainable: boolean;
  /** What the calls around it say of training. */
  readonly training: boolean | undefined;
}

/** A model that is called in a model twice, and so on, grows as a power: no real one comes near. */
const mostCalls = 30_000;

/** Runs models, nested ones in place, and counts the calls. */
export class ModelRun {
  readonly #callLayer: CallLayer;
  #calls = 0;

  constructor(callLayer: CallLayer) {
    this.#callLayer = callLayer;
  }

  /** The model's outputs. Inputs are in the order of `model.inputs`. Throws GraftError `model-invalid` for loops. */
  run(model: ModelPart, inputs: readonly Flow[], place: RunPlace): readonly Flow[] {
    const parts = new Map(model.layers.map((part) => [part.name, part]));
    const results = new Map<string, readonly Flow[]>();
    for (const [index, { reference }] of model.inputs.entries()) {
      const input = inputs[index];
      if (input === undefined) {
        throw new GraftError("model-invalid", "a model is called with too few inputs", {
          path: [`model "${model.name}"`],
          expected: `${model.inputs.length}`,
          actual: `${inputs.length}`,
        });
      }
      results.set(keyOf(reference), [input]);
    }
    const resolve = (reference: Reference): Flow => {
      const flow = results.get(keyOf(reference))?.[reference.output];
      if (flow !== undefined) return flow;
      throw new GraftError("model-invalid", "a layer's output is not there", { path: [`layer "${reference.layer}"`] });
    };
    for (const { part, index, call } of ordered(model, parts, results)) {
      this.#count();
      results.set(keyOf({ layer: part.name, call: index }), this.#call(part, call, resolve, place));
    }
    return model.outputs.map(({ reference }) => resolve(reference));
  }

  #call(
    part: LayerPart,
    call: LayerCallPart,
    resolve: (reference: Reference) => Flow,
    place: RunPlace,
  ): readonly Flow[] {
    if (part.kind === "operation") {
      const bound = boundOperation(call, resolve);
      return this.#callLayer(part, place, bound.inputs, bound.call);
    }
    const { inputs, byKey, call: bound } = boundCall(part, call, resolve, place.training);
    if (part.model === undefined) return this.#callLayer(part, place, inputs, bound);
    const keyed = part.model.inputs.map(({ key, reference }) => byKey.get(key ?? "") ?? byKey.get(reference.layer));
    const own = keyed.every((flow) => flow !== undefined) && byKey.size > 0 ? keyed : inputs;
    return this.run(part.model, own, {
      prefix: `${place.prefix}${part.name}/`,
      trainable: place.trainable && part.trainable,
      training: bound.training,
    });
  }

  #count(): void {
    this.#calls++;
    if (this.#calls > mostCalls) {
      throw new GraftError("out-of-resources", "the model calls too many layers", { expected: `at most ${mostCalls}` });
    }
  }
}

function keyOf({ layer, call }: Pick<Reference, "layer" | "call">): string {
  return `${call}:${layer}`;
}

interface Step {
  readonly part: LayerPart;
  readonly index: number;
  readonly call: LayerCallPart;
}

/**
 * The calls in the config's order, each after those that it needs. A layer's own calls keep their order, as Keras numbers
 * them. Iterative: configs may be long.
 */
function ordered(
  model: ModelPart,
  parts: ReadonlyMap<string, LayerPart>,
  inputs: ReadonlyMap<string, readonly Flow[]>,
): readonly Step[] {
  const steps: Step[] = [];
  const states = new Map<string, "begun" | "done">();
  for (const key of inputs.keys()) states.set(key, "done");
  const needs = ({ part, index, call }: Step): readonly Pick<Reference, "layer" | "call">[] => {
    const references = [...call.positional, ...call.named.values()].flatMap(referencesIn);
    return index > 0 ? [{ layer: part.name, call: index - 1 }, ...references] : references;
  };
  const stepOf = ({ layer, call: index }: Pick<Reference, "layer" | "call">): Step => {
    const part = parts.get(layer);
    const call = part?.calls[index];
    if (part !== undefined && call !== undefined) return { part, index, call };
    throw new GraftError("model-invalid", "a layer takes the output of a call that is not there", {
      path: [`layer "${layer}"`],
      actual: `call ${index}`,
    });
  };
  for (const part of model.layers) {
    for (const index of part.calls.keys()) {
      const open: Pick<Reference, "layer" | "call">[] = [{ layer: part.name, call: index }];
      for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
        const key = keyOf(top);
        const state = states.get(key);
        const step = state === "done" ? undefined : stepOf(top);
        const missing = step === undefined ? [] : needs(step).filter((need) => states.get(keyOf(need)) !== "done");
        if (step === undefined || missing.length === 0) {
          if (step !== undefined) steps.push(step);
          states.set(key, "done");
          open.pop();
        } else if (state === "begun") {
          throw new GraftError("model-invalid", "the model's layers form a loop", { path: [`layer "${top.layer}"`] });
        } else {
          states.set(key, "begun");
          open.push(...missing.toReversed());
        }
      }
    }
  }
  return steps;
}
