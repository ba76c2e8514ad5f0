/** @file Runs every gradient case of ../shared/conformance/gradients, or of the folders named in GRAFT_CONFORMANCE. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { describe, it } from "vitest";
import { modelWithGradients } from "../../src/model/index.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { nodeRuntime } from "../../src/runtime/onnxruntime-node.ts";
import { numbersOf, type Tensor } from "../../src/tensor/index.ts";
import { expectClose, readNpz } from "../../src/testing/index.ts";

interface Case {
  readonly inputs: readonly string[];
  readonly output: string;
  readonly gradients: readonly string[];
}

const shared = resolve(import.meta.dirname, "../../../shared/conformance/gradients");
const folders = process.env["GRAFT_CONFORMANCE"]?.split(delimiter).filter(Boolean) ?? [shared];
const only = new RegExp(process.env["GRAFT_CASES"] ?? "");

const runtime = await nodeRuntime({ threads: 1 });

/** Relative to the largest element of each gradient; rounding adds up along a whole network. */
function toleranceOf(name: string): number {
  return name.startsWith("net_") ? 1e-3 : 1e-4;
}

/**
 * What rounding leaves of a gradient that is 0 (that of a bias which a normalization takes away again), relative to the
 * largest of all the case's gradients: noise that no other runtime reproduces, and no failure.
 */
const rounding = 1e-6;

function largest(tensor: Tensor): number {
  return numbersOf(tensor).reduce((most, number) => Math.max(most, Math.abs(number)), 0);
}

async function run(folder: string, name: string): Promise<void> {
  const { inputs, output, gradients }: Case = JSON.parse(readFileSync(join(folder, "case.json"), "utf8"));
  const arrays = readNpz(join(folder, "case.npz"));
  const arrayOf = (key: string) => {
    const array = arrays.get(key);
    if (array === undefined) throw new Error(`case.npz has no "${key}"`);
    return array;
  };
  const model = readModel(readFileSync(join(folder, "model.onnx")));
  const derived = modelWithGradients(model, { output, wanted: gradients });
  const executable = await runtime.compile(writeModel(derived));
  try {
    const feeds = new Map(inputs.map((input) => [input, arrayOf(`in:${input}`)]));
    const results = await executable.run(feeds.set("dy", arrayOf("dy")));
    const tolerance = toleranceOf(name);
    expectClose(results.get(output), arrayOf("y"), tolerance, output);
    const overall = Math.max(...gradients.map((wanted) => largest(arrayOf(`grad:${wanted}`))));
    for (const wanted of gradients) {
      const expected = arrayOf(`grad:${wanted}`);
      const allowed = Math.max(tolerance, (rounding * overall) / (largest(expected) || 1));
      expectClose(results.get(`grad:${wanted}`), expected, allowed, `grad:${wanted}`);
    }
  } finally {
    await executable.dispose();
  }
}

for (const folder of folders) {
  describe.skipIf(!existsSync(folder))(`gradients of ${folder}${existsSync(folder) ? "" : " (not here)"}`, () => {
    const names = existsSync(folder) ? readdirSync(folder).sort() : [];
    for (const name of names.filter((each) => existsSync(join(folder, each, "case.json")) && only.test(each))) {
      it(`${name} agrees with its judge`, () => run(join(folder, name), name));
    }
  });
}
