import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countParameters, verify } from "../../graph/index.ts";
import type { Json } from "../../layers/index.ts";
import { GraftError, numbersOf, type Tensor, tensorOf } from "../../tensor/index.ts";
import { readNpz, runGraph } from "../../testing/index.ts";
import { folderFiles } from "../folder-node.ts";
import { importModel } from "../import.ts";
import type { ImportedModel } from "../imported.ts";
import { filesInMemory, type ModelFiles } from "../model-files.ts";
import { zipFiles } from "../zip.ts";

const fixtures = resolve(import.meta.dirname, "../../../tests/fixtures/importers/keras-models");
const shared = resolve(import.meta.dirname, "../../../../shared/conformance/imports");

/** case.json, as make_import_cases.py writes it. */
interface Case {
  readonly file: string;
  readonly tolerance: number;
  readonly trainable_parameters?: number;
  readonly non_trainable_parameters?: number;
  readonly labels?: readonly string[];
}

/** An input in the type that the graph takes; numbers are given as Python saved them. */
function inputFor(tensor: Tensor, dtype: Tensor["dtype"] | undefined): Tensor {
  if (dtype === undefined || dtype === "string" || tensor.dtype === dtype) return tensor;
  return tensorOf(dtype, tensor.shape, numbersOf(tensor));
}

/** The largest difference from what TensorFlow computed, in parts of the larger numbers. */
async function deviationFrom(model: ImportedModel, arrays: ReadonlyMap<string, Tensor>): Promise<number> {
  verify(model.graph);
  const feeds = model.graph.inputs.map(({ name, dtype }, index) => {
    const tensor = arrays.get(`in:${index}`);
    if (tensor === undefined) throw new Error(`the case has no input ${index}`);
    return [name, inputFor(tensor, dtype)] as const;
  });
  const results = await runGraph(model.graph, new Map(feeds));
  let worst = 0;
  for (const [index, { name }] of model.graph.outputs.entries()) {
    const expected = arrays.get(`out:${index}`);
    const actual = results.get(name);
    if (expected === undefined || actual === undefined) throw new Error(`there is no output ${index}`);
    expect(actual.shape).toEqual([...expected.shape]);
    const numbers = numbersOf(actual);
    for (const [position, value] of numbersOf(expected).entries()) {
      const distance = Math.abs(value - (numbers[position] ?? Number.NaN)) / Math.max(1, Math.abs(value));
      worst = Math.max(worst, distance);
    }
  }
  expect(arrays.has(`out:${model.graph.outputs.length}`)).toBe(false);
  return worst;
}

function expectCounts(model: ImportedModel, { trainable_parameters, non_trainable_parameters }: Case): void {
  if (trainable_parameters === undefined) return;
  expect(countParameters(model)).toEqual({ trainable: trainable_parameters, nonTrainable: non_trainable_parameters });
}

async function fixture(name: string): Promise<{ files: ModelFiles; one: Case; arrays: Map<string, Tensor> }> {
  const files = zipFiles(new Uint8Array(readFileSync(resolve(fixtures, name))));
  const { arrays, ...one } = JSON.parse(new TextDecoder().decode(await files.read("case.json")));
  const tensors = Object.entries<{ dtype: never; shape: number[]; data: number[] }>(arrays).map(
    ([key, { dtype, shape, data }]) => [key, tensorOf(dtype, shape, data)] as const,
  );
  return { files, one, arrays: new Map(tensors) };
}

