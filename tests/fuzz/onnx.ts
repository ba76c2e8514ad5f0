/** @file Damaged ONNX files through reading and writing: each is read, or refused by an error that names it and says why. */
import { GraftError, readModel, writeModel } from "graftwork";
import { randomNumbers } from "../../src/tensor/index.ts";
import { onnxFixtures } from "../fixtures/onnx/fixtures.ts";
import { mutate } from "./mutate.ts";

const models = [...onnxFixtures("models")];

export interface FuzzReport {
  readonly cases: number;
  readonly accepted: number;
  readonly slowest: { readonly milliseconds: number; readonly name: string };
  /** What must not be: other errors, errors without file or reason, files that change when written twice. */
  readonly failures: readonly string[];
}

/** Reads `count` damaged files, the first with the seed `first`. The same numbers give the same files. */
export function fuzzOnnx(count: number, first: number): FuzzReport {
  const failures: string[] = [];
  let accepted = 0;
  let slowest = { milliseconds: 0, name: "" };
  for (let seed = first; seed < first + count; seed++) {
    const next = randomNumbers(seed);
    const pick = () => models[Math.floor(next() * models.length)] ?? ["", new Uint8Array(0)];
    const [name, bytes] = pick();
    const damaged = mutate(bytes, pick()[1], next);
    const path = `${name}, seed ${seed}`;
    const started = performance.now();
    const failure = judge(damaged, path);
    const milliseconds = performance.now() - started;
    if (milliseconds > slowest.milliseconds) slowest = { milliseconds, name: path };
    if (failure === undefined) accepted++;
    else if (failure !== "") failures.push(failure);
  }
  return { cases: count, accepted, slowest, failures };
}

/** `undefined` when the file was read, `""` when it was refused well, else what went wrong. */
export function judge(bytes: Uint8Array, path: string): string | undefined {
  let written: Uint8Array;
  try {
    written = writeModel(readModel(bytes, { path }));
  } catch (error) {
    if (!(error instanceof GraftError)) return `${path}: ${error instanceof Error ? (error.stack ?? error) : error}`;
    const isNamed = error.path[0] === path && error.message.startsWith(path) && error.reason !== "";
    return isNamed ? "" : `${path}: the error names no file or no reason: ${error.message}`;
  }
  try {
    const again = writeModel(readModel(written, { path }));
    if (Buffer.compare(written, again) !== 0) return `${path}: a second round trip gives other bytes`;
  } catch (error) {
    return `${path}: what was written cannot be read: ${error}`;
  }
  return undefined;
}
