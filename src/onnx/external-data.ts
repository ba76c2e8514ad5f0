/** @file Data outside the model file: refused, unless the caller resolves it; what a location may look like. */
import { GraftError } from "../tensor/index.ts";
import type { TensorProto } from "./proto/onnx_pb.ts";

/** Gives exactly `length` bytes from `offset` of the file a model names. It decides what may be read, and may throw. */
export type ExternalData = (location: string, offset: number, length: number) => Uint8Array;

/**
 * The bytes of a tensor stored outside the model. Throws without a resolver, when the place is no plain relative path
 * (design: nothing in a model chooses a path), and when offset or length are not what the tensor's shape asks for.
 */
export function loadExternal(proto: TensorProto, expected: number, external: ExternalData | undefined): Uint8Array {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  if (entries.size !== proto.externalData.length) {
    throw new GraftError("model-refused", "external data is described twice");
  }
  const location = entries.get("location") ?? "";
  if (external === undefined) {
    throw new GraftError("model-refused", "the model keeps data in another file, and none may be read", {
      actual: JSON.stringify(location),
      hint: "read the model from its own folder, with that file beside it",
    });
  }
  checkLocation(location);
  if (proto.rawData.length > 0) {
    throw new GraftError("model-refused", "a tensor is stored both in the model and outside it");
  }
  const offset = readNumber("offset", entries.get("offset") ?? "0");
  const length = readNumber("length", entries.get("length") ?? String(expected));
  if (length !== expected) {
    throw new GraftError("model-invalid", "the external data does not fill the tensor's shape", {
      path: [location],
      expected: `${expected} bytes`,
      actual: `${length}`,
    });
  }
  if (!Number.isSafeInteger(offset + length)) {
    throw new GraftError("model-refused", "the external data's place overflows", { path: [location] });
  }
  if (length === 0) return new Uint8Array(0);
  const bytes = external(location, offset, length);
  if (bytes.length !== length) {
    throw new GraftError("model-invalid", "the external data is cut short", {
      path: [location],
      expected: `${length} bytes at ${offset}`,
      actual: `${bytes.length}`,
    });
  }
  return bytes;
}

/** Throws unless the location is a relative path of plain names: no `..`, no root, no drive, no backslash. */
export function checkLocation(location: string): void {
  const names = location.split("/");
  // Control characters and backslashes are read differently by different systems; a colon names drives and streams.
  const isPlain = !/[\\:\p{Cc}]/u.test(location) && names.every((name) => name !== "" && name !== "." && name !== "..");
  if (isPlain) return;
  throw new GraftError("model-refused", "external data lies at a place that is not allowed", {
    expected: "a plain path inside the model's folder",
    actual: JSON.stringify(location),
  });
}

function readNumber(key: string, text: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new GraftError("model-refused", `the external data's ${key} is no whole number`, {
    expected: "0 to 2^53",
    actual: JSON.stringify(text.slice(0, 40)),
  });
}
