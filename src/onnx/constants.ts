/** @file Constant nodes: whichever attribute holds the value, it becomes a tensor. */
import { GraftError, type Tensor, tensorOf } from "../tensor/index.ts";
import { attributeTypes } from "./attributes.ts";
import type { AttributeProto, SparseTensorProto, TensorProto } from "./proto/onnx_pb.ts";

interface TensorReader {
  readonly tensor: (proto: TensorProto) => Tensor;
  readonly sparse: (proto: SparseTensorProto) => Tensor;
}

type Reader = (proto: AttributeProto, read: TensorReader) => Tensor | undefined;

/** By name of the attribute (onnx/docs/Operators.md, Constant). */
const forms: ReadonlyMap<string, readonly [type: number, read: Reader]> = new Map<string, readonly [number, Reader]>([
  ["value", [attributeTypes.TENSOR, ({ t }, read) => t && read.tensor(t)]],
  [
    "sparse_value",
    [attributeTypes.SPARSE_TENSOR, ({ sparseTensor }, read) => sparseTensor && read.sparse(sparseTensor)],
  ],
  ["value_int", [attributeTypes.INT, ({ i }) => integers([], [i])]],
  ["value_ints", [attributeTypes.INTS, ({ ints }) => integers([ints.length], ints)]],
  ["value_float", [attributeTypes.FLOAT, ({ f }) => tensorOf("float32", [], [f])]],
  ["value_floats", [attributeTypes.FLOATS, ({ floats }) => tensorOf("float32", [floats.length], floats)]],
  ["value_string", [attributeTypes.STRING, ({ s }) => ({ dtype: "string", shape: [], data: [s] })]],
  [
    "value_strings",
    [attributeTypes.STRINGS, ({ strings }) => ({ dtype: "string", shape: [strings.length], data: strings })],
  ],
]);

/** The tensor of a Constant node. Throws unless exactly one known attribute holds it. */
export function readConstant(attributes: ReadonlyMap<string, AttributeProto>, read: TensorReader): Tensor {
  const [[name, attribute] = ["", undefined]] = attributes;
  const form = attributes.size === 1 ? forms.get(name) : undefined;
  const isTyped = attribute?.type === form?.[0] || attribute?.type === 0;
  const tensor = attribute === undefined || !isTyped ? undefined : form?.[1](attribute, read);
  if (tensor !== undefined) return tensor;
  throw new GraftError("model-invalid", "a constant holds no value", {
    expected: "one attribute that holds a value",
    actual: [...attributes.keys()].join(", ") || "none",
  });
}

/** Every digit of an int64 counts. */
export function integers(shape: readonly number[], values: readonly bigint[]): Tensor {
  return { dtype: "int64", shape, data: BigInt64Array.from(values) };
}
