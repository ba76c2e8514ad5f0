/** @file Older forms of reductions. Source: github.com/onnx/onnx, docs/Changelog.md. */
import { axesToInput } from "./movement.ts";
import type { Steps } from "./step.ts";

const axesSince18 = [[18, axesToInput]] as const;

export const reductionSteps: Steps = {
  // The axis of a transform became an input, and lost the default 1.
  DFT: [
    [
      20,
      (step) => {
        const { node } = step;
        const axis = step.constant(
          { dtype: "int64", shape: [], data: BigInt64Array.of(step.take("axis")?.i ?? 1n) },
          "axis",
        );
        node.inputs = [node.inputs[0], node.inputs[1], axis];
      },
    ],
  ],
  ReduceL1: axesSince18,
  ReduceL2: axesSince18,
  ReduceLogSum: axesSince18,
  ReduceLogSumExp: axesSince18,
  ReduceMax: axesSince18,
  ReduceMean: axesSince18,
  ReduceMin: axesSince18,
  ReduceProd: axesSince18,
  ReduceSum: [[13, axesToInput]],
  ReduceSumSquare: axesSince18,
  TopK: [
    [
      10,
      (step) => {
        step.node.inputs.push(step.ints([step.take("k")?.i ?? 0n], "k"));
      },
    ],
  ],
};
