import { describe, expect, it } from "vitest";
import { onnxFixture } from "../../../tests/fixtures/onnx/fixtures.ts";
import { printGraph } from "../../graph/index.ts";
import { readModel } from "../read.ts";

function raised(name: string): string {
  return printGraph(readModel(onnxFixture("models", name), { path: name }).graph);
}

// That raised models compute the same, tests/conformance/roundtrip.test.ts judges by ONNX Runtime.
describe("raising older forms", () => {
  it("makes inputs of Clip's bounds, and none of those at the ends of float32", () => {
    expect(raised("clip_7_open")).toMatchInlineSnapshot(`
      "graph g(x: float32[2, 4, 6, 6]) -> y
        y_min: float32[] = 0
        y: float32[…] = Clip(x, y_min)"
    `);
  });

  it("makes inputs of Pad's and Slice's attributes", () => {
    expect(raised("pad_7")).toMatchInlineSnapshot(`
      "graph g(x: float32[2, 4, 6, 6]) -> y
        y_pads: int64[8] = [0, 0, 1, 2, 0, 0, 0, 1]
        y_value: float32[] = 0.5
        y: float32[…] = Pad(x, y_pads, y_value)"
    `);
    expect(raised("slice_7")).toMatchInlineSnapshot(`
      "graph g(x: float32[2, 4, 6, 6]) -> y
        y_starts: int64[2] = [1, -3]
        y_ends: int64[2] = [5, 9223372000000000000]
        y_axes: int64[2] = [2, 3]
        y: float32[…] = Slice(x, y_starts, y_ends, y_axes)"
    `);
  });

  it("keeps a softmax over the last axis plain, and one over several in a flat shape", () => {
    expect(raised("Softmax_11_last")).toMatchInlineSnapshot(`
      "graph g(x: float32[2, 4, 6, 6]) -> y
        y: float32[…] = Softmax(x)"
    `);
    expect(raised("Softmax_11_only")).toMatchInlineSnapshot(`
      "graph g(x: float32[2, 5, 1, 1]) -> y
        y: float32[…] = Softmax(x) {axis: 1}"
    `);
    expect(raised("Softmax_7_flat")).toMatchInlineSnapshot(`
      "graph g(x: float32[2, 4, 6, 6]) -> y
        y_shape: ?[…] = Shape(x)
        y_flat: ?[…] = Flatten(x)
        y_inner: ?[…] = Softmax(y_flat)
        y: float32[…] = Reshape(y_inner, y_shape)"
    `);
  });

  it("knows the rank of what Gemm gives, so that a classifier's softmax stays plain", () => {
    expect(raised("network_7")).toContain("y: float32[N, 5] = Softmax(h)");
  });

  it("reads Upsample as the Resize it was", () => {
    expect(raised("upsample_7_linear")).toMatchInlineSnapshot(`
      "graph g(x: float32[2, 4, 6, 6]) -> y
        y_scales: float32[4] = [1, 1, 2, 2]
        y: float32[…] = Resize(x, _, y_scales) {coordinateTransformationMode: asymmetric, mode: linear}"
    `);
    expect(raised("resize_10_down")).toContain("nearestMode: ceil");
    expect(raised("resize_11_sizes")).toContain("Resize(x, _, _, n)");
  });

  it("repeats GroupNormalization's scale and bias for every channel of a group", () => {
    expect(raised("group_norm_18")).toMatchInlineSnapshot(`
      "graph g(x: float32[2, 4, 6, 6]) -> y
        s: float32[2] = [0.5, 1.5]
        b: float32[2] = [0.5, 1.5]
        y_groups: int64[1] = [2]
        y_scale_axes: int64[1] = [1]
        y_scale_shape: int64[1] = [-1]
        y_bias_axes: int64[1] = [1]
        y_bias_shape: int64[1] = [-1]
        y_channels: ?[…] = Shape(x) {start: 1, end: 2}
        y_group_size: ?[…] = Div(y_channels, y_groups)
        y_per_channel: ?[…] = Concat(y_groups, y_group_size) {axis: 0}
        y_scale_column: ?[…] = Unsqueeze(s, y_scale_axes)
        y_scale_spread: ?[…] = Expand(y_scale_column, y_per_channel)
        y_scale: ?[…] = Reshape(y_scale_spread, y_scale_shape)
        y_bias_column: ?[…] = Unsqueeze(b, y_bias_axes)
        y_bias_spread: ?[…] = Expand(y_bias_column, y_per_channel)
        y_bias: ?[…] = Reshape(y_bias_spread, y_bias_shape)
        y: float32[…] = GroupNormalization(x, y_scale, y_bias) {numGroups: 2}"
    `);
    expect(raised("group_norm_21")).not.toContain("Expand");
  });

  it("makes an input of reductions' axes, and says into how many parts a split is even", () => {
    expect(raised("reduce_Max_7")).toContain("y: float32[…] = ReduceMax(x, y_axes) {keepdims: false}");
    expect(raised("split_7_even")).toContain("Split(x) {axis: 1, numOutputs: 2}");
  });

  it("leaves out masks that nobody uses, and statistics of a batch norm that does not train", () => {
    expect(raised("dropout_7_mask_unused")).toContain("y: float32[…] = Dropout(x, y_ratio)");
    expect(raised("batch_norm_9_outputs")).toContain("{trainingMode: true}");
  });
});
