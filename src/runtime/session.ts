/** @file What both of ONNX Runtime's bindings offer, and the executable made of it: checks, order, state. */
import {
  areCompatible,
  elementCount,
  GraftError,
  isStatic,
  type NumericTensor,
  storageOf,
  type Tensor,
  unreachable,
} from "../tensor/index.ts";
import { failureOf } from "./failure.ts";
import { checkFit, matchState, orderFeeds, showPort } from "./ports.ts";
import type { Executable, Feeds, Port, StatePair } from "./runtime.ts";

export type Named<Value> = Record<string, Value>;

/** A session in its binding's own values. */
export interface Session<Value> {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Whether `run` writes its outputs into the values it is given for them. If so, it must be given all of them. */
  readonly writesInPlace: boolean;
  /** A value over the tensor's own memory. */
  wrap(tensor: Tensor): Value;
  /** The elements of a value, over its own memory where it is reachable. */
  read(value: Value): Promise<Tensor>;
  /** Frees what garbage collection does not. */
  free(value: Value): void;
  run(feeds: Named<Value>, into: Named<Value>): Promise<Named<Value>>;
  release(): Promise<void>;
}

/** A state: what the next run reads, and where it may write what comes after. */
interface Slot<Value> {
  readonly port: Port;
  readonly output: string;
  value: Value;
  spare: Value | undefined;
}

/** An executable over a session. Throws "usage" when a pair names no port, or its two ports or its initial value disagree. */
export function executableOf<Value>(session: Session<Value>, pairs: readonly StatePair[]): Executable {
  const slots = pairs.map((pair) => slotOf(session, pair));
  const inputs = without(session.inputs, pairs, "input");
  const outputs = without(session.outputs, pairs, "output");
  return new SessionExecutable(session, slots, inputs, outputs);
}

class SessionExecutable<Value> implements Executable {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly state: readonly Port[];
  readonly #session: Session<Value>;
  readonly #slots: readonly Slot<Value>[];
  /** Settles when everything asked for so far is done. */
  #last: Promise<unknown> = Promise.resolve();
  #isDisposed = false;

  constructor(
    session: Session<Value>,
    slots: readonly Slot<Value>[],
    inputs: readonly Port[],
    outputs: readonly Port[],
  ) {
    this.#session = session;
    this.#slots = slots;
    this.inputs = inputs;
    this.outputs = outputs;
    this.state = slots.map(({ port }) => port);
  }

  run(feeds: Feeds): Promise<ReadonlyMap<string, Tensor>> {
    return this.#next(async () => {
      const tensors = orderFeeds(this.inputs, feeds);
      const values = named<Value>();
      const into = named<Value>();
      for (const [index, tensor] of tensors.entries())
        values[this.inputs[index]?.name ?? ""] = this.#session.wrap(tensor);
      for (const { port, output, value, spare } of this.#slots) {
        values[port.name] = value;
        if (spare !== undefined) into[output] = spare;
      }
      if (this.#session.writesInPlace) {
        for (const port of this.outputs) into[port.name] = this.#session.wrap(zeros(port));
      }
      const results = await this.#session.run(values, into);
      for (const slot of this.#slots) this.#advance(slot, results[slot.output]);
      return this.#readOutputs(results);
    });
  }

  /** The output becomes the state. What the run has read is free, or room for the output after that. */
  #advance(slot: Slot<Value>, next: Value | undefined): void {
    if (next === undefined) throw new GraftError("runtime-failed", `ONNX Runtime gave no output "${slot.output}"`);
    if (slot.spare === undefined) this.#session.free(slot.value);
    else slot.spare = slot.value;
    slot.value = next;
  }

  async #readOutputs(results: Named<Value>): Promise<ReadonlyMap<string, Tensor>> {
    const outputs = new Map<string, Tensor>();
    for (const { name } of this.outputs) {
      const value = results[name];
      if (value === undefined) throw new GraftError("runtime-failed", `ONNX Runtime gave no output "${name}"`);
      outputs.set(name, await this.#session.read(value));
      this.#session.free(value);
    }
    return outputs;
  }

  readState(): Promise<ReadonlyMap<string, NumericTensor>> {
    return this.#next(async () => {
      const state = new Map<string, NumericTensor>();
      for (const { port, value } of this.#slots) {
        state.set(port.name, copyOf(port, await this.#session.read(value)));
      }
      return state;
    });
  }

  writeState(values: Feeds): Promise<void> {
    return this.#next(async () => {
      const tensors = matchState(this.state, values);
      for (const slot of this.#slots) {
        const tensor = tensors.get(slot.port.name);
        if (tensor === undefined) continue;
        this.#session.free(slot.value);
        slot.value = this.#session.wrap(copyOf(slot.port, tensor));
      }
    });
  }

  async dispose(): Promise<void> {
    if (this.#isDisposed) return;
    const released = this.#next(async () => {
      for (const { value } of this.#slots) this.#session.free(value);
      await this.#session.release();
    });
    this.#isDisposed = true;
    await released;
  }

  /** Does the work when everything asked for earlier has settled, and carries ONNX Runtime's errors. */
  #next<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#isDisposed) return Promise.reject(new GraftError("usage", "the executable has been disposed of"));
    const result = this.#last.then(work).catch((thrown: unknown) => {
      throw failureOf(thrown, "runtime-failed");
    });
    this.#last = result.catch(() => undefined);
    return result;
  }
}

