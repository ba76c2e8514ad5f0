/**
 * @file The whole job beside Keras, from photo files to an evaluated artifact: `npm run bench:job`.
 * `default` is `graft train` as it comes, then `graft evaluate`; `tutorial` is the official Keras tutorial's own recipe,
 * step for step, through the Keras interface. Both are measured against `bench/peers/keras_tutorial.py` in the same run,
 * as processes, from a cold feature cache.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const shared = here("../../shared");
const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "1" },
    rows: { type: "string", default: "default,tutorial" },
    epochs: { type: "string", default: "10" },
    train: { type: "string", default: join(shared, "data/cats_and_dogs/train") },
    validation: { type: "string", default: join(shared, "data/cats_and_dogs/validation") },
    weights: {
      type: "string",
      default: join(
        shared,
        "models/keras_applications/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
      ),
    },
    "image-size": { type: "string", default: "160" },
  },
});

interface Figures {
  readonly seconds: number;
  readonly accuracy: number;
  readonly peakMemoryBytes: number;
}

const python = process.env["GRAFT_PEERS_PYTHON"] ?? here("peers/.venv/bin/python");
for (const [what, path] of [
  ["The peers are not installed (bench/peers/install.sh, or name a Python in GRAFT_PEERS_PYTHON)", python],
  ["There are no photos to learn from (--train)", options.train],
  ["There are no photos to judge by (--validation)", options.validation],
  ["There are no weights (--weights)", options.weights],
] as const) {
  if (existsSync(path)) continue;
  process.stderr.write(`${what}: ${path}\n`);
  process.exit(2);
}

/** Runs a process to its end. Its memory is the peak the kernel counted (Linux), read while it lives. */
function run(
  command: string,
  args: readonly string[],
  cache: string,
): Promise<{ stdout: string } & Omit<Figures, "accuracy">> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, GRAFT_CACHE: cache },
    });
    let stdout = "";
    let peakMemoryBytes = 0;
    const watch = setInterval(() => {
      try {
        const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"));
        if (peak !== null) peakMemoryBytes = Math.max(peakMemoryBytes, Number(peak[1]) * 1024);
      } catch {
        // It has ended, or this system does not tell.
      }
    }, 100);
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString("utf8");
    });
    child.on("error", reject);
    child.on("close", (code) => {
      clearInterval(watch);
      if (code === 0) resolve({ stdout, seconds: (performance.now() - started) / 1000, peakMemoryBytes });
      else reject(new Error(`${command} ${args.join(" ")} ended with ${code}`));
    });
  });
}

function accuracyIn(stdout: string): number {
  const answer: unknown = JSON.parse(stdout);
  if (typeof answer === "object" && answer !== null && "accuracy" in answer && typeof answer.accuracy === "number") {
    return answer.accuracy;
  }
  throw new Error(`no accuracy in ${stdout.slice(0, 200)}`);
}

const graft = here("../bin/graft.js");
const sizes = ["--image-size", options["image-size"]];

async function graftworkDefault(): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), "graft-job-"));
  try {
    const cache = join(folder, "cache");
    const out = join(folder, "run");
    const train = ["train", options.train, "--base", options.weights, ...sizes, "--out", out, "--json"];
    const trained = await run(process.execPath, [graft, ...train], cache);
    const artifact = join(out, "model.onnx");
    const judged = await run(process.execPath, [graft, "evaluate", artifact, options.validation, "--json"], cache);
    return {
      seconds: trained.seconds + judged.seconds,
      accuracy: accuracyIn(judged.stdout),
      peakMemoryBytes: Math.max(trained.peakMemoryBytes, judged.peakMemoryBytes),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function graftworkTutorial(): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), "graft-job-"));
  try {
    const example = [here("../examples/cats-and-dogs-keras.ts"), "--train", options.train, "--validation"];
    const more = [options.validation, "--weights", options.weights, "--epochs", options.epochs, ...sizes, "--json"];
    const source = ["--import", here("../scripts/source.js")];
    const { stdout, ...figures } = await run(process.execPath, [...source, ...example, ...more], join(folder, "cache"));
    return { ...figures, accuracy: accuracyIn(stdout) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function kerasTutorial(): Promise<Figures> {
  const peer = [here("peers/keras_tutorial.py"), options.train, options.validation, "--weights", options.weights];
  const { stdout, ...figures } = await run(python, [...peer, "--epochs", options.epochs, ...sizes], "");
  return { ...figures, accuracy: accuracyIn(stdout) };
}

/** By seconds; accuracy and memory of the same round. */
function median(rounds: readonly Figures[]): Figures {
  const sorted = [...rounds].sort((a, b) => a.seconds - b.seconds);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new Error("no rounds");
  return middle;
}

const ours = { default: graftworkDefault, tutorial: graftworkTutorial };
const wanted = options.rows.split(",").filter((row): row is keyof typeof ours => Object.hasOwn(ours, row));
const measured = new Map<string, { graftwork: Figures[]; keras: Figures[] }>(
  wanted.map((row) => [row, { graftwork: [], keras: [] }]),
);
for (let round = 0; round < Number(options.rounds); round++) {
  const keras = await kerasTutorial();
  for (const [row, figures] of measured) {
    figures.keras.push(keras);
    figures.graftwork.push(await ours[row === "tutorial" ? "tutorial" : "default"]());
  }
}
const rows = [...measured].map(([row, figures]) => {
  const [graftwork, keras] = [median(figures.graftwork), median(figures.keras)];
  return { row, graftwork, keras, ratio: graftwork.seconds / keras.seconds };
});
const machine = {
  processor: cpus()[0]?.model ?? "",
  cores: cpus().length,
  memoryBytes: totalmem(),
  node: process.version,
};
if (options.json) {
  process.stdout.write(`${JSON.stringify({ schema: 1, machine, rows }, null, 2)}\n`);
} else {
  for (const { row, graftwork, keras, ratio } of rows) {
    const show = ({ seconds, accuracy, peakMemoryBytes }: Figures) =>
      `${seconds.toFixed(1)} s, accuracy ${accuracy.toFixed(3)}, ${Math.round(peakMemoryBytes / 1e6)} MB`;
    process.stdout.write(`${row}: graftwork ${show(graftwork)}; keras ${show(keras)}; ratio ${ratio.toFixed(3)}\n`);
  }
}
