/** @file Operators that gather and scatter by index. */
import type { ScatterReduction, Value } from "../../../graph/index.ts";
import { normalizeAxis, tensorOf } from "../../../tensor/index.ts";
import type { Call, Lower, OperatorRows } from "./call.ts";

/** Indices as ONNX takes them: int32 and int64. */
function indices(call: Call, index: number): Value {
  const value = call.value(index);
  return value.dtype === "int32" || value.dtype === "int64" ? value : call.build.cast(value, "int64");
}

const gather: Lower = (call) => {
  const axis = call.inputs.length > 2 ? call.axis(2, call.rank(0)) : 0;
  const batch = call.int("batch_dims", 0);
  const dims = batch < 0 ? normalizeAxis(batch, call.rank(1)) : batch;
  if (dims === 0) return call.apply("Gather", [call.value(0), indices(call, 1)], { axis });
  return gatheredByBatch(call, axis, dims);
};

/** With the first `dims` axes in common, result[b…, m…, i…, r…] = x[b…, m…, indices[b…, i…], r…]. */
function gatheredByBatch(call: Call, axis: number, dims: number): Value {
  const { build } = call;
  const rank = call.rank(0);
  const places = call.rank(1) - dims;
  const middle = axis - dims;
  const axes = Array.from({ length: rank }, (_, index) => index);
  const moved = [...axes.slice(0, dims), axis, ...axes.slice(dims, axis), ...axes.slice(axis + 1)];
  const x = build.transpose(call.value(0), moved);
  const picked = build.apply("GatherND", [x, build.unsqueeze(call.int64(1), [-1])], { batchDims: dims }, call.name);
  // [b…, i…, m…, r…] to [b…, m…, i…, r…].
  const total = dims + places + rank - dims - 1;
  const order = Array.from({ length: total }, (_, index) => index);
  const back = [
    ...order.slice(0, dims),
    ...order.slice(dims + places, dims + places + middle),
    ...order.slice(dims, dims + places),
    ...order.slice(dims + places + middle),
  ];
  return build.transpose(picked, back);
}

const gatherNd: Lower = (call) =>
  call.apply("GatherND", [call.value(0), call.int64(1)], { batchDims: call.int("batch_dims", 0) });

/** Updates added up in zeros of a shape. */
const scatterNd: Lower = (call) => {
  const { build } = call;
  const updates = call.value(1);
  const zero = tensorOf(
    updates.dtype === undefined || updates.dtype === "string" ? "float32" : updates.dtype,
    [1],
    [0],
  );
  const base = build.apply("ConstantOfShape", [call.int64(2)], { value: zero });
  return call.apply("ScatterND", [base, call.int64(0), updates], { reduction: "add" });
};

function tensorScatter(reduction: ScatterReduction, prepare: (updates: Value, call: Call) => Value): Lower {
  return (call) => call.apply("ScatterND", [call.value(0), call.int64(1), prepare(call.value(2), call)], { reduction });
}

const asIs = (updates: Value): Value => updates;

/** Whether each place of the new axis is the index: unlike ONNX's OneHot, indices outside give no hit. */
export function hits(call: Call, index: Value, depth: Value, axis: number): Value {
  const { build } = call;
  const zero = build.constant(tensorOf("int64", [], [0]));
  const one = build.constant(tensorOf("int64", [], [1]));
  const places = build.apply("Range", [zero, build.reshape(depth, []), one]);
  const rank = index.shape?.length ?? 0;
  const after = Array.from({ length: rank - axis }, (_, each) => each + 1);
  return build.equal(build.unsqueeze(build.cast(index, "int64"), [axis]), build.unsqueeze(places, after));
}

const oneHot: Lower = (call) => {
  const { build } = call;
  const rank = call.rank(0);
  const axis = normalizeAxis(call.int("axis", -1), rank + 1);
  const hit = hits(call, call.value(0), build.cast(call.value(1), "int64"), axis);
  return call.apply("Where", [hit, call.value(2), call.value(3)]);
};

/** Where one operand is true: `[count, rank]`. */
const where: Lower = (call) => {
  const x = call.value(0);
  call.rank(0);
  return call.apply("Transpose", [call.build.apply("NonZero", [x])], { perm: [1, 0] });
};

/** How often each number comes up in each row; `binary_output`: whether it does. */
const denseBincount: Lower = (call) => {
  const { build } = call;
  const x = call.value(0);
  const type = call.type("T", "float32");
  const weights = call.inputs.length > 2 ? call.value(2) : undefined;
  const rank = call.rank(0);
  const isWeighted = weights !== undefined && weights.shape?.every((size) => size !== 0) === true;
  const hit = build.cast(hits(call, x, build.cast(call.value(1), "int64"), rank), type);
  const axis = build.ints([rank - 1]);
  if (call.bool("binary_output", false)) return call.apply("ReduceMax", [hit, axis], { keepdims: false });
  const counted = isWeighted ? build.mul(hit, build.unsqueeze(weights, [rank])) : hit;
  return call.apply("ReduceSum", [counted, axis], { keepdims: false });
};

/** Sums of rows by segment; the number of segments is known. */
const segmentSum: Lower = (call) => {
  const { build } = call;
  const rank = call.rank(0);
  const segments = call.rank(1);
  const count = call.int64(2);
  const data = call.value(0);
  const rest = build.apply("Shape", [data], { start: segments, end: rank });
  const sizes = segments === rank ? build.reshape(count, [1]) : build.concat([build.reshape(count, [1]), rest], 0);
  const zero = tensorOf(data.dtype === undefined || data.dtype === "string" ? "float32" : data.dtype, [1], [0]);
  const base = build.apply("ConstantOfShape", [sizes], { value: zero });
  return call.apply("ScatterND", [base, build.unsqueeze(call.int64(1), [-1]), data], { reduction: "add" });
};

export const indexingRows: OperatorRows = [
  ["DenseBincount", denseBincount],
  ["Gather", gather],
  ["GatherNd", gatherNd],
  ["GatherV2", gather],
  ["OneHot", oneHot],
  ["ResourceGather", gather],
  ["ResourceGatherNd", gatherNd],
  ["ScatterNd", scatterNd],
  ["TensorScatterAdd", tensorScatter("add", asIs)],
  ["TensorScatterMax", tensorScatter("max", asIs)],
  ["TensorScatterMin", tensorScatter("min", asIs)],
  ["TensorScatterSub", tensorScatter("add", (updates, { build }) => build.neg(updates))],
  ["TensorScatterUpdate", tensorScatter("none", asIs)],
  ["UnsortedSegmentSum", segmentSum],
  ["Where", where],
];
