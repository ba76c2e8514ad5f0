/** @file Models that other systems saved compute here what they compute there, and those that cannot are refused in words. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { countParameters } from "../../src/graph/index.ts";
import { readSource } from "../../src/model/read-source-node.ts";
import { GraftError, type NumericTensor } from "../../src/tensor/index.ts";
import { expectClose, readNpz, runGraph } from "../../src/testing/index.ts";
import { type ImportCase, importCases } from "./import-cases.ts";

const accepted = importCases.filter(({ refused }) => refused !== true);
const refused = importCases.filter((each) => each.refused === true);

function arraysOf(each: ImportCase, side: "in" | "out"): NumericTensor[] {
  const arrays = readNpz(join(each.folder, "case.npz"));
  return [...arrays.keys()]
    .filter((key) => key.startsWith(`${side}:`))
    .sort((a, b) => Number(a.split(":")[1]) - Number(b.split(":")[1]))
    .map((key) => arrays.get(key) ?? expect.fail(key));
}

describe.skipIf(importCases.length === 0)("import cases (skipped where shared/conformance is not there)", () => {
  it.each(accepted)("$name computes what the system computes that saved it", async (each) => {
    const model = await readSource(join(each.folder, each.file));
    const { inputs, outputs } = model.graph;
    const [given, wanted] = [arraysOf(each, "in"), arraysOf(each, "out")];
    expect(inputs.map(({ dtype }) => dtype)).toEqual(given.map(({ dtype }) => dtype));
    expect(outputs).toHaveLength(wanted.length);
    const feeds = new Map(inputs.map(({ name }, index) => [name, given[index] ?? expect.fail(name)]));
    const results = await runGraph(model.graph, feeds);
    for (const [index, { name }] of outputs.entries()) {
      const expected = wanted[index] ?? expect.fail(name);
      expectClose(results.get(name), expected, each.tolerance, name);
    }
    if (each.labels !== undefined) expect(model.labels).toEqual(each.labels);
    if (each.trainable_parameters === undefined) return;
    expect(countParameters(model)).toEqual({
      trainable: each.trainable_parameters,
      nonTrainable: each.non_trainable_parameters,
    });
  });

  it.each(refused)("$name is refused with its file and a reason", async (each) => {
    const path = join(each.folder, each.file);
    expect(existsSync(path)).toBe(true);
    const error = await readSource(path).then(
      () => expect.fail("it was read"),
      (cause: unknown) => cause,
    );
    if (!(error instanceof GraftError)) throw error;
    expect(["model-refused", "model-invalid"]).toContain(error.code);
    expect(error.message.startsWith(`${path}: `)).toBe(true);
    for (const word of each.error_mentions ?? []) expect(error.message).toContain(word);
  });
});
