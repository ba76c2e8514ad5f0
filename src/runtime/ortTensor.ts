/** @file Our tensors and ONNX Runtime's: the same memory under another name. Only strings are copied. */
import { GraftError, isReadable, type Tensor, type TypedArray } from "../tensor/index.ts";
import { isPassable } from "./ports.ts";

/** The tensor of onnxruntime-common, as far as the room uses it. Both bindings share it. */
export interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  getData(releaseData?: boolean): Promise<unknown>;
  dispose(): void;
}

/** The constructor of `OrtTensor`, in the one form that the room calls. */
export type OrtTensorConstructor<Value extends OrtTensor> = new (
  type: never,
  data: never,
  dims: readonly number[],
) => Value;

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** ONNX Runtime's tensor over the memory of ours. Throws "usage" for a type that cannot pass and for strings that are not UTF-8. */
export function toOrt<Value extends OrtTensor>(OrtTensor: OrtTensorConstructor<Value>, tensor: Tensor): Value {
  if (!isPassable(tensor.dtype)) {
    throw new GraftError("usage", `tensors of ${tensor.dtype} do not pass between JavaScript and ONNX Runtime`);
  }
  const data = tensor.dtype === "string" ? tensor.data.map(decode) : tensor.data;
  // The overloads of the constructor tie each type name to its array; `Tensor` ties them in the same way.
  return new OrtTensor(tensor.dtype as never, data as never, tensor.shape);
}

/** Our tensor over the memory of ONNX Runtime's; downloads first what lies on a device. */
export async function fromOrt(value: OrtTensor): Promise<Tensor> {
  const { type, dims } = value;
  const data = await value.getData();
  if (Array.isArray(data)) {
    return { dtype: "string", shape: dims, data: data.map((text: unknown) => encoder.encode(String(text))) };
  }
  if (!isPassable(type) || type === "string" || !isReadable(type) || !ArrayBuffer.isView(data)) {
    throw new GraftError("model-refused", `tensors of ${type} do not pass between ONNX Runtime and JavaScript`);
  }
  return { dtype: type, shape: dims, data: storageView(data) };
}

/** Newer engines give float16 as a Float16Array: the house keeps its bits. The other arrays are those of our storage. */
function storageView(data: ArrayBufferView): TypedArray {
  if (data.constructor.name !== "Float16Array") return data as TypedArray;
  return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new GraftError("usage", "ONNX Runtime takes strings from JavaScript only as UTF-8", { cause });
  }
}