describe("Keras models of every age and form", () => {
  it.each(readdirSync(fixtures))("computes what TensorFlow computes: %s", async (name) => {
    const { files, one, arrays } = await fixture(name);
    const model = await importModel({ files, entry: one.file }, { name });
    expect(await deviationFrom(model, arrays)).toBeLessThanOrEqual(one.tolerance);
    expectCounts(model, one);
    expect(model.remarks.filter((each) => each.includes("does not use"))).toEqual([]);
  });

  const cases = existsSync(shared)
    ? readdirSync(shared).filter((name) => /^(keras[23]_(h5|keras|config)|tfjs_layers|real_(vww|teach))/.test(name))
    : [];
  it.skipIf(cases.length === 0).each(cases)("computes what TensorFlow computes: shared/%s", async (name) => {
    const folder = resolve(shared, name);
    const one: Case = JSON.parse(readFileSync(resolve(folder, "case.json"), "utf8"));
    const path = resolve(folder, one.file);
    const isFolder = statSync(path).isDirectory();
    const files = await folderFiles(isFolder ? path : folder);
    const model = await importModel(isFolder ? { files } : { files, entry: one.file }, { name });
    expect(await deviationFrom(model, readNpz(resolve(folder, "case.npz")))).toBeLessThanOrEqual(one.tolerance);
    expectCounts(model, one);
    expect(model.labels).toEqual(one.labels);
  });
});

describe("texts", () => {
  it.each([
    ["keras3_keras_string_lookup.zip", "StringLookup", ["red", "green", "blue"], [null, 2]],
    ["keras3_keras_text_vectorization.zip", "TextVectorization", ["the", "cat", "a"], [null, 6]],
  ] as const)("are a step before the graph, which takes their numbers: %s", async (name, kind, words, shape) => {
    const { files, one } = await fixture(name);
    const model = await importModel({ files, entry: one.file }, { name });
    const [step] = model.textSteps;
    expect(step?.kind).toBe(kind);
    expect(step?.vocabulary).toEqual(expect.arrayContaining([...words]));
    expect(step?.vocabulary).not.toContain("[UNK]");
    const [input] = model.graph.inputs;
    expect(input?.name).toBe(step?.input);
    expect(input?.dtype).toBe("int64");
    expect(input?.shape?.slice(1)).toEqual(shape.slice(1));
  });
});

/** Values that configs do not have in most places. */
const odd: readonly Json[] = [
  null,
  0,
  -1,
  1,
  3.5,
  1e9,
  -1e9,
  true,
  "",
  "x",
  "same",
  "relu",
  "__proto__",
  [],
  {},
  [[]],
  [1, 2],
  ["a", 0, 0],
  { class_name: "Dense", config: {} },
];

/** The JSON with one of its values, counted in the order of their appearance, put in another's place. */
function withOdd(json: Json, place: number, value: Json): Json {
  let count = 0;
  const visit = (each: Json): Json => {
    if (count++ === place) return value;
    if (Array.isArray(each)) return each.map(visit);
    if (typeof each !== "object" || each === null) return each;
    return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, visit(inner)]));
  };
  return visit(json);
}

describe("a stranger's config", () => {
  it.each(["keras3_keras_recurrent_masked.zip", "keras2_keras_nested_partly_frozen.zip", "keras3_keras_ops_more.zip"])(
    "ends with a model or with an error that says why: %s",
    async (name) => {
      const { files, one } = await fixture(name);
      const archive = zipFiles(await files.read(one.file));
      const members = new Map<string, Uint8Array>();
      for (const member of archive.names) members.set(member, await archive.read(member));
      const config: Json = JSON.parse(new TextDecoder().decode(members.get("config.json")));
      const numbers = fc.tuple(fc.nat({ max: 3000 }), fc.constantFrom(...odd));
      const changed = fc.asyncProperty(fc.array(numbers, { minLength: 1, maxLength: 3 }), async (changes) => {
        const mutated = changes.reduce<Json>((json, [place, value]) => withOdd(json, place, value), config);
        members.set("config.json", new TextEncoder().encode(JSON.stringify(mutated)));
        const error: unknown = await importModel({ files: filesInMemory(members) }, { name }).then(
          () => undefined,
          (caught: unknown) => caught,
        );
        if (error === undefined) return;
        expect(error).toBeInstanceOf(GraftError);
        expect(["model-invalid", "model-refused"]).toContain((error as GraftError).code);
      });
      await fc.assert(changed, { numRuns: 60, seed: 5 });
    },
  );
});
