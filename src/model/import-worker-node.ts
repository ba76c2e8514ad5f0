/** @file The process that reads a stranger's file: it may hang, run out of memory or crash, and only it. */
import { writeFile } from "node:fs/promises";
import { serveTask } from "../files/index.ts";
import { onnxModelOf, writeModel } from "../onnx/index.ts";
import type { ImportTask } from "./import-node.ts";
import { readSource } from "./read-source-node.ts";

serveTask(async ({ path, out }: ImportTask) => {
  const { graph, ...description } = await readSource(path);
  await writeFile(out, writeModel(onnxModelOf(graph)), { flag: "wx" });
  return description;
});
