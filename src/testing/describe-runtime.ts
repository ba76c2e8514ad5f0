/** @file The conformance suite of the runtime room: one suite, every implementation. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Executable, Runtime, StatePair } from "../runtime/index.ts";
import { float32, GraftError, numbersOf, type Tensor, tensorOf } from "../tensor/index.ts";

const fixtures = new URL("../runtime/fixtures/", import.meta.url);

/** The bytes of a model that `src/runtime/fixtures/make.py` made. */
export function runtimeFixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${name}.onnx`, fixtures)));
}

/** Holds a runtime to its interface. A test whose title is in `skips` is skipped; the value says why. */
export function describeRuntime(
  name: string,
  makeRuntime: () => Promise<Runtime>,
  skips: Readonly<Record<string, string>> = {},
): void {
  // The engine starts once: on wasm that takes seconds.
  let runtime: Promise<Runtime> | undefined;
  const compile = async (
    model: string,
    ...options: Parameters<Runtime["compile"]> extends [unknown, ...infer Rest] ? Rest : never
  ) => {
    runtime ??= makeRuntime();
    return (await runtime).compile(runtimeFixture(model), ...options);
  };
  const test = (title: string, body: () => Promise<void>): void => {
    const reason = skips[title];
    if (reason === undefined) it(title, body);
    else it.skip(`${title} (${reason})`, body);
  };

  describe(name, () => {
    test("says what it is", async () => {
      const { name: engine, version, device, threads } = await makeRuntime();
      expect(engine).toMatch(/^onnxruntime-/);
      expect(version).toMatch(/^\d+\.\d+\.\d+/);
      expect(["cpu", "webgpu"]).toContain(device);
      expect(threads).toBeGreaterThanOrEqual(1);
    });

    test("names inputs and outputs with types and shapes", async () => {
      const { inputs, outputs, state } = await compile("affine");
      expect(inputs).toEqual([
        { name: "x", dtype: "float32", shape: ["N", 3] },
        { name: "w", dtype: "float32", shape: [3, 2] },
      ]);
      expect(outputs).toEqual([{ name: "y", dtype: "float32", shape: ["N", 2] }]);
      expect(state).toEqual([]);
    });

    test("runs a model at several batch sizes", async () => {
      const executable = await compile("affine");
      const w = tensorOf("float32", [3, 2], [1, 0, 0, 1, 1, 1]);
      const y = async (x: Tensor): Promise<Tensor | undefined> => (await executable.run({ x, w })).get("y");
      expect(await y(tensorOf("float32", [1, 3], [1, 2, 3]))).toEqual(tensorOf("float32", [1, 2], [4, 5]));
      expect(await y(tensorOf("float32", [2, 3], [1, 2, 3, 4, 5, 6]))).toEqual(
        tensorOf("float32", [2, 2], [4, 5, 10, 11]),
      );
      expect(await y(tensorOf("float32", [0, 3], []))).toEqual(tensorOf("float32", [0, 2], []));
    });

    test("takes feeds as a map and as a view into a larger buffer", async () => {
      const executable = await compile("affine");
      const buffer = Float32Array.of(9, 9, 1, 2, 3, 9);
      const feeds = new Map<string, Tensor>([
        ["x", float32([1, 3], buffer.subarray(2, 5))],
        ["w", tensorOf("float32", [3, 2], [1, 0, 0, 1, 1, 1])],
      ]);
      expect((await executable.run(feeds)).get("y")).toEqual(tensorOf("float32", [1, 2], [4, 5]));
    });

    test("gives outputs that later runs leave alone", async () => {
      const executable = await compile("momentum", { state: momentum });
      const first = (await executable.run(rate(0.25))).get("loss");
      const before = first && numbersOf(first);
      await executable.run(rate(0.25));
      await executable.run(rate(0.25));
      expect(first && numbersOf(first)).toEqual(before);
    });

    for (const model of ["types", "typesFixed"]) {
      test(`passes every element type both ways (${model})`, async () => {
        const executable = await compile(model);
        const feeds = new Map(executable.inputs.map(({ name: input }) => [input, sample(input)]));
        expect(feeds.size).toBe(model === "types" ? 13 : 12);
        const outputs = await executable.run(feeds);
        for (const [input, tensor] of feeds) expect(outputs.get(`${input}Out`), input).toEqual(tensor);
      });
    }

    describe("state", () => {
      test("stays between runs", async () => {
        const executable = await compile("momentum", { state: momentum });
        expect(executable.inputs.map((port) => port.name)).toEqual(["target", "rate"]);
        expect(executable.outputs.map((port) => port.name)).toEqual(["loss"]);
        expect(executable.state.map((port) => port.name)).toEqual(["w", "v"]);
        const losses: number[] = [];
        for (let step = 0; step < 4; step++) losses.push(await loss(executable));
        const expected = descend(4);
        expect(losses).toEqual(expected.losses);
        expect(await stateOf(executable)).toEqual(expected.state);
      });

      test("starts at the values given, copied, and at zeros where none are", async () => {
        const initial = tensorOf("float32", [2], [3, 4]);
        const executable = await compile("momentum", { state: [{ ...momentumW, initial }, momentumV] });
        initial.data.fill(0 as never);
        expect(await stateOf(executable)).toEqual({ w: [3, 4], v: [0, 0] });
        await executable.run(rate(0.25));
        await executable.run(rate(0.25));
        expect(numbersOf(initial)).toEqual([0, 0]);
      });

      for (const model of ["rotate", "rotateOpen"]) {
        test(`is never written where it is still read (${model})`, async () => {
          const names = model === "rotate" ? ["a", "b", "c"] : ["a", "b"];
          const state = names.map((input, index) => ({
            input,
            output: `${input}Next`,
            initial: tensorOf("float32", [2], [index, 10 * index]),
          }));
          const executable = await compile(model, { state });
          const feeds = model === "rotate" ? {} : { x: tensorOf("float32", [1], [7]) };
          for (let step = 1; step <= 5; step++) {
            await executable.run(feeds);
            const expected = names.map((input, index) => {
              const source = (index + step) % names.length;
              return [input, [source, 10 * source]];
            });
            expect(await stateOf(executable), `after ${step} runs`).toEqual(Object.fromEntries(expected));
          }
        });
      }

      test("can be read, which copies it, and written", async () => {
        const executable = await compile("momentum", { state: momentum });
        const before = await executable.readState();
        await executable.writeState({ w: tensorOf("float32", [2], [1, -2]) });
        expect(await loss(executable)).toBe(0);
        expect(numbersOf(before.get("w") ?? missing())).toEqual([0, 0]);
        expect(await stateOf(executable)).toEqual({ w: [1, -2], v: [0, 0] });
      });

      test("goes on from where it was read as if never interrupted", async () => {
        const whole = await compile("momentum", { state: momentum });
        const half = await compile("momentum", { state: momentum });
        for (let step = 0; step < 3; step++) {
          await loss(whole);
          await loss(half);
        }
        const resumed = await compile("momentum", { state: momentum });
        await resumed.writeState(await half.readState());
        for (let step = 0; step < 3; step++) expect(await loss(resumed)).toBe(await loss(whole));
      });

      test("is as it was after a run that failed", async () => {
        const executable = await compile("fails", { state: [{ input: "s", output: "sNext" }] });
        await executable.run({ x: tensorOf("float32", [2, 2], [1, 2, 3, 4]) });
        await failureOf(executable.run({ x: tensorOf("float32", [3, 2], [1, 2, 3, 4, 5, 6]) }));
        expect(await stateOf(executable)).toEqual({ s: [1, 1, 1, 1] });
        await executable.run({ x: tensorOf("float32", [2, 2], [1, 2, 3, 4]) });
        expect(await stateOf(executable)).toEqual({ s: [2, 2, 2, 2] });
      });

      test("advances in the order of the calls when nobody waits", async () => {
        const executable = await compile("momentum", { state: momentum });
        const runs = [1, 2, 3, 4].map(() => loss(executable));
        const between = stateOf(executable);
        const after = loss(executable);
        expect([...(await Promise.all(runs)), await after]).toEqual(descend(5).losses);
        expect(await between).toEqual(descend(4).state);
      });

      test("is refused when it does not fit the model", async () => {
        const at = async (...state: StatePair[]): Promise<string> =>
          (await failureOf(compile("momentum", { state }))).message;
        expect(await at({ input: "nope", output: "wNext" })).toMatchInlineSnapshot(
          `"state "nope": the model has no input "nope"; expected target, rate, w, v"`,
        );
        expect(await at({ input: "w", output: "nope" })).toMatchInlineSnapshot(
          `"state "w": the model has no output "nope"; expected loss, wNext, vNext"`,
        );
        expect(await at(momentumW, { input: "v", output: "wNext" })).toMatchInlineSnapshot(
          `"two pairs of state share one output"`,
        );
        expect(await at({ input: "w", output: "loss" })).toMatchInlineSnapshot(
          `"state "w": the output "loss" is not what the input takes; expected float32 [2], found float32 []"`,
        );
        expect(await at({ ...momentumW, initial: tensorOf("float32", [3], [1, 2, 3]) })).toMatchInlineSnapshot(
          `"state "w": the tensor does not fit; expected float32 [2], found float32 [3]"`,
        );
        const open = { input: "a", output: "aNext" };
        expect((await failureOf(compile("rotate", { state: [open] }))).message).toMatchInlineSnapshot(
          `"state "a": without an initial value the sizes of a state must be known; found float32 [N]"`,
        );
        const strings = { input: "string", output: "stringOut" };
        expect((await failureOf(compile("types", { state: [strings] }))).message).toMatchInlineSnapshot(
          `"state "string": a state cannot hold strings"`,
        );
      });

      test("is not written when a name, a type or a size does not fit", async () => {
        const executable = await compile("momentum", { state: momentum });
        const w = tensorOf("float32", [2], [5, 5]);
        const at = async (values: Record<string, Tensor>): Promise<string> =>
          (await failureOf(executable.writeState(values))).message;
        expect(await at({ w, target: w })).toMatchInlineSnapshot(
          `"state "target": there is no such state; expected w, v"`,
        );
        expect(await at({ w, v: tensorOf("float32", [3], [1, 2, 3]) })).toMatchInlineSnapshot(
          `"state "v": the tensor does not fit; expected float32 [2], found float32 [3]"`,
        );
        expect(await at({ w, v: tensorOf("float64", [2], [1, 2]) })).toMatchInlineSnapshot(
          `"state "v": the tensor does not fit; expected float32 [2], found float64 [2]"`,
        );
        expect(await stateOf(executable)).toEqual({ w: [0, 0], v: [0, 0] });
      });
    });

    describe("mistakes in feeds are named", () => {
      const x = tensorOf("float32", [1, 3], [1, 2, 3]);
      const w = tensorOf("float32", [3, 2], [1, 2, 3, 4, 5, 6]);
      const at = async (feeds: Record<string, Tensor>): Promise<GraftError> =>
        failureOf((await compile("affine")).run(feeds));

      test("a missing one", async () => {
        const failure = await at({ x });
        expect(failure).toMatchObject({ code: "usage", path: ['input "w"'], expected: "float32 [3, 2]" });
        expect(failure.message).toMatchInlineSnapshot(
          `"input "w": this input was not fed; expected float32 [3, 2]; fed: x"`,
        );
      });

      test("an unknown one", async () => {
        const failure = await at({ x, w, learningRate: x });
        expect(failure).toMatchObject({ code: "usage", path: ['input "learningRate"'] });
        expect(failure.message).toMatchInlineSnapshot(`"input "learningRate": there is no such input; expected x, w"`);
      });

      test("another type", async () => {
        const failure = await at({ x: tensorOf("int64", [1, 3], [1, 2, 3]), w });
        expect(failure).toMatchObject({ code: "usage", expected: "float32 [N, 3]", actual: "int64 [1, 3]" });
      });

      test("another size, another rank", async () => {
        expect(await at({ x: tensorOf("float32", [1, 2], [1, 2]), w })).toMatchObject({ actual: "float32 [1, 2]" });
        expect(await at({ x: tensorOf("float32", [3], [1, 2, 3]), w })).toMatchObject({ actual: "float32 [3]" });
      });

      test("elements that do not fill the shape", async () => {
        const failure = await at({ x: float32([1, 3], new Float32Array(2)), w });
        expect(failure).toMatchObject({ code: "usage", expected: "3 elements for [1, 3]", actual: "2" });
      });

      test("an array that is not the type's", async () => {
        const failure = await at({ x: { dtype: "float32", shape: [1, 3], data: new Float64Array(3) }, w });
        expect(failure).toMatchObject({ code: "usage", path: ['input "x"'] });
      });

      test("strings that are not UTF-8", async () => {
        const executable = await compile("types");
        const feeds = new Map(executable.inputs.map(({ name: input }) => [input, sample(input)]));
        feeds.set("string", { dtype: "string", shape: [1], data: [Uint8Array.of(0xff)] });
        expect(await failureOf(executable.run(feeds))).toMatchObject({ code: "usage" });
      });
    });

    describe("errors of ONNX Runtime carry the node's own name", () => {
      test("from a run", async () => {
        const executable = await compile("fails", { state: [{ input: "s", output: "sNext" }] });
        const failure = await failureOf(executable.run({ x: tensorOf("float32", [3, 1], [1, 2, 3]) }));
        expect(failure).toMatchObject({ code: "runtime-failed", path: [`MatMul "it's (a) 'name'"`] });
        expect(failure.reason).toBe("MatMul dimension mismatch");
        expect(failure.cause).toBeInstanceOf(Error);
      });

      test("an operator it does not know", async () => {
        const failure = await failureOf(compile("unknownOperator"));
        expect(failure.code).toBe("model-invalid");
        expect(failure.reason).toBe("No Op registered for Frobnicate with domain_version of 21");
        expect(failure.hint).toMatch(/does not know the operator/);
      });

      test("types that do not go together", async () => {
        expect(await failureOf(compile("typeMismatch"))).toMatchObject({ code: "model-invalid", path: ['Add "plus"'] });
      });

      for (const model of ["unknownOperator", "unknownAttribute", "shapeMismatch"]) {
        test(`while making a session (${model})`, async () => {
          const names = {
            unknownOperator: 'Frobnicate "frob"',
            unknownAttribute: 'Relu "rectify"',
            shapeMismatch: 'MatMul "times"',
          };
          const failure = await failureOf(compile(model));
          expect(failure).toMatchObject({ code: "model-invalid", path: [names[model as keyof typeof names]] });
        });
      }
    });

    describe("refuses", () => {
      test("bytes that are no model", async () => {
        runtime ??= makeRuntime();
        const { compile: make } = await runtime;
        for (const text of ["", "<!doctype html><html></html>", "\u0008"]) {
          expect(await failureOf(make(new TextEncoder().encode(text))), text).toMatchObject({ code: "model-invalid" });
        }
        const cut = runtimeFixture("momentum").subarray(0, 200);
        expect(await failureOf(make(cut))).toMatchObject({ code: "model-invalid" });
      });

      test("a model with data in files, also within a branch", async () => {
        expect(await failureOf(compile("external"))).toMatchObject({ code: "model-refused", path: ['tensor "w"'] });
        expect(await failureOf(compile("externalBranch"))).toMatchObject({
          code: "model-refused",
          path: ['tensor "hidden"'],
        });
      });

      test("a model whose outputs cannot pass", async () => {
        expect(await failureOf(compile("bfloat16"))).toMatchObject({ code: "model-refused" });
        expect(await failureOf(compile("sequence"))).toMatchObject({ code: "model-refused" });
      });

      test("work after disposal, though not what was asked before it", async () => {
        const executable = await compile("momentum", { state: momentum });
        const asked = loss(executable);
        await executable.dispose();
        expect(await asked).toBe(5);
        await executable.dispose();
        expect(await failureOf(executable.run(rate(1)))).toMatchObject({ code: "usage" });
        expect(await failureOf(executable.readState())).toMatchObject({ code: "usage" });
      });
    });

    test("runs models older than opset 11", async () => {
      const executable = await compile("opset9");
      const outputs = await executable.run({ x: tensorOf("float32", [2], [-1, 2]) });
      expect(outputs.get("y")).toEqual(tensorOf("float32", [2], [0, 2]));
    });

    for (const optimization of ["disabled", "basic", "extended", "layout", "all"] as const) {
      test(`runs at optimization level ${optimization}`, async () => {
        const executable = await compile("momentum", { state: momentum, optimization });
        expect(await loss(executable)).toBe(5);
      });
    }
  });
}

const momentumW: StatePair = { input: "w", output: "wNext" };
const momentumV: StatePair = { input: "v", output: "vNext" };
const momentum: readonly StatePair[] = [momentumW, momentumV];

function rate(learningRate: number): Record<string, Tensor> {
  return { target: tensorOf("float32", [2], [1, -2]), rate: tensorOf("float32", [], [learningRate]) };
}

async function loss(executable: Executable): Promise<number> {
  const outputs = await executable.run(rate(0.25));
  return numbersOf(outputs.get("loss") ?? missing())[0] ?? Number.NaN;
}

/** The model "momentum" in JavaScript, towards [1, -2] at the rate 1/4. Every number is an exact binary fraction. */
function descend(steps: number): { losses: number[]; state: Record<"w" | "v", number[]> } {
  const target = [1, -2];
  let w = [0, 0];
  let v = [0, 0];
  const losses = Array.from({ length: steps }, () => {
    const distance = w.map((value, index) => value - (target[index] ?? 0));
    v = v.map((value, index) => value / 2 + 2 * (distance[index] ?? 0));
    w = w.map((value, index) => value - (v[index] ?? 0) / 4);
    return distance.reduce((sum, value) => sum + value * value, 0);
  });
  return { losses, state: { w, v } };
}

async function stateOf(executable: Executable): Promise<Record<string, number[]>> {
  const state = await executable.readState();
  return Object.fromEntries([...state].map(([name, tensor]) => [name, numbersOf(tensor)]));
}

/** Two elements at the edge of what the type holds. */
function sample(dtype: string): Tensor {
  switch (dtype) {
    case "string":
      return { dtype, shape: [2], data: [new TextEncoder().encode("Blüte"), new Uint8Array(0)] };
    case "float32":
      return tensorOf(dtype, [2], [Math.fround(0.1), Number.NEGATIVE_INFINITY]);
    case "float64":
      return tensorOf(dtype, [2], [0.1, Number.MAX_VALUE]);
    case "float16":
      return tensorOf(dtype, [2], [65504, -(2 ** -24)]);
    case "int8":
    case "int16":
    case "int32": {
      const highest = 2 ** (Number(dtype.slice(3)) - 1) - 1;
      return tensorOf(dtype, [2], [highest, -highest - 1]);
    }
    case "uint8":
    case "uint16":
    case "uint32":
      return tensorOf(dtype, [2], [2 ** Number(dtype.slice(4)) - 1, 0]);
    case "int64":
      return { dtype, shape: [2], data: BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n)) };
    case "uint64":
      return { dtype, shape: [2], data: BigUint64Array.of(2n ** 64n - 1n, 1n) };
    case "bool":
      return tensorOf(dtype, [2], [1, 0]);
    default:
      throw new Error(`no sample of ${dtype}`);
  }
}

async function failureOf(promise: Promise<unknown>): Promise<GraftError> {
  const outcome = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(outcome).toBeInstanceOf(GraftError);
  return outcome as GraftError;
}

function missing(): never {
  throw new Error("the output is missing");
}
