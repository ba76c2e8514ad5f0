/** @file One side of the benchmark: Graftwork's training steps, answering the same lines as bench/peers/protocol.py. */
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import {
  buildTrainingStep,
  cutBefore,
  type Feeds,
  inferShapes,
  onnxModelOf,
  removeDeadNodes,
  sgd,
  softmaxCrossEntropy,
  type Tensor,
  writeModel,
} from "graftwork";
import { nodeRuntime } from "graftwork/node";
import { drawer, mobileNetV2 } from "./mobileNetV2.ts";

const option = (name: string, fallback: number) => {
  const index = process.argv.indexOf(`--${name}`);
  return index < 0 ? fallback : Number(process.argv[index + 1]);
};
const [threads, batch, size] = [option("threads", 2), option("batch", 32), option("size", 160)];
const profile = process.env["GRAFT_PROFILE"];
/** Pictures that go through the graph at once: fewer than the batch hold less memory. */
const microBatch = option("micro-batch", batch);

/** The first of the six blocks that the `top6` rows train: Keras's block_11. */
const lowerBlocks = 11;
const runtime = await nodeRuntime({ threads });

interface Prepared {
  /** Takes one whole step. */
  readonly step: () => Promise<unknown>;
  readonly buildMilliseconds: number;
  readonly dispose: () => Promise<void>;
}

async function prepare(row: string): Promise<Prepared> {
  const { graph, boundaries, parameters } = mobileNetV2(size);
  const cut = boundaries[lowerBlocks];
  if (cut === undefined) throw new Error("the network has fewer blocks than the row needs");
  const isCached = row === "top6-cached";
  const x = random(isCached ? [batch, ...(cut.shape ?? []).slice(1).map(Number)] : [batch, 3, size, size]);
  // Making data is no part of making a step.
  const started = performance.now();
  if (row === "forward") {
    const fixed = inferShapes(removeDeadNodes(graph), { dimensions: { N: batch } });
    const executable = await runtime.compile(writeModel(onnxModelOf(fixed)));
    return {
      step: () => executable.run({ x }),
      buildMilliseconds: performance.now() - started,
      dispose: () => executable.dispose(),
    };
  }
  const part = isCached ? cutBefore(graph, [cut]) : graph;
  const trained = row === "all" ? parameters : parameters.slice(lowerBlocks + 1);
  const { graph: whole, state } = buildTrainingStep({
    graph: part,
    trainable: trained.flat(),
    loss: softmaxCrossEntropy(),
    optimizer: sgd(),
    batch,
    ...(microBatch < batch ? { microBatch } : {}),
  });
  if (process.env["GRAFT_DUMP"])
    writeFileSync(`${process.env["GRAFT_DUMP"]}-${row}.onnx`, writeModel(onnxModelOf(whole)));
  const executable = await runtime.compile(writeModel(onnxModelOf(whole)), {
    state,
    ...(profile && { profile: `${profile}-${row}` }),
  });
  const labels: Tensor = {
    dtype: "int64",
    shape: [batch],
    data: BigInt64Array.from({ length: batch }, (_, i) => BigInt(i % 2)),
  };
  const learningRate: Tensor = { dtype: "float32", shape: [], data: Float32Array.of(1e-3) };
  const feeds: Feeds = { [isCached ? cut.name : "x"]: x, labels, learning_rate: learningRate };
  const buildMilliseconds = performance.now() - started;
  if (profile) {
    for (let i = 0; i < 3; i++) await executable.run(feeds);
    await executable.dispose();
  }
  return { step: () => executable.run(feeds), buildMilliseconds, dispose: () => executable.dispose() };
}

/** Pictures or features in [-1, 1]. */
function random(shape: readonly number[]): Tensor {
  return drawer(12345)(shape, 1 / Math.sqrt(3));
}

const prepared = new Map<string, Prepared>();
const answer = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
answer({
  ready: true,
  system: "graftwork",
  versions: { [runtime.name]: runtime.version, node: process.version },
  threads,
});
for await (const line of createInterface({ input: process.stdin })) {
  const {
    row,
    seconds = 5,
    prepare: onlyPrepare,
    quit,
  } = JSON.parse(line) as { row: string; seconds?: number; prepare?: boolean; quit?: boolean };
  if (quit) break;
  try {
    let ready = prepared.get(row);
    if (ready === undefined) {
      // One row at a time, so that its memory is its own.
      for (const other of prepared.values()) await other.dispose();
      prepared.clear();
      ready = await prepare(row);
      prepared.set(row, ready);
      await ready.step();
      await ready.step();
    }
    if (onlyPrepare) {
      answer({ row, build_milliseconds: ready.buildMilliseconds });
      continue;
    }
    resetPeakMemory();
    const times: number[] = [];
    const until = performance.now() + seconds * 1000;
    while (times.length < 3 || performance.now() < until) {
      const started = performance.now();
      await ready.step();
      times.push((performance.now() - started) / batch);
    }
    times.sort((a, b) => a - b);
    answer({
      row,
      milliseconds_per_image: times[times.length >> 1],
      fastest: times[0],
      steps: times.length,
      peak_memory_bytes: peakMemory(),
      build_milliseconds: ready.buildMilliseconds,
    });
  } catch (error) {
    answer({ row, error: error instanceof Error ? error.message : String(error) });
  }
}
process.exit(0);

function resetPeakMemory(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Elsewhere the peak is that of the whole process.
  }
}

function peakMemory(): number {
  try {
    const line = readFileSync("/proc/self/status", "utf8").match(/^VmHWM:\s+(\d+)/m);
    return Number(line?.[1] ?? 0) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}
