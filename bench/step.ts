/** @file The training step beside Keras and PyTorch, in one run, alternating: `npm run bench:step`. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    rows: { type: "string", default: "all,top6,top6-cached,forward" },
    threads: { type: "string", default: String(cpus().length) },
    "no-compile": { type: "boolean", default: false },
  },
});

interface Measurement {
  readonly milliseconds_per_image: number;
  readonly peak_memory_bytes: number;
  readonly build_milliseconds?: number;
  readonly variant?: string;
}

/** A process that takes commands as lines of JSON and answers each with a line (bench/peers/protocol.py). */
class Side {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name;
    this.#process = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#process.stdout === null) throw new Error("no output to read");
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async ready(): Promise<Record<string, unknown>> {
    return this.#next();
  }

  async ask<T>(command: object): Promise<T> {
    this.#process.stdin?.write(`${JSON.stringify(command)}\n`);
    return (await this.#next()) as T;
  }

  end(): void {
    this.#process.stdin?.end(`${JSON.stringify({ row: "", quit: true })}\n`);
  }

  async #next(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`${this.name} ended early`);
    const answer = JSON.parse(value) as Record<string, unknown>;
    if (answer["error"] !== undefined) throw new Error(`${this.name}: ${String(answer["error"])}`);
    return answer;
  }
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const python = process.env["GRAFT_PEERS_PYTHON"] ?? here("peers/.venv/bin/python");
if (!existsSync(python)) {
  process.stderr.write(
    "The peers are not installed: run bench/peers/install.sh, or name a Python in GRAFT_PEERS_PYTHON.\n",
  );
  process.exit(2);
}
const threads = ["--threads", options.threads];
const peerOptions = [...threads, ...(options["no-compile"] ? ["--no-compile"] : [])];
const sides = [
  new Side("graftwork", process.execPath, [
    "--import",
    here("../scripts/source.js"),
    here("step/graftwork.ts"),
    ...threads,
  ]),
  new Side("keras", python, [here("peers/step_keras.py"), ...peerOptions]),
  new Side("torch", python, [here("peers/step_torch.py"), ...peerOptions]),
];
const versions: Record<string, unknown> = {};
for (const side of sides) versions[side.name] = (await side.ready())["versions"];

const rows = [];
for (const row of options.rows.split(",")) {
  for (const side of sides) await side.ask({ row, prepare: true });
  const measured = new Map<string, Measurement[]>(sides.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const side of sides) {
      const measurement = await side.ask<Measurement>({ row, seconds: Number(options.seconds) });
      measured.get(side.name)?.push(measurement);
    }
    process.stderr.write(
      `${row}, round ${round + 1}: ${sides.map(({ name }) => `${name} ${measured.get(name)?.at(-1)?.milliseconds_per_image.toFixed(2)}`).join(", ")}\n`,
    );
  }
  const figure = (name: string) => median((measured.get(name) ?? []).map((each) => each.milliseconds_per_image));
  const memory = (name: string) => Math.max(...(measured.get(name) ?? []).map((each) => each.peak_memory_bytes));
  // Pair by pair: what the machine did to a round it did to all three.
  const ratios = (measured.get("graftwork") ?? []).map((own, round) => {
    const peers = ["keras", "torch"].map((name) => measured.get(name)?.[round]?.milliseconds_per_image ?? Number.NaN);
    return own.milliseconds_per_image / Math.min(...peers);
  });
  rows.push({
    row,
    graftwork: figure("graftwork"),
    keras: figure("keras"),
    torch: figure("torch"),
    ratio: figure("graftwork") / Math.min(figure("keras"), figure("torch")),
    ratioByRound: median(ratios),
    peakMemoryBytes: { graftwork: memory("graftwork"), keras: memory("keras"), torch: memory("torch") },
    buildMilliseconds: measured.get("graftwork")?.[0]?.build_milliseconds,
    variants: Object.fromEntries(sides.map(({ name }) => [name, measured.get(name)?.[0]?.variant])),
  });
}
for (const side of sides) side.end();

const machine = {
  processor: cpus()[0]?.model.trim(),
  cores: cpus().length,
  threads: Number(options.threads),
  versions,
};
if (options.json) {
  process.stdout.write(`${JSON.stringify({ schema: "graftwork/bench-step/1", machine, rows }, undefined, 2)}\n`);
} else {
  process.stdout.write("milliseconds an image   graftwork   keras   torch   ratio   by round\n");
  for (const { row, graftwork, keras, torch, ratio, ratioByRound } of rows) {
    const cells = [graftwork, keras, torch, ratio, ratioByRound].map((value) => value.toFixed(2).padStart(9));
    process.stdout.write(`${row.padEnd(20)}${cells.join("")}\n`);
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
