/** @file Older forms of operators that move elements. Source: github.com/onnx/onnx, docs/Changelog.md. */
import type { Raiser, Steps } from "./step.ts";

/** Attributes became inputs, in this order; those left out stay left out. */
export function intsToInputs(...names: readonly string[]): Raiser {
  return (step) => {
    for (const name of names) {
      const ints = step.take(name)?.ints;
      step.node.inputs.push(ints === undefined ? undefined : step.ints(ints, name));
    }
  };
}

/** Axes became an input; an empty list said "all", which leaving them out says now. */
export const axesToInput: Raiser = (step) => {
  const axes = step.take("axes")?.ints ?? [];
  if (axes.length > 0) step.node.inputs.push(step.ints(axes, "axes"));
};

/** Pad 11: pads and value became inputs. */
const padToInputs: Raiser = (step) => {
  const { node } = step;
  const pads = step.take("pads");
  const value = step.take("value")?.f ?? 0;
  if (pads !== undefined) node.inputs.push(step.ints(pads.ints, "pads"));
  if (value !== 0) node.inputs.push(step.scalarLike(value, node.inputs[0], "value"));
};

/** Split 18: an even split must say into how many. */
const splitCounts: Raiser = (step) => {
  const { node } = step;
  if (node.inputs[1] === undefined && !node.attributes.has("num_outputs")) {
    step.set("num_outputs", "int", node.outputs.length);
  }
};

export const movementSteps: Steps = {
  Pad: [[11, padToInputs]],
  // Scatter was renamed.
  Scatter: [
    [
      11,
      (step) => {
        step.node.operator = "ScatterElements";
      },
    ],
  ],
  Slice: [[10, intsToInputs("starts", "ends", "axes")]],
  Split: [
    [
      13,
      (step) => {
        const split = step.take("split");
        if (split !== undefined) step.node.inputs.push(step.ints(split.ints, "split"));
      },
    ],
    [18, splitCounts],
  ],
  Squeeze: [[13, axesToInput]],
  Unsqueeze: [[13, intsToInputs("axes")]],
};
