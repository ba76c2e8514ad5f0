/** @file Nodes of TensorFlow's graphs as layers of TensorFlow 2.0 to 2.3 (TensorFlowOpLayer): a NodeDef as JSON. */
import type { Json } from "../../layers/index.ts";
import { fieldOf, isRecord, type JsonRecord, textField } from "./config.ts";
import type { OperationRow } from "./operations-keras.ts";

/** What such a layer's config says. */
export interface NodeOperation {
  readonly op: string;
  /** `undefined` where the operator is not known. */
  readonly row: OperationRow | undefined;
  /** Constants among its inputs, by their position. */
  readonly constants: ReadonlyMap<number, Json>;
  /** Its attributes, as plain values. */
  readonly attributes: JsonRecord;
}

const two = "x y";
const along = "x axis keepdims=keep_dims";

/** By TensorFlow's operator; parameters are its inputs in order, then attributes. */
export const nodeRows: ReadonlyMap<string, OperationRow> = new Map<string, OperationRow>([
  ["Abs", ["abs", "x"]],
  ["Neg", ["negative", "x"]],
  ["Sign", ["sign", "x"]],
  ["Square", ["square", "x"]],
  ["Sqrt", ["sqrt", "x"]],
  ["Rsqrt", ["rsqrt", "x"]],
  ["Reciprocal", ["reciprocal", "x"]],
  ["Inv", ["reciprocal", "x"]],
  ["Exp", ["exp", "x"]],
  ["Log", ["log", "x"]],
  ["Log1p", ["log1p", "x"]],
  ["Floor", ["floor", "x"]],
  ["Ceil", ["ceil", "x"]],
  ["Round", ["round", "x"]],
  ["Sin", ["sin", "x"]],
  ["Cos", ["cos", "x"]],
  ["Erf", ["erf", "x"]],
  ["Sigmoid", ["sigmoid", "x"]],
  ["Tanh", ["tanh", "x"]],
  ["Relu", ["relu", "x"]],
  ["Relu6", ["relu6", "x"]],
  ["Elu", ["elu", "x"]],
  ["Selu", ["selu", "x"]],
  ["LeakyRelu", ["leaky_relu", "x alpha"]],
  ["Softplus", ["softplus", "x"]],
  ["Softsign", ["softsign", "x"]],
  ["Softmax", ["softmax", "x"]],
  ["LogSoftmax", ["log_softmax", "x"]],
  ["Identity", ["identity", "x"]],
  ["StopGradient", ["identity", "x"]],
  ["Cast", ["cast", "x dtype=DstT"]],
  ["ClipByValue", ["clip", "x least most"]],
  ["ZerosLike", ["zeros_like", "x"]],
  ["OnesLike", ["ones_like", "x"]],
  ["Add", ["add", two]],
  ["AddV2", ["add", two]],
  ["AddN", ["add_n", "*x"]],
  ["Sub", ["subtract", two]],
  ["Mul", ["multiply", two]],
  ["RealDiv", ["divide", two]],
  ["Div", ["divide", two]],
  ["DivNoNan", ["divide_no_nan", two]],
  ["FloorDiv", ["floor_divide", two]],
  ["FloorMod", ["mod", two]],
  ["Pow", ["power", two]],
  ["Maximum", ["maximum", two]],
  ["Minimum", ["minimum", two]],
  ["SquaredDifference", ["squared_difference", two]],
  ["Equal", ["equal", two]],
  ["NotEqual", ["not_equal", two]],
  ["Less", ["less", two]],
  ["LessEqual", ["less_equal", two]],
  ["Greater", ["greater", two]],
  ["GreaterEqual", ["greater_equal", two]],
  ["LogicalAnd", ["logical_and", two]],
  ["LogicalOr", ["logical_or", two]],
  ["LogicalNot", ["logical_not", "x"]],
  ["Select", ["where", "condition x y"]],
  ["SelectV2", ["where", "condition x y"]],
  ["Mean", ["mean", along]],
  ["Sum", ["sum", along]],
  ["Max", ["max", along]],
  ["Min", ["min", along]],
  ["Prod", ["prod", along]],
  ["Any", ["any", along]],
  ["All", ["all", along]],
  ["ArgMax", ["tf_argmax", "x axis dtype=output_type"]],
  ["ArgMin", ["tf_argmin", "x axis dtype=output_type"]],
  ["Cumsum", ["cumsum", "x axis exclusive reverse"]],
  ["Reshape", ["reshape", "x shape"]],
  ["Transpose", ["transpose", "x axes"]],
  ["ExpandDims", ["expand_dims", "x axis"]],
  ["Squeeze", ["squeeze", "x axis=squeeze_dims"]],
  ["ConcatV2", ["concatenate", "*x axis"]],
  ["Pack", ["stack", "*x axis"]],
  ["Unpack", ["unstack", "x axis"]],
  ["Tile", ["tile", "x repeats"]],
  ["Pad", ["pad", "x paddings"]],
  ["PadV2", ["pad", "x paddings value"]],
  ["BroadcastTo", ["broadcast_to", "x shape"]],
  ["Shape", ["shape", "x dtype=out_type"]],
  ["Size", ["size", "x dtype=out_type"]],
  [
    "StridedSlice",
    ["strided_slice", "x begin end strides begin_mask end_mask ellipsis_mask new_axis_mask shrink_axis_mask"],
  ],
  ["Slice", ["slice", "x begin size"]],
  ["GatherV2", ["take", "x indices axis"]],
  ["ReverseV2", ["flip", "x axis"]],
  ["OneHot", ["one_hot", "x depth on_value off_value axis dtype=T"]],
  ["MatMul", ["matmul", "x y transpose_a transpose_b"]],
  ["BatchMatMul", ["matmul", "x y adjoint_a=adj_x adjoint_b=adj_y"]],
  ["BatchMatMulV2", ["matmul", "x y adjoint_a=adj_x adjoint_b=adj_y"]],
  ["BiasAdd", ["bias_add", "x y data_format"]],
  ["DepthToSpace", ["depth_to_space", "x block=block_size data_format"]],
  ["SpaceToDepth", ["space_to_depth", "x block=block_size data_format"]],
  ["MaxPool", ["max_pool", "x size=ksize strides padding data_format"]],
  ["AvgPool", ["average_pool", "x size=ksize strides padding data_format"]],
]);

