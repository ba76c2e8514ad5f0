/** @file Model files on disk: read whole, written whole or not at all. */
import { readFile, stat } from "node:fs/promises";
import { reasonOf, writeWhole } from "../files/index.ts";
import { GraftError } from "../tensor/index.ts";
import { externalDataBeside } from "./external-data-node.ts";
import type { OnnxModel } from "./model.ts";
import { readModel } from "./read.ts";
import { writeModelParts } from "./write.ts";

/** A protobuf message, and so a model in one file, ends at 2 GiB. */
const maximumBytes = 2 ** 31 - 1;

/**
 * Reads an ONNX file. External data is taken from the file's own folder only.
 *
 * @throws GraftError `usage` where there is no such file, `model-invalid` or `model-refused` as `readModel`
 */
export async function readModelFile(path: string): Promise<OnnxModel> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new GraftError("usage", "the file cannot be read", { path: [path], actual: reasonOf(cause), cause });
  });
  if (!facts.isFile())
    throw new GraftError("usage", "a model is a file", { path: [path], actual: "a folder or a device" });
  if (facts.size > maximumBytes) {
    throw new GraftError("model-refused", "the file is too large to be a model", {
      path: [path],
      expected: `at most ${maximumBytes} bytes`,
      actual: `${facts.size}`,
    });
  }
  return readModel(await readFile(path), { path, externalData: externalDataBeside(path) });
}

/**
 * Writes a model as one ONNX file, whole or not at all.
 *
 * @throws GraftError `out-of-resources` where the disk is full, `usage` where the folder cannot be written
 */
export async function writeModelFile(path: string, model: OnnxModel): Promise<void> {
  await writeWhole(path, writeModelParts(model));
}
