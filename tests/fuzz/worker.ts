/** @file Imports damaged models one after the other, and says which one it is at: it may hang. */
import { parentPort, workerData } from "node:worker_threads";
import { importFuzzer } from "./imports.ts";

const { format, count, first } = workerData as { format: string; count: number; first: number };
const judge = await importFuzzer(format);
for (let seed = first; seed < first + count; seed++) {
  parentPort?.postMessage({ seed });
  const started = performance.now();
  const judgement = await judge(seed);
  parentPort?.postMessage({ seed, judgement, isDone: true, milliseconds: performance.now() - started });
}
