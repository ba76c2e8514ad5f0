/** @file What can be told of element types and ranks while a file is read, before there is any inference of shapes. */
import type { Node, Value } from "../../graph/index.ts";
import type { DType } from "../../tensor/index.ts";

/** Outputs whose element type is not that of the first input. */
const otherTypes: Readonly<Record<string, (node: Node, guesses: Guesses) => DType | undefined>> = {
  ...constantly("int64", ["ArgMax", "ArgMin", "NonZero", "Shape", "Size"]),
  ...constantly("bool", [
    "And",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "IsInf",
    "IsNaN",
    "Less",
    "LessOrEqual",
    "Not",
    "Or",
    "Xor",
  ]),
  ...constantly(undefined, ["If", "Loop", "Scan"]),
  Bernoulli: (node, guesses) => attribute(node, "dtype") ?? guesses.dtypeOf(node.inputs[0]),
  Cast: (node) => attribute(node, "to"),
  CastLike: (node, guesses) => guesses.dtypeOf(node.inputs[1]),
  ConstantOfShape: (node) =>
    node.kind === "operator" && node.operator === "ConstantOfShape"
      ? (node.attributes.value?.dtype ?? "float32")
      : undefined,
  EyeLike: (node, guesses) => attribute(node, "dtype") ?? guesses.dtypeOf(node.inputs[0]),
  OneHot: (node, guesses) => guesses.dtypeOf(node.inputs[2]),
  RandomNormalLike: (node, guesses) => attribute(node, "dtype") ?? guesses.dtypeOf(node.inputs[0]),
  RandomUniformLike: (node, guesses) => attribute(node, "dtype") ?? guesses.dtypeOf(node.inputs[0]),
  Where: (node, guesses) => guesses.dtypeOf(node.inputs[1]),
};

/** Operators whose output is as long in every axis count as their first input. */
const keepingRank: ReadonlySet<string> = new Set([
  "AveragePool",
  "BatchNormalization",
  "Clip",
  "Conv",
  "ConvTranspose",
  "Dropout",
  "Elu",
  "GlobalAveragePool",
  "GlobalMaxPool",
  "Identity",
  "LRN",
  "LeakyRelu",
  "LogSoftmax",
  "MaxPool",
  "PRelu",
  "Relu",
  "Sigmoid",
  "Softmax",
  "Tanh",
  "Transpose",
]);

/** Remembers types that the file does not state. What it does not know it leaves open; nothing rests on it being complete. */
export class Guesses {
  readonly #dtypes = new Map<Value, DType>();
  readonly #ranks = new Map<Value, number>();

  dtypeOf(value: Value | undefined): DType | undefined {
    return value && (value.dtype ?? this.#dtypes.get(value));
  }

  rankOf(value: Value | undefined): number | undefined {
    return value && (value.shape?.length ?? this.#ranks.get(value));
  }

  observe(node: Node): void {
    const [output] = node.outputs;
    if (node.kind === "foreign" || output === undefined) return;
    const other = otherTypes[node.operator];
    const dtype = other === undefined ? this.dtypeOf(node.inputs[0]) : other(node, this);
    if (output.dtype === undefined && dtype !== undefined) this.#dtypes.set(output, dtype);
    const rank = rankAfter(node, this);
    if (output.shape === undefined && rank !== undefined) this.#ranks.set(output, rank);
  }
}

function rankAfter(node: Node, guesses: Guesses): number | undefined {
  if (node.operator === "Gemm" || node.operator === "Flatten") return 2;
  if (node.operator === "Reshape") {
    const size = node.inputs[1]?.shape?.[0];
    return typeof size === "number" ? size : undefined;
  }
  return keepingRank.has(node.operator) ? guesses.rankOf(node.inputs[0]) : undefined;
}

function attribute(node: Node, name: "dtype" | "to"): DType | undefined {
  return node.kind === "operator"
    ? ((node.attributes as Record<string, unknown>)[name] as DType | undefined)
    : undefined;
}

function constantly(dtype: DType | undefined, operators: readonly string[]): Record<string, () => DType | undefined> {
  return Object.fromEntries(operators.map((operator) => [operator, () => dtype]));
}