function slotOf<Value>(session: Session<Value>, { input, output, initial }: StatePair): Slot<Value> {
  const path = [`state "${input}"`];
  const from = session.inputs.find(({ name }) => name === input);
  const to = session.outputs.find(({ name }) => name === output);
  if (from === undefined || to === undefined) {
    const role = from === undefined ? "input" : "output";
    throw new GraftError("usage", `the model has no ${role} "${from === undefined ? input : output}"`, {
      path,
      expected: (from === undefined ? session.inputs : session.outputs)
        .map(({ name }) => name)
        .slice(0, 20)
        .join(", "),
    });
  }
  if (from.dtype === "string") throw stringState(input);
  if (initial === undefined && !isStatic(from.shape)) {
    throw new GraftError("usage", "without an initial value the sizes of a state must be known", {
      path,
      actual: showPort(from),
    });
  }
  const start = initial ?? zeros(from);
  checkFit("state", from, start);
  const port = { ...from, shape: start.shape };
  if (to.dtype !== port.dtype || !areCompatible(to.shape, port.shape)) {
    throw new GraftError("usage", `the output "${output}" is not what the input takes`, {
      path,
      expected: showPort(port),
      actual: showPort(to),
    });
  }
  return {
    port,
    output,
    value: session.wrap(initial === undefined ? start : copyOf(port, start)),
    spare: session.writesInPlace ? session.wrap(zeros(port)) : undefined,
  };
}

function without(ports: readonly Port[], pairs: readonly StatePair[], role: "input" | "output"): Port[] {
  const taken = new Set(pairs.map((pair) => pair[role]));
  if (taken.size !== pairs.length) throw new GraftError("usage", `two pairs of state share one ${role}`);
  return ports.filter(({ name }) => !taken.has(name));
}

/** Names come from models: a plain object would take "__proto__" for its prototype. */
function named<Value>(): Named<Value> {
  return Object.create(null) as Named<Value>;
}

/** Throws when a size is open or the elements are strings. */
function zeros({ name, dtype, shape }: Port): NumericTensor {
  if (dtype === "string") throw stringState(name);
  if (!isStatic(shape)) return unreachable(`the size of "${name}" is open`);
  return { dtype, shape, data: new (storageOf(dtype))(elementCount(shape)) };
}

function copyOf({ name }: Port, tensor: Tensor): NumericTensor {
  if (tensor.dtype === "string") throw stringState(name);
  return { ...tensor, data: tensor.data.slice() };
}

function stringState(name: string): GraftError {
  return new GraftError("usage", "a state cannot hold strings", { path: [`state "${name}"`] });
}
