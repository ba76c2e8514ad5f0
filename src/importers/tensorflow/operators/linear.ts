/** @file Products of matrices. */
import type { Value } from "../../../graph/index.ts";
import type { Call, Lower, OperatorRows } from "./call.ts";

/** Whether the product goes through ONNX's Gemm, which takes matrices of floats and turns them itself. */
function product(call: Call, a: Value, b: Value, turnsA: boolean, turnsB: boolean): Value {
  const { build } = call;
  const isMatrix = a.shape?.length === 2 && b.shape?.length === 2 && a.dtype === "float32";
  if (isMatrix && (turnsA || turnsB)) return call.apply("Gemm", [a, b], { transA: turnsA, transB: turnsB });
  const turned = (value: Value, isTurned: boolean) =>
    isTurned ? build.transpose(value, lastTwoSwapped(value)) : value;
  return call.apply("MatMul", [turned(a, turnsA), turned(b, turnsB)]);
}

function lastTwoSwapped({ shape }: Value): readonly number[] {
  const rank = shape?.length ?? 2;
  const axes = Array.from({ length: rank - 2 }, (_, axis) => axis);
  return [...axes, rank - 1, rank - 2];
}

const matMul: Lower = (call) => {
  const { build } = call;
  const [a, b] = [call.value(0), call.value(1)];
  const own = product(call, a, b, call.bool("transpose_a", false), call.bool("transpose_b", false));
  const type = call.type("Tout", a.dtype ?? "float32");
  return build.cast(own, type);
};

const batchMatMul: Lower = (call) => {
  call.rank(0);
  call.rank(1);
  return product(call, call.value(0), call.value(1), call.bool("adj_x", false), call.bool("adj_y", false));
};

export const linearRows: OperatorRows = [
  ["BatchMatMul", batchMatMul],
  ["BatchMatMulV2", batchMatMul],
  ["BatchMatMulV3", batchMatMul],
  ["Einsum", (call) => call.apply("Einsum", call.values(), { equation: call.text("equation", "") })],
  ["MatMul", matMul],
];
