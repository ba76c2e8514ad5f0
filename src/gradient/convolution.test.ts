/** @file Derivatives of convolutions. ONNX Runtime convolves in float32 only. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AutoPad, printGraph } from "../graph/index.ts";
import { removeDeadNodes } from "../passes/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { checkGradient, randomNumbers, randomTensor } from "../testing/index.ts";
import { withGradients } from "./gradients.ts";

const dtype = "float32";
const random = randomNumbers(11);

/** How much of a map's shape is declared before it runs. */
type Declared = "static" | "batch" | "spatial";

function input(shape: readonly number[], declared: Declared) {
  const names = shape.map((size, axis) =>
    declared === "static" || axis === 1 || (declared === "batch" && axis > 1) ? size : `d${axis}`,
  );
  return { tensor: randomTensor(random, dtype, shape), declared: names };
}

const axis = fc.record({
  kernel: fc.integer({ min: 1, max: 3 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  begin: fc.integer({ min: 0, max: 2 }),
  end: fc.integer({ min: 0, max: 2 }),
  extra: fc.integer({ min: 0, max: 4 }),
});

const convolution = fc.record({
  axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
  batch: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 1, max: 3 }),
  inputs: fc.integer({ min: 1, max: 2 }),
  outputs: fc.integer({ min: 1, max: 2 }),
  autoPad: fc.constantFrom<AutoPad>("NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"),
  declared: fc.constantFrom<Declared>("static", "batch", "spatial"),
});

