/**
 * @file Read, write, run: ONNX Runtime must give the same bits for what we write as for the original, and a second round
 * trip the same bytes. Judges every model in ../shared, or in the folders of GRAFT_CONFORMANCE, and every small fixture.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { randomNumbers } from "../../src/tensor/index.ts";
import { onnxFixtures } from "../fixtures/onnx/fixtures.ts";

process.env["ORT_DISABLE_TELEMETRY"] = "1";
const { InferenceSession, Tensor } = await import("onnxruntime-node");

const quiet = { logSeverityLevel: 4, intraOpNumThreads: 1 } as const;
type Feeds = Record<string, InstanceType<typeof Tensor>>;

/** Numbers from a seed for every input; unknown sizes become 2. */
function feedsFor(session: Awaited<ReturnType<typeof InferenceSession.create>>): Feeds {
  const next = randomNumbers(7);
  const feeds: Feeds = {};
  for (const input of session.inputMetadata) {
    if (!input.isTensor) throw new Error(`input ${input.name} is no tensor`);
    const shape = input.shape.map((size) => (typeof size === "number" && size > 0 ? size : 2));
    const count = shape.reduce((product, size) => product * size, 1);
    const numbers = Array.from({ length: count }, () => next() * 2 - 1);
    feeds[input.name] = tensorOf(input.type, numbers, shape);
  }
  return feeds;
}

function tensorOf(type: string, numbers: readonly number[], shape: number[]): Feeds[string] {
  switch (type) {
    case "float32":
      return new Tensor("float32", Float32Array.from(numbers), shape);
    case "float64":
      return new Tensor("float64", Float64Array.from(numbers), shape);
    case "float16":
      // Bits between 0 and 1 in binary16.
      return new Tensor(
        "float16",
        Uint16Array.from(numbers, (number) => Math.abs(number) * 0x3c00),
        shape,
      );
    case "int64":
      return new Tensor(
        "int64",
        BigInt64Array.from(numbers, (number) => BigInt(Math.floor(Math.abs(number) * 2))),
        shape,
      );
    case "int32":
      return new Tensor(
        "int32",
        Int32Array.from(numbers, (number) => number * 3),
        shape,
      );
    case "uint8":
      return new Tensor(
        "uint8",
        Uint8Array.from(numbers, (number) => Math.abs(number) * 255),
        shape,
      );
    case "bool":
      return new Tensor(
        "bool",
        Uint8Array.from(numbers, (number) => (number > 0 ? 1 : 0)),
        shape,
      );
    default:
      throw new Error(`no input of type ${type} can be made up`);
  }
}

/** Each output as its type, its sizes and its bytes. */
async function outputsOf(bytes: Uint8Array, feeds?: Feeds): Promise<readonly [Feeds, Record<string, unknown>]> {
  const session = await InferenceSession.create(bytes, quiet);
  try {
    const given = feeds ?? feedsFor(session);
    const results = await session.run(given);
    const outputs = session.outputNames.map((name) => {
      const result = results[name];
      if (result === undefined) throw new Error(`no output ${name}`);
      return [name, { type: result.type, dims: result.dims, bytes: bytesOf(result.data) }];
    });
    return [given, Object.fromEntries(outputs)];
  } finally {
    await session.release();
  }
}

function bytesOf(data: ArrayLike<unknown>): string {
  if (!ArrayBuffer.isView(data)) return JSON.stringify(data);
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1");
}

async function judge(bytes: Uint8Array, path: string): Promise<void> {
  const written = writeModel(readModel(bytes, { path }));
  expect(Buffer.compare(writeModel(readModel(written, { path })), written), "a second round trip").toBe(0);
  const [feeds, expected] = await outputsOf(bytes);
  const [, actual] = await outputsOf(written, feeds);
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  // Not by `toEqual`, whose report of a difference takes minutes for megabytes.
  const equal = Object.keys(expected).map((name) => JSON.stringify(actual[name]) === JSON.stringify(expected[name]));
  expect(equal).not.toContain(false);
}

const shared = resolve(import.meta.dirname, "../../../shared");
const given = process.env["GRAFT_CONFORMANCE"]?.split(delimiter).filter(Boolean);
const folders = given ?? [join(shared, "conformance/gradients"), join(shared, "models")];
const only = new RegExp(process.env["GRAFT_CASES"] ?? "");

function modelsIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .map((entry) => (entry.isDirectory() ? join(entry.name, "model.onnx") : entry.name))
    .filter((name) => name.endsWith(".onnx") && only.test(name) && existsSync(join(folder, name)))
    .sort();
}

for (const folder of folders) {
  const isHere = existsSync(folder);
  describe.skipIf(!isHere)(`round trip of ${folder}${isHere ? "" : " (not here)"}`, () => {
    for (const name of modelsIn(folder)) {
      it(`${name} computes the same bits`, () => judge(readFileSync(join(folder, name)), name));
    }
  });
}

/** What ONNX Runtime's interface for Node cannot hand over, or does otherwise for the older form. */
const reasons: readonly (readonly [name: RegExp, reason: string])[] = [
  [/^dtype_(bfloat16|complex|float4|float8|int2|int4|uint2|uint4)/, "its values do not reach JavaScript"],
  [/^dropout_10_mask$/, "ONNX Runtime gives old dropouts an empty mask, and a full one since 12"],
];

describe("round trip of small models of every operator set", () => {
  for (const [name, bytes] of onnxFixtures("models")) {
    const reason = reasons.find(([pattern]) => pattern.test(name))?.[1];
    if (reason === undefined) it(`${name} computes the same bits`, () => judge(bytes, name));
    else it.skip(`${name}: ${reason}`, () => undefined);
  }

  it("gives the same bytes the second time also for types that do not reach JavaScript", () => {
    for (const [name, bytes] of onnxFixtures("models")) {
      const written = writeModel(readModel(bytes));
      expect(Buffer.compare(writeModel(readModel(written)), written), name).toBe(0);
    }
  });
});
