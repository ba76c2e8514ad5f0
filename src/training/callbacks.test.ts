import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readModel } from "../onnx/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32, GraftError, type NumericTensor } from "../tensor/index.ts";
import {
  type Callback,
  type EarlyStoppingOptions,
  type EpochRecord,
  earlyStopping,
  learningRateScheduler,
  type ReduceLROnPlateauOptions,
  reduceLROnPlateau,
  type TrainingHandle,
} from "./callbacks.ts";
import { csvLogger, jsonLogger, modelCheckpoint } from "./callbacks-node.ts";

interface Case {
  readonly kind: "earlyStopping" | "reduceLROnPlateau";
  readonly options: Readonly<Record<string, number | boolean | string>>;
  readonly figures: readonly (number | null)[];
  readonly stopped: number | null;
  readonly kept: number;
  readonly rates: readonly number[];
}

/** Keras's callbacks on given figures, written by make_fit_fixtures.py. */
const { callbacks: cases } = JSON.parse(
  readFileSync(new URL("../../tests/fixtures/training/fit.json", import.meta.url), "utf8"),
) as { readonly callbacks: readonly Case[] };

/** A training whose only weight is the number of the epoch. */
class Course {
  rate = 1;
  stopped: string | undefined;
  kept = 0;

  readonly handle: TrainingHandle;

  constructor() {
    const rate = () => this.rate;
    this.handle = {
      epochs: 100,
      get learningRate() {
        return rate();
      },
      setLearningRate: (learningRate) => {
        this.rate = learningRate;
      },
      stop: (reason) => {
        this.stopped = reason;
      },
      readWeights: async () => new Map([["kernel", float32([1], Float32Array.of(this.kept))]]),
      writeWeights: async (weights: ReadonlyMap<string, NumericTensor>) => {
        this.kept = Number(weights.get("kernel")?.data[0]);
      },
      readGraph: async () => {
        const build = newBuilder();
        const x = build.input("x", "float32", [1]);
        return build.graph([build.add(x, build.constant(float32([1], Float32Array.of(this.kept)), "kernel"))]);
      },
    };
  }

  /** Ends as a training does; gives the rates and the epoch it stopped at. */
  async run(callback: Callback, figures: readonly number[], from = 0) {
    const rates: number[] = [];
    let stopped: number | null = null;
    for (const [epoch, valLoss] of figures.entries()) {
      if (epoch < from) continue;
      this.kept = epoch;
      await callback.onEpochEnd?.(recordOf(epoch, valLoss), this.handle);
      rates.push(this.rate);
      if (this.stopped === undefined) continue;
      stopped = epoch;
      break;
    }
    await callback.onTrainEnd?.(this.handle);
    return { rates, stopped, kept: this.kept };
  }
}

const recordOf = (epoch: number, valLoss: number): EpochRecord => ({
  epoch,
  loss: valLoss + 1,
  valLoss,
  learningRate: 1,
  seconds: 2,
});

/** With the names of Keras's options turned into ours. */
function make({ kind, options }: Case): Callback {
  const names: Readonly<Record<string, string>> = {
    min_delta: "minDelta",
    restore_best_weights: "restoreBestWeights",
    min_lr: "minLearningRate",
    start_from_epoch: "startFromEpoch",
  };
  const ours = Object.fromEntries(Object.entries(options).map(([name, value]) => [names[name] ?? name, value]));
  return kind === "earlyStopping"
    ? earlyStopping(ours as EarlyStoppingOptions)
    : reduceLROnPlateau(ours as ReduceLROnPlateauOptions);
}

const figuresOf = ({ figures }: Case) => figures.map((figure) => figure ?? Number.NaN);

