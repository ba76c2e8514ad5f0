/** @file Older forms of resizing and sampling. Source: github.com/onnx/onnx, docs/Changelog.md. */
import { numbersOf, tensorOf } from "../../tensor/index.ts";
import type { Raiser, Step, Steps } from "./step.ts";

/**
 * Resize 11 names what Upsample and Resize 10 did: source = target / scale, rounded down where it grows. ONNX Runtime
 * rounds up where it shrinks (core/providers/cpu/tensor/upsample.cc, GetNearestPixel, "simple"), and so do we.
 */
const asymmetric: Raiser = (step) => {
  const { node, place } = step;
  const mode = text(step, "mode") ?? "nearest";
  // Upsample called linear "bilinear" for a while.
  step.set("mode", "string", mode === "bilinear" ? "linear" : mode);
  step.set("coordinate_transformation_mode", "string", "asymmetric");
  const scales = place.constantOf(node.inputs[1]);
  const factors = scales === undefined ? [] : numbersOf(scales);
  const shrinks = factors.some((factor) => factor < 1);
  if (mode === "nearest") {
    if (shrinks && factors.some((factor) => factor > 1))
      throw step.refuse("that both grows and shrinks has no newer form");
    step.set("nearest_mode", "string", shrinks ? "ceil" : "floor");
  }
  node.inputs = [node.inputs[0], undefined, node.inputs[1]];
};

/** Resize 13: what is not there is left out, where an empty tensor stood before. */
const withoutEmpty: Raiser = (step) => {
  const { node, place } = step;
  node.inputs = node.inputs.map((input) => (place.constantOf(input)?.data.length === 0 ? undefined : input));
};

const scalesToInput: Raiser = (step) => {
  const scales = step.take("scales")?.floats ?? [];
  step.node.inputs.push(step.constant(tensorOf("float32", [scales.length], scales), "scales"));
};

/** GridSample 20: modes are called as elsewhere. */
const gridModes: Raiser = (step) => {
  const mode = text(step, "mode") ?? "bilinear";
  step.set("mode", "string", { bilinear: "linear", bicubic: "cubic" }[mode] ?? mode);
};

function text({ node }: Step, name: string): string | undefined {
  const proto = node.attributes.get(name)?.proto;
  return proto === undefined ? undefined : new TextDecoder().decode(proto.s);
}

export const samplingSteps: Steps = {
  GridSample: [[20, gridModes]],
  Resize: [
    [11, asymmetric],
    [13, withoutEmpty],
  ],
  // RoiAlign 16 moved boxes by half a pixel, and can be told not to.
  RoiAlign: [[16, (step) => step.set("coordinate_transformation_mode", "string", "output_half_pixel")]],
  Upsample: [
    [9, scalesToInput],
    [
      10,
      (step) => {
        step.node.operator = "Resize";
      },
    ],
  ],
};
