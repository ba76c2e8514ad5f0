/** @file Older forms of pointwise operators. Source: github.com/onnx/onnx, docs/Changelog.md. */
import { tensorOf } from "../../tensor/index.ts";
import type { Raiser, Steps } from "./step.ts";

/** The ends of float32: Clip's bounds before 11 when they were not given. */
const largest = 3.4028234663852886e38;

/** Clip 11: bounds became inputs. Bounds at the ends of float32 bound nothing. */
const boundsToInputs: Raiser = (step) => {
  const { node } = step;
  const [x] = node.inputs;
  const min = step.take("min")?.f ?? -largest;
  const max = step.take("max")?.f ?? largest;
  node.inputs = [
    x,
    min <= -largest ? undefined : step.scalarLike(min, x, "min"),
    max >= largest ? undefined : step.scalarLike(max, x, "max"),
  ];
};

/** Dropout 10: the mask is boolean, where it was of the data's type. */
const booleanMask: Raiser = (step) => {
  const { node, place } = step;
  const [, mask] = node.outputs;
  if (!place.isUsed(mask)) node.outputs = node.outputs.slice(0, 1);
  else step.insertAfter(1, "CastLike", (inner) => [inner, node.inputs[0]]);
};

/** Dropout 12: the ratio became an input. */
const ratioToInput: Raiser = (step) => {
  const ratio = step.take("ratio")?.f ?? 0.5;
  step.node.inputs.push(step.constant(tensorOf("float32", [], [ratio]), "ratio"));
};

export const pointwiseSteps: Steps = {
  Clip: [[11, boundsToInputs]],
  Dropout: [
    [10, booleanMask],
    [12, ratioToInput],
  ],
};