describe("a callback", () => {
  it.each(cases.map((each) => [`${each.kind} ${JSON.stringify(each.options)}`, each] as const))(
    "does what Keras's does: %s",
    async (_, judged) => {
      const callback = make(judged);
      const course = new Course();
      callback.onTrainBegin?.(course.handle);
      const { rates, stopped, kept } = await course.run(callback, figuresOf(judged));
      expect({ stopped, kept }).toEqual({ stopped: judged.stopped, kept: judged.kept });
      for (const [epoch, rate] of rates.entries()) expect(rate).toBeCloseTo(judged.rates[epoch] ?? 0, 6);
    },
  );

  it("goes on as if nothing had happened from the state it saved", async () => {
    for (const judged of cases) {
      const [before, after] = [make(judged), make(judged)];
      const course = new Course();
      before.onTrainBegin?.(course.handle);
      const { onTrainEnd: _, ...first } = before;
      const { stopped } = await course.run(first, figuresOf(judged).slice(0, 3));
      if (stopped !== null) continue;
      after.onTrainBegin?.(course.handle);
      after.loadState?.(before.saveState?.() ?? expect.fail("nothing saved"));
      const result = await course.run(after, figuresOf(judged), 3);
      expect({ stopped: result.stopped, kept: result.kept }).toEqual({ stopped: judged.stopped, kept: judged.kept });
    }
  });

  it("sets the rate by the epoch", async () => {
    const course = new Course();
    const callback = learningRateScheduler((epoch, rate) => (epoch < 2 ? rate : rate / 2));
    for (const epoch of [0, 1, 2, 3]) await callback.onEpochBegin?.(epoch, course.handle);
    expect(course.rate).toBe(0.25);
  });

  it("says which figure is missing and which there are", async () => {
    const course = new Course();
    const callback = earlyStopping({ monitor: "valAccuracy" });
    await expect(callback.onEpochEnd?.(recordOf(0, 1), course.handle)).rejects.toThrow(
      /expected valAccuracy, found loss, valLoss/,
    );
    expect(() => earlyStopping({ patience: -1 })).toThrow(GraftError);
    expect(() => reduceLROnPlateau({ factor: 1 })).toThrow(GraftError);
  });
});

describe("a callback that writes files", async () => {
  const folder = await mkdtemp(join(tmpdir(), "graft callbacks "));
  afterAll(() => rm(folder, { recursive: true }));

  it("logs a line an epoch, and goes on with the same file", async () => {
    for (const [name, make] of [
      ["log.csv", csvLogger],
      ["log.jsonl", jsonLogger],
    ] as const) {
      const path = join(folder, "new folder", name);
      const course = new Course();
      const before = make(path);
      before.onTrainBegin?.(course.handle);
      for (const epoch of [0, 1, 2]) await before.onEpochEnd?.(recordOf(epoch, epoch / 4), course.handle);
      const state = before.saveState?.() ?? expect.fail("nothing saved");
      // This epoch ends, but is not in the checkpoint, and is trained again.
      await before.onEpochEnd?.(recordOf(3, 9), course.handle);
      const after = make(path);
      after.onTrainBegin?.(course.handle);
      after.loadState?.(state);
      await after.onEpochEnd?.(recordOf(3, 0.75), course.handle);
      const lines = (await readFile(path, "utf8")).split("\n");
      expect(lines.at(-1)).toBe("");
      expect(lines.at(-2)).toBe(
        name.endsWith("csv")
          ? "3,1.75,,0.75,,1,2"
          : '{"epoch":3,"loss":1.75,"valLoss":0.75,"learningRate":1,"seconds":2}',
      );
      expect(lines).toHaveLength(name.endsWith("csv") ? 6 : 5);
    }
  });

  it("keeps the best model", async () => {
    const course = new Course();
    const path = join(folder, "best-{epoch}.onnx");
    await course.run(modelCheckpoint({ path, saveBestOnly: true }), [1, 0.5, 0.7, 0.4]);
    const kernels = await Promise.all(
      [1, 2, 3, 4].map(async (epoch) => {
        const bytes = await readFile(path.replace("{epoch}", String(epoch))).catch(() => undefined);
        return bytes && [...readModel(bytes).graph.initializers.values()][0]?.data[0];
      }),
    );
    expect(kernels).toEqual([0, 1, undefined, 3]);
  });
});
