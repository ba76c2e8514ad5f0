/** @file The engine of models in Node: ONNX Runtime, made when a model first runs. */
import { writeWhole } from "../files/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import type { Engine } from "./engine.ts";

let runtime: Promise<Runtime> | undefined;

export const nodeEngine: Engine = {
  runtime() {
    runtime ??= nodeRuntime();
    return runtime;
  },
  writeFile: writeWhole,
  print: (text) => void process.stdout.write(`${text}\n`),
};