describe("Conv", () => {
  it("derives over random sizes, strides, pads, dilations and groups", async () => {
    await fc.assert(
      fc.asyncProperty(convolution, async ({ axes, batch, group, inputs, outputs, autoPad, declared }) => {
        const kernel = axes.map((each) => each.kernel);
        const size = axes.map((each) => (each.kernel - 1) * each.dilation + 1 + each.extra);
        const isSame = autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER";
        const x = input([batch, group * inputs, ...size], isSame && declared === "spatial" ? "batch" : declared);
        await checkGradient(
          { x, w: [group * outputs, inputs, ...kernel], bias: [group * outputs] },
          (b, values) =>
            b.apply("Conv", [values.x, values.w, values.bias], {
              autoPad,
              group,
              strides: axes.map((each) => each.stride),
              // ONNX Runtime does not dilate where it pads to the same size.
              dilations: axes.map((each) => (isSame ? 1 : each.dilation)),
              ...(autoPad === "NOTSET"
                ? { pads: [...axes.map((each) => each.begin), ...axes.map((each) => each.end)] }
                : {}),
            }),
          { dtype },
        );
      }),
      { numRuns: 60, seed: 4, endOnFailure: true },
    );
  });

  it("derives one without attributes", async () => {
    await checkGradient({ x: [2, 3, 5, 4], w: [4, 3, 2, 3] }, (b, { x, w }) => b.apply("Conv", [x, w]), { dtype });
  });

  it("derives 1×1 kernels of every rank, with a symbolic batch", async () => {
    for (const spatial of [[5], [3, 4], [2, 3, 2]]) {
      const w = [4, 3, ...spatial.map(() => 1)];
      await checkGradient(
        { x: input([2, 3, ...spatial], "spatial"), w, bias: [4] },
        (b, values) => b.apply("Conv", [values.x, values.w, values.bias]),
        { dtype },
      );
    }
  });

  it("refuses SAME padding of a map whose size nobody knows", () => {
    const b = newBuilder();
    const [x, w] = [b.input("x", dtype, ["N", 2, "H"]), b.input("w", dtype, [2, 2, 3])];
    const y = b.apply("Conv", [x, w], { autoPad: "SAME_UPPER", strides: [2] }, "y");
    expect(() => withGradients(b.graph([y]), { output: "y", wanted: ["x"] })).toThrow(/Conv "y": .*must be known/);
  });

  it("is a convolution by the mirrored kernel for x, and one over the batch for w", () => {
    const b = newBuilder();
    const [x, w] = [b.input("x", dtype, ["N", 4, 8, 8]), b.input("w", dtype, [6, 2, 3, 3])];
    const y = b.apply("Conv", [x, w], { group: 2, pads: [1, 1, 1, 1] }, "y");
    const derived = withGradients(b.graph([y]), { output: "y", wanted: ["x", "w"] });
    expect(printGraph(removeDeadNodes(derived))).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 4, 8, 8], w: float32[6, 2, 3, 3], dy: float32[N, 6, 8, 8]) -> y, grad:x, grad:w
        constant: int64[5] = [2, 3, 2, 3, 3]
        constant_1: int64[4] = [4, 3, 3, 3]
        constant_2: int64[2] = [-1, -1]
        constant_3: int64[2] = [-9007199000000000, -9007199000000000]
        constant_4: int64[2] = [2, 3]
        constant_5: int64[5] = [-1, 2, 2, 8, 8]
        constant_6: int64[4] = [2, -1, 8, 8]
        y: float32[N, 6, 8, 8] = Conv(x, w) {group: 2, pads: [1, 1, 1, 1]}
        Reshape: float32[2, 3, 2, 3, 3] = Reshape(w, constant)
        Transpose: float32[2, 2, 3, 3, 3] = Transpose(Reshape) {perm: [0, 2, 1, 3, 4]}
        Reshape_1: float32[4, 3, 3, 3] = Reshape(Transpose, constant_1)
        Slice: float32[4, 3, 3, 3] = Slice(Reshape_1, constant_2, constant_3, constant_4, constant_2)
        Conv: float32[N, 4, 8, 8] = Conv(dy, Slice) {dilations: [1, 1], group: 2, pads: [1, 1, 1, 1]}
        Reshape_2: float32[N, 2, 2, 8, 8] = Reshape(x, constant_5)
        Transpose_1: float32[2, 2, N, 8, 8] = Transpose(Reshape_2) {perm: [2, 1, 0, 3, 4]}
        Reshape_3: float32[2, ?, 8, 8] = Reshape(Transpose_1, constant_6)
        Transpose_2: float32[6, N, 8, 8] = Transpose(dy) {perm: [1, 0, 2, 3]}
        Conv_1: float32[2, 6, 3, 3] = Conv(Reshape_3, Transpose_2) {dilations: [1, 1], group: 2, pads: [1, 1, 1, 1], strides: [1, 1]}
        Transpose_3: float32[6, 2, 3, 3] = Transpose(Conv_1) {perm: [1, 0, 2, 3]}
        grad:x: float32[N, 4, 8, 8] = Identity(Conv)
        grad:w: float32[6, 2, 3, 3] = Identity(Transpose_3)"
    `);
  });

  it("leaves a rest that no window covers without gradient", () => {
    const b = newBuilder();
    const [x, w] = [b.input("x", dtype, [1, 2, 9]), b.input("w", dtype, [3, 2, 2])];
    const y = b.apply("Conv", [x, w], { strides: [3] }, "y");
    const derived = withGradients(b.graph([y]), { output: "y", wanted: ["x", "w"] });
    expect(printGraph(removeDeadNodes(derived))).toMatchInlineSnapshot(`
      "graph graph(x: float32[1, 2, 9], w: float32[3, 2, 2], dy: float32[1, 3, 3]) -> y, grad:x, grad:w
        constant: int64[1] = [0]
        constant_1: int64[1] = [-1]
        constant_2: int64[1] = [2]
        y: float32[1, 3, 3] = Conv(x, w) {strides: [3]}
        ConvTranspose: float32[1, 2, 9] = ConvTranspose(dy, w) {dilations: [1], pads: [0, 0], strides: [3], outputPadding: [1]}
        Slice: float32[1, 2, 8] = Slice(x, constant, constant_1, constant_2)
        Transpose: float32[2, 1, 8] = Transpose(Slice) {perm: [1, 0, 2]}
        Transpose_1: float32[3, 1, 3] = Transpose(dy) {perm: [1, 0, 2]}
        Conv: float32[2, 3, 2] = Conv(Transpose, Transpose_1) {dilations: [3], pads: [0, 0], strides: [1]}
        Transpose_2: float32[3, 2, 2] = Transpose(Conv) {perm: [1, 0, 2]}
        grad:x: float32[1, 2, 9] = Identity(ConvTranspose)
        grad:w: float32[3, 2, 2] = Identity(Transpose_2)"
    `);
  });
});

describe("ConvTranspose", () => {
  it("derives over random sizes, strides, pads, dilations, output paddings and groups", async () => {
    await fc.assert(
      fc.asyncProperty(convolution, async ({ axes, batch, group, inputs, outputs, autoPad, declared }) => {
        const kernel = axes.map((each) => each.kernel);
        const outputPadding = axes.map((each) => Math.min(each.begin, each.stride - 1));
        const pads = [...axes, ...axes].map((each, index) =>
          Math.min(index < axes.length ? each.begin : each.end, Math.floor((each.kernel - 1) / 2)),
        );
        await checkGradient(
          {
            x: input([batch, group * inputs, ...axes.map((each) => each.extra + 1)], declared),
            w: [group * inputs, outputs, ...kernel],
            bias: [group * outputs],
          },
          (b, values) =>
            b.apply("ConvTranspose", [values.x, values.w, values.bias], {
              autoPad,
              group,
              strides: axes.map((each) => each.stride),
              dilations: axes.map((each) => each.dilation),
              ...(autoPad === "NOTSET" ? { pads, outputPadding } : {}),
            }),
          { dtype },
        );
      }),
      { numRuns: 60, seed: 5, endOnFailure: true },
    );
  });

  it("derives one whose output shape is given", async () => {
    for (const outputShape of [
      [9, 11],
      [10, 10],
      [8, 9],
    ]) {
      await checkGradient(
        { x: [2, 3, 5, 5], w: [3, 2, 3, 3] },
        (b, { x, w }) => b.apply("ConvTranspose", [x, w], { strides: [2, 2], outputShape }),
        { dtype },
      );
    }
  });
});

describe("Col2Im", () => {
  it("derives over random windows", async () => {
    const windows = fc.record({
      axes: fc.array(axis, { minLength: 2, maxLength: 2 }),
      channels: fc.integer({ min: 1, max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(windows, async ({ axes, channels }) => {
        const block = axes.map((each) => each.kernel);
        const image = axes.map((each) => (each.kernel - 1) * each.dilation + 1 + each.extra);
        const counts = axes.map((each) => Math.floor((each.extra + each.begin + each.end) / each.stride) + 1);
        const product = (sizes: readonly number[]) => sizes.reduce((a, c) => a * c, 1);
        await checkGradient(
          { x: [2, channels * product(block), product(counts)] },
          (b, { x }) =>
            b.apply("Col2Im", [x, b.ints(image), b.ints(block)], {
              strides: axes.map((each) => each.stride),
              dilations: axes.map((each) => each.dilation),
              pads: [...axes.map((each) => each.begin), ...axes.map((each) => each.end)],
            }),
          { dtype },
        );
      }),
      { numRuns: 20, seed: 6, endOnFailure: true },
    );
  });
});
