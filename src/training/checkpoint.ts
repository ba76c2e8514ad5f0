/** @file Checkpoints: everything a training needs to go on, in one block of bytes that proves itself whole. */
import {
  bytesOf,
  type DType,
  elementCount,
  GraftError,
  type NumericTensor,
  sha256,
  storageOf,
} from "../tensor/index.ts";

/** Where a training keeps its checkpoint. */
export interface CheckpointStore {
  /** The last one saved that is whole; `undefined` where there is none. */
  load(): Promise<Uint8Array | undefined>;
  /** Returns when the checkpoint would survive a power cut. The one before stays until then. */
  save(bytes: Uint8Array): Promise<void>;
}

export interface Checkpoint {
  /** SHA-256 of what is trained on what, and how: a checkpoint is gone on with by the same training only. */
  readonly problem: string;
  /** As JSON; numbers that are not finite survive. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, NumericTensor>;
}

/** Begins every checkpoint; the last character is the version of the format. */
const magic = "GRAFTCK1";
const digestBytes = 32;
/** Every tensor begins at a multiple of this, so that its elements can be read in place. */
const alignment = 8;

/** The bytes: magic, the header's length, the header as JSON, the tensors, and the SHA-256 of all that. */
export async function encodeCheckpoint({ problem, values, tensors }: Checkpoint): Promise<Uint8Array> {
  const about = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const header = new TextEncoder().encode(JSON.stringify({ problem, values: write(values), tensors: about }));
  const start = aligned(magic.length + 4 + header.length);
  const lengths = [...tensors.values()].map((tensor) => aligned(tensor.data.byteLength));
  const bytes = new Uint8Array(start + lengths.reduce((sum, length) => sum + length, 0) + digestBytes);
  bytes.set(new TextEncoder().encode(magic));
  new DataView(bytes.buffer).setUint32(magic.length, header.length, true);
  bytes.set(header, magic.length + 4);
  let at = start;
  for (const [index, tensor] of [...tensors.values()].entries()) {
    bytes.set(bytesOf(tensor), at);
    at += lengths[index] ?? 0;
  }
  bytes.set(await digestOf(bytes.subarray(0, at)), at);
  return bytes;
}

/** The checkpoint in the bytes; `undefined` where they are not a whole one. */
export async function decodeCheckpoint(bytes: Uint8Array): Promise<Checkpoint | undefined> {
  const end = bytes.length - digestBytes;
  if (end < magic.length + 4 || new TextDecoder().decode(bytes.subarray(0, magic.length)) !== magic) return undefined;
  const digest = await digestOf(bytes.subarray(0, end));
  if (!digest.every((byte, index) => byte === bytes[end + index])) return undefined;
  // From here on the bytes are as `encodeCheckpoint` wrote them.
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(magic.length, true);
  const text = new TextDecoder().decode(bytes.subarray(magic.length + 4, magic.length + 4 + headerLength));
  const header = JSON.parse(text) as Header;
  const tensors = new Map<string, NumericTensor>();
  let at = aligned(magic.length + 4 + headerLength);
  for (const { name, dtype, shape } of header.tensors) {
    const storage = storageOf(dtype);
    const length = elementCount(shape) * storage.BYTES_PER_ELEMENT;
    const data = new storage(elementCount(shape));
    const tensor = { dtype, shape, data };
    bytesOf(tensor).set(bytes.subarray(at, at + length));
    tensors.set(name, tensor);
    at += aligned(length);
  }
  return { problem: header.problem, values: read(header.values) as Checkpoint["values"], tensors };
}

/**
 * The checkpoint to go on from; `undefined` where the store has none that is whole.
 *
 * @throws GraftError `usage` where it is another training's
 */
export async function resumeFrom(store: CheckpointStore, problem: string): Promise<Checkpoint | undefined> {
  const bytes = await store.load();
  const checkpoint = bytes && (await decodeCheckpoint(bytes));
  if (checkpoint === undefined || checkpoint.problem === problem) return checkpoint;
  throw new GraftError("usage", "the checkpoint is of another training", {
    expected: "the same model, photos, options and runtime as when it was saved",
    hint: "delete it to begin anew, or keep checkpoints elsewhere",
  });
}

interface Header {
  readonly problem: string;
  readonly values: unknown;
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: Exclude<DType, "string">;
    readonly shape: readonly number[];
  }[];
}

/** JSON has no NaN and no infinity: they travel as objects. */
function write(value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (Array.isArray(value)) return { array: value.map(write) };
  if (typeof value !== "object" || value === null) return value;
  return { object: Object.entries(value).flatMap(([key, each]) => (each === undefined ? [] : [[key, write(each)]])) };
}

/** Objects travel as lists of entries, so that no key is special. */
function read(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if ("number" in value) return Number(value.number);
  if ("array" in value && Array.isArray(value.array)) return value.array.map(read);
  if ("object" in value && Array.isArray(value.object)) {
    return Object.fromEntries(value.object.map(([key, each]: [string, unknown]) => [key, read(each)]));
  }
  return value;
}

async function digestOf(bytes: Uint8Array): Promise<Uint8Array> {
  const digits = await sha256(bytes);
  return Uint8Array.from({ length: digestBytes }, (_, index) =>
    Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16),
  );
}

function aligned(length: number): number {
  return Math.ceil(length / alignment) * alignment;
}
