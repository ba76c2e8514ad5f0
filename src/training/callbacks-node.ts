/** @file Callbacks that write files: logs and the best model so far. */
import { writeWhole } from "../files/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import { type Callback, comparison, type EpochRecord, type MonitorOptions, monitored } from "./callbacks.ts";

/**
 * A table of comma-separated values, a line an epoch (`keras.callbacks.CSVLogger`). The file is written whole after every
 * epoch: it never ends in half a line, and a training that goes on from a checkpoint goes on with it.
 */
export function csvLogger(path: string): Callback {
  const columns = ["epoch", "loss", "accuracy", "valLoss", "valAccuracy", "learningRate", "seconds"] as const;
  return logger(path, (records) => {
    const lines = records.map((record) => columns.map((column) => String(record[column] ?? "")).join(","));
    return [columns.join(","), ...lines].map((line) => `${line}\n`).join("");
  });
}

/** A JSON object a line, a line an epoch (JSON Lines), written as `csvLogger` does. Numbers that are not finite are null. */
export function jsonLogger(path: string): Callback {
  return logger(path, (records) => records.map((record) => `${JSON.stringify(record)}\n`).join(""));
}

export interface ModelCheckpointOptions extends MonitorOptions {
  /** An ONNX file; `{epoch}` in it stands for the epoch's number, from 1. */
  readonly path: string;
  /** Whether only a model better than all before is written. Default: false. */
  readonly saveBestOnly?: boolean;
}

/** Writes the model, in inference form, after every epoch or every best one (`keras.callbacks.ModelCheckpoint`). */
export function modelCheckpoint(options: ModelCheckpointOptions): Callback {
  const { path, saveBestOnly = false, monitor = "valLoss" } = options;
  const isImprovement = comparison("modelCheckpoint", options, monitor, 0);
  let best: number | undefined;
  return {
    onTrainBegin() {
      best = undefined;
    },
    async onEpochEnd(record, handle) {
      if (saveBestOnly) {
        const current = monitored("modelCheckpoint", record, monitor);
        if (!isImprovement(current, best)) return;
        best = current;
      }
      const model = writeModel(onnxModelOf(await handle.readGraph()));
      await writeWhole(path.replaceAll("{epoch}", String(record.epoch + 1)), model);
    },
    saveState: () => ({ values: { best } }),
    loadState({ values }) {
      best = typeof values["best"] === "number" ? values["best"] : undefined;
    },
  };
}

function logger(path: string, textOf: (records: readonly EpochRecord[]) => string): Callback {
  let records: EpochRecord[] = [];
  return {
    onTrainBegin() {
      records = [];
    },
    async onEpochEnd(record) {
      records.push(record);
      await writeWhole(path, textOf(records));
    },
    saveState: () => ({ values: { records: [...records] } }),
    loadState({ values }) {
      // What `saveState` gave.
      records = [...(values["records"] as readonly EpochRecord[])];
    },
  };
}
