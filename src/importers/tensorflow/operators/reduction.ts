/** @file Operators that reduce along axes or run along one. */
import type { Oriented, Value } from "../../../graph/index.ts";
import { type DType, isFloating, normalizeAxis } from "../../../tensor/index.ts";
import type { Call, Lower, OperatorRows } from "./call.ts";

type Reduction = "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceProd" | "ReduceSum" | "ReduceL2";

function reduced(call: Call, operator: Reduction, prepare: (x: Value) => Value, finish: (y: Value) => Value): Oriented {
  const { build } = call;
  const data = call.oriented(0);
  const rank = call.rank(0);
  const axes = [...new Set(call.integers(1).map((axis) => normalizeAxis(axis, rank)))].sort((a, b) => a - b);
  const keepdims = call.bool("keep_dims", false);
  if (axes.length === 0) return data.map((x) => finish(prepare(x)));
  const spatial = Array.from({ length: rank - 2 }, (_, axis) => axis + 1);
  const isSpatial = rank >= 3 && axes.length === spatial.length && spatial.every((axis) => axes.includes(axis));
  if (operator === "ReduceMean" && isSpatial && rank === 4 && data.isFirst && isFloating(data.dtype)) {
    const pooled = build.apply("GlobalAveragePool", [data.first()], {}, keepdims ? call.name : `${call.name}/pool`);
    return keepdims ? call.first(pooled) : call.last(call.apply("Flatten", [pooled]));
  }
  // Without the axes, what is left of [N, C, …spatial] is in TensorFlow's order only where channels or maps go.
  const isOrdered = keepdims || axes.includes(rank - 1) || spatial.every((axis) => axes.includes(axis));
  const x = isOrdered ? data.native : data.last();
  const own = isOrdered ? axes.map((axis) => data.nativeAxis(axis)) : axes;
  const y = finish(call.apply(operator, [prepare(x), build.ints(own.sort((a, b) => a - b))], { keepdims }));
  return keepdims && data.isFirst ? call.first(y) : call.last(y);
}

const same = (value: Value): Value => value;

function reduction(operator: Reduction): Lower {
  return (call) => {
    const { dtype } = call.oriented(0);
    // The mean of whole numbers is rounded towards 0.
    if (operator !== "ReduceMean" || isFloating(dtype) || dtype === undefined) {
      return reduced(call, operator, same, same);
    }
    return reduced(
      call,
      operator,
      (x) => call.build.cast(x, "float64"),
      (y) => call.build.cast(y, dtype),
    );
  };
}

function logical(operator: "ReduceMax" | "ReduceMin"): Lower {
  return (call) =>
    reduced(
      call,
      operator,
      (x) => call.build.cast(x, "int32"),
      (y) => call.build.cast(y, "bool"),
    );
}

function extreme(operator: "ArgMax" | "ArgMin"): Lower {
  return (call) => {
    const x = call.value(0);
    const given = call.inputs.length > 1 ? call.axis(1, call.rank(0)) : 0;
    // Not every kernel of ONNX Runtime takes every whole number.
    const operand = isFloating(x.dtype) || x.dtype === "int32" ? x : call.build.cast(x, "int32");
    const index = call.apply(operator, [operand], { axis: given, keepdims: false });
    return call.build.cast(index, call.type("output_type", "int64"));
  };
}

function cumulative(operator: "CumSum" | "CumProd"): Lower {
  return (call) => {
    const axis = call.build.ints([call.axis(1, call.rank(0))]);
    const scalarAxis = call.build.squeeze(axis, [0]);
    const attributes = { exclusive: call.bool("exclusive", false), reverse: call.bool("reverse", false) };
    return call.apply(operator, [call.value(0), scalarAxis], attributes);
  };
}

function indexType(call: Call): DType {
  return call.type("index_type", "int32");
}

const topK: Lower = (call) => {
  const { build } = call;
  const count = call.node.op === "TopK" ? build.ints([call.int("k", 1)]) : build.reshape(call.int64(1), [1]);
  const sorted = call.bool("sorted", true);
  const [values, indices] = build.applyAll("TopK", [call.value(0), count], 2, { sorted }, call.name);
  if (values === undefined || indices === undefined) throw call.refused("TopK gives two outputs");
  return [values, build.cast(indices, indexType(call))];
};

/** Half the sum of the squares of all elements. */
const halfSquares: Lower = (call) =>
  call.build.scale(call.apply("ReduceSumSquare", [call.oriented(0).native], { keepdims: false }), 0.5);

export const reductionRows: OperatorRows = [
  ["All", logical("ReduceMin")],
  ["Any", logical("ReduceMax")],
  ["ArgMax", extreme("ArgMax")],
  ["ArgMin", extreme("ArgMin")],
  ["Cumsum", cumulative("CumSum")],
  ["EuclideanNorm", reduction("ReduceL2")],
  ["L2Loss", halfSquares],
  ["Max", reduction("ReduceMax")],
  ["Mean", reduction("ReduceMean")],
  ["Min", reduction("ReduceMin")],
  ["Prod", reduction("ReduceProd")],
  ["Sum", reduction("ReduceSum")],
  ["TopK", topK],
  ["TopKV2", topK],
];
