/** @file The engine of models in Node: ONNX Runtime, made when a model first runs. */
import { packageVersion, writeWhole } from "../files/index.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { featureStore } from "../training/features-node.ts";
import type { TrainingPlatform } from "../training/index.ts";
import type { Engine } from "./engine.ts";

export function nodeEngine(): Engine {
  let platform: Promise<TrainingPlatform> | undefined;
  const open = async () => ({ runtime: await nodeRuntime(), store: featureStore() });
  return {
    platform() {
      platform ??= open();
      return platform;
    },
    version: packageVersion,
    writeFile: writeWhole,
    print: (text) => void process.stdout.write(`${text}\n`),
  };
}
