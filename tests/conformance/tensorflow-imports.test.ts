import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { folderFiles } from "../../src/importers/folder-node.ts";
import type { ImportedModel } from "../../src/importers/index.ts";
import { importSavedModel, importTfjsGraph } from "../../src/importers/tensorflow/index.ts";
import { GraftError, type Tensor } from "../../src/tensor/index.ts";
import { deviation, readNpz, runGraph } from "../../src/testing/index.ts";

/** Models that TensorFlow saved, with what it computes: shared/conformance/imports. */
const folder = fileURLToPath(new URL("../../../shared/conformance/imports/", import.meta.url));

interface Case {
  readonly name: string;
  readonly format?: string;
  readonly file: string;
  readonly refused?: boolean;
  readonly error_mentions?: readonly string[];
  readonly tolerance: number;
  readonly trainable_parameters?: number;
  readonly non_trainable_parameters?: number;
}

const formats: ReadonlySet<string | undefined> = new Set(["savedmodel", "export", "tfjs-graph"]);
const cases = (existsSync(folder) ? readdirSync(folder) : [])
  .filter((name) => existsSync(`${folder}${name}/case.json`))
  .map((name): Case => JSON.parse(readFileSync(`${folder}${name}/case.json`, "utf8")) as Case)
  .filter(({ format, name }) => formats.has(format) || name === "refuse_savedmodel_without_variables");

async function imported({ name, file }: Case): Promise<ImportedModel> {
  const path = `${folder}${name}/${file}`;
  if (!file.endsWith(".json")) return await importSavedModel(await folderFiles(path), { name });
  const end = path.lastIndexOf("/");
  return await importTfjsGraph(await folderFiles(path.slice(0, end)), path.slice(end + 1), { name });
}

function parameters({ graph, layers }: ImportedModel, isTrained: boolean): number {
  const sizes = new Map([...graph.initializers].map(([{ name }, { data }]) => [name, data.length]));
  const weights = layers.flatMap(({ weights, trainable }) =>
    weights.filter((weight) => (weight.isTrainable && trainable !== false) === isTrained).map(({ name }) => name),
  );
  return [...new Set(weights)].reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
}

describe.skipIf(cases.length === 0)("TensorFlow's files (skipped where shared/conformance is not there)", () => {
  it.each(cases.filter(({ refused }) => refused !== true))("$name computes what TensorFlow computes", async (each) => {
    const model = await imported(each);
    const arrays = readNpz(`${folder}${each.name}/case.npz`);
    const array = (key: string): Tensor => arrays.get(key) ?? expect.fail(`no ${key}`);
    const { graph } = model;
    const results = await runGraph(graph, new Map(graph.inputs.map(({ name }, index) => [name, array(`in:${index}`)])));
    for (const [index, { name }] of graph.outputs.entries()) {
      const result = results.get(name) ?? expect.fail(`no ${name}`);
      expect(deviation(result, array(`out:${index}`))).toBeLessThan(each.tolerance);
    }
    if (each.trainable_parameters === undefined) return;
    expect(parameters(model, true)).toBe(each.trainable_parameters);
    expect(parameters(model, false)).toBe(each.non_trainable_parameters);
  });

  it.each(cases.filter(({ refused }) => refused === true))("$name is refused in words that help", async (each) => {
    const error = await imported(each).then(
      () => expect.fail("it was imported"),
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(GraftError);
    for (const word of each.error_mentions ?? []) expect(String(error)).toContain(word);
  });
});