/** Reads the node of a layer's config; `undefined` where there is none that can be read. */
export function nodeOperation(config: JsonRecord): NodeOperation | undefined {
  const node = nodeIn(fieldOf(config, "node_def"));
  const op = node === undefined ? undefined : textField(node, "op");
  if (node === undefined || op === undefined) return undefined;
  const held = fieldOf(config, "constants");
  const constants = isRecord(held) ? Object.entries(held).map(([key, value]) => [Number(key), value] as const) : [];
  const given = fieldOf(node, "attr");
  const attributes = isRecord(given) ? Object.entries(given).flatMap(([key, value]) => attributeOf(key, value)) : [];
  return {
    op,
    row: nodeRows.get(op),
    constants: new Map(constants),
    attributes: Object.fromEntries(attributes),
  };
}

/** Some versions wrote the JSON as a text. */
function nodeIn(value: Json | undefined): JsonRecord | undefined {
  if (typeof value !== "string") return isRecord(value) ? value : undefined;
  try {
    const parsed: Json = JSON.parse(value);
    return isRecord(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function attributeOf(key: string, value: Json): readonly (readonly [string, Json])[] {
  if (!isRecord(value)) return [];
  const [kind] = Object.keys(value);
  const content = kind === undefined ? undefined : value[kind];
  if (kind === "i") return [[key, Number(content)]];
  if (kind === "b" || kind === "f") return [[key, content ?? null]];
  if (kind === "type" && typeof content === "string") return [[key, typeNames.get(content) ?? content]];
  if (kind === "s" && typeof content === "string") return [[key, textOf(content)]];
  if (kind === "list" && isRecord(content)) {
    const items = fieldOf(content, "i");
    return [[key, Array.isArray(items) ? items.map(Number) : []]];
  }
  return [];
}

const typeNames: ReadonlyMap<string, string> = new Map([
  ["DT_FLOAT", "float32"],
  ["DT_DOUBLE", "float64"],
  ["DT_HALF", "float16"],
  ["DT_INT32", "int32"],
  ["DT_INT64", "int64"],
  ["DT_UINT8", "uint8"],
  ["DT_BOOL", "bool"],
]);

/** Bytes are base64 in the JSON of protobuf. */
function textOf(base64: string): string {
  try {
    return atob(base64);
  } catch {
    return base64;
  }
}
