/** @file The testing room, which only tests import: derivatives by differences, comparisons, other systems' answers. */

export { randomNumbers } from "../tensor/index.ts";
export { type CheckOptions, checkGradient, type InputSpec } from "./check-gradient.ts";
export { deviation, expectClose } from "./close.ts";
export { readNpz } from "./npz-node.ts";
export { pocketBuilder } from "./pocket-node.ts";
export { randomTensor } from "./random.ts";
export { runGraph } from "./run-node.ts";
