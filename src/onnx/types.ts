/** @file Types of values between ONNX's ValueInfoProto and the graph room. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Value } from "../graph/index.ts";
import { type Dimension, GraftError } from "../tensor/index.ts";
import {
  type TensorShapeProto,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  type TypeProto,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./proto/onnx_pb.ts";
import { codeOfDType, dtypeOfCode } from "./tensors.ts";

/** A value's type without its name. */
export type ReadType = Omit<Value, "name">;

export const unknownType: ReadType = { dtype: undefined, shape: undefined };

/** Tensors of known types become dtype and shape; sequences, maps, optionals and the rest stay encoded. */
export function readType(proto: TypeProto | undefined): ReadType {
  if (proto === undefined || proto.value.case === undefined) return unknownType;
  if (proto.value.case === "tensorType") {
    const { elemType, shape } = proto.value.value;
    const dtype = dtypeOfCode(elemType);
    if (dtype !== undefined || elemType === 0) return { dtype, shape: shape?.dim.map(readDimension) };
  }
  return { ...unknownType, opaqueType: toBinary(TypeProtoSchema, proto) };
}

function readDimension({ value }: TensorShapeProto["dim"][number]): Dimension {
  if (value.case === "dimParam") return value.value === "" ? null : value.value;
  // Some exporters write -1 for "unknown", and ONNX Runtime reads it so.
  if (value.case === undefined || value.value < 0n) return null;
  if (value.value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value.value);
  throw new GraftError("model-refused", "a declared size overflows", {
    expected: "below 2^53",
    actual: `${value.value}`,
  });
}

/**
 * The message of a value. `kept` is what the file said of it: written as it was while the type is the same, so that
 * denotations and unknown fields survive; else only its documentation is carried over.
 */
export function writeValueInfo(value: Value, kept: ValueInfoProto | undefined): ValueInfoProto {
  const info = create(ValueInfoProtoSchema, { name: value.name });
  if (kept !== undefined) Object.assign(info, kept, { name: value.name });
  if (kept !== undefined && isSameType(readType(kept.type), value)) return info;
  const type = writeType(value);
  if (type === undefined) delete info.type;
  else info.type = type;
  return info;
}

function writeType(value: Value): TypeProto | undefined {
  if (value.dtype === undefined && value.opaqueType !== undefined) return fromBinary(TypeProtoSchema, value.opaqueType);
  if (value.dtype === undefined && value.shape === undefined) return undefined;
  const tensor = create(TypeProto_TensorSchema, { elemType: value.dtype === undefined ? 0 : codeOfDType(value.dtype) });
  if (value.shape !== undefined) {
    tensor.shape = create(TensorShapeProtoSchema, { dim: value.shape.map(writeDimension) });
  }
  return create(TypeProtoSchema, { value: { case: "tensorType", value: tensor } });
}

function writeDimension(size: Dimension): TensorShapeProto["dim"][number] {
  if (size === null) return create(TensorShapeProto_DimensionSchema);
  return create(TensorShapeProto_DimensionSchema, {
    value: typeof size === "string" ? { case: "dimParam", value: size } : { case: "dimValue", value: BigInt(size) },
  });
}

function isSameType(a: ReadType, b: ReadType): boolean {
  return a.dtype === b.dtype && sameKey(a) === sameKey(b);
}

function sameKey({ shape, opaqueType }: ReadType): string {
  return JSON.stringify([shape ?? "unknown", opaqueType === undefined ? "" : [...opaqueType]]);
}

/** Whether a value's message says more than its type: documentation, metadata, denotations, unknown fields. */
export function saysMore(info: ValueInfoProto): boolean {
  const { type } = info;
  if (info.docString !== "" || info.metadataProps.length > 0 || info.$unknown !== undefined) return true;
  if (type === undefined) return false;
  if (type.denotation !== "" || type.$unknown !== undefined || type.value.value?.$unknown !== undefined) return true;
  if (type.value.case !== "tensorType") return false;
  const { shape } = type.value.value;
  if (shape === undefined) return false;
  return shape.$unknown !== undefined || shape.dim.some((dim) => dim.denotation !== "" || dim.$unknown !== undefined);
}
