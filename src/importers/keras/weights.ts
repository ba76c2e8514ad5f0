/** @file Keras's older .h5 files: layers in their order with their weights, as `load_weights` follows them. */
import { Dataset, File, Group } from "jsfive";
import { elementCount, GraftError, showShape } from "../../tensor/index.ts";
import { Attributes } from "./attributes.ts";

/** A weight of a file. */
export interface StoredWeight {
  /** As the file has it: `Conv1/kernel:0`, `block_1/dense/kernel`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Reads the elements, row-major, as float32. Throws GraftError `model-invalid` where they are damaged. */
  read(): Float32Array;
}

export interface StoredLayer {
  readonly name: string;
  readonly weights: readonly StoredWeight[];
}

export interface KerasWeightFile {
  /** Whether the file also holds the model's architecture. */
  readonly isWholeModel: boolean;
  /** In the file's order, those without weights included. */
  readonly layers: readonly StoredLayer[];
}

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
const mostElements = 2 ** 27;
/** Deflate makes nothing smaller than this. */
const mostExpansion = 1032;
const numberSizes: ReadonlyMap<unknown, number> = new Map([
  ["<f2", 2],
  ["<f4", 4],
  ["<f8", 8],
  [">f2", 2],
  [">f4", 4],
  [">f8", 8],
]);

/** Whether the bytes begin as an HDF5 file does. */
export function isHdf5(bytes: Uint8Array): boolean {
  return signature.every((byte, index) => bytes[index] === byte);
}

/**
 * Reads the layers and the names, types and shapes of their weights; elements are read when asked for. Weights-only
 * files and whole models are both read. Nothing but what `layer_names` and `weight_names` list is followed.
 *
 * @throws GraftError `model-invalid` where the bytes are no HDF5 file, are damaged or cut off, or hold no Keras layers
 */
export function readKerasWeights(bytes: Uint8Array): KerasWeightFile {
  if (!isHdf5(bytes)) throw new GraftError("model-invalid", "the bytes are no HDF5 file");
  refuseCutOff(bytes);
  // jsfive reads by absolute position: a view on a part of a buffer must become a buffer of its own.
  const isWhole = bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength;
  const buffer = isWhole ? (bytes.buffer as ArrayBuffer) : new Uint8Array(bytes).buffer;
  return guarded("the file", () => {
    const file = new File(buffer);
    const attributes = new Attributes(buffer, file._dataobjects);
    const isNested = !attributes.has("layer_names") && Object.hasOwn(file._links, "model_weights");
    const root = isNested ? groupIn(file, "model_weights") : file;
    const names = isNested
      ? new Attributes(buffer, root._dataobjects).names("layer_names")
      : attributes.names("layer_names");
    if (names === undefined) throw new GraftError("model-invalid", "the file lists no Keras layers", notKeras(file));
    const layers = names.map((name) => guarded(`layer "${name}"`, () => layerIn(buffer, root, name)));
    return { isWholeModel: isNested || attributes.has("model_config"), layers };
  });
}

function layerIn(buffer: ArrayBuffer, root: Group, name: string): StoredLayer {
  const group = groupIn(root, name);
  const names = new Attributes(buffer, group._dataobjects).names("weight_names") ?? [];
  const weights = names.map((weight) => guarded(`weight "${weight}"`, () => weightIn(buffer, group, weight)));
  return { name, weights };
}

function weightIn(buffer: ArrayBuffer, group: Group, name: string): StoredWeight {
  const dataset = group.get(name);
  if (!(dataset instanceof Dataset)) throw new GraftError("model-invalid", "the listed weight is not there");
  const { dtype, shape } = dataset;
  const size = numberSizes.get(dtype);
  if (size === undefined) {
    throw new GraftError("model-invalid", "the weight's elements are no floating-point numbers", {
      actual: String(dtype),
    });
  }
  const elements = elementCount(shape);
  const { chunks } = dataset._dataobjects;
  const most = chunks === null ? buffer.byteLength : buffer.byteLength * mostExpansion;
  const isTooLarge = elements > mostElements || elements * size > most;
  if (isTooLarge || (chunks !== null && elementCount(chunks) > Math.max(2 * elements, 2 ** 20))) {
    throw new GraftError("model-invalid", "the weight is larger than the file can hold", { actual: showShape(shape) });
  }
  const read = () =>
    guarded(`weight "${name}"`, () => {
      const { value } = dataset;
      if (!Array.isArray(value) || value.length !== elements) {
        throw new GraftError("model-invalid", "the weight's elements do not fill its shape", {
          actual: showShape(shape),
        });
      }
      const numbers = new Float32Array(elements);
      for (let index = 0; index < elements; index++) numbers[index] = Number(value[index]);
      return numbers;
    });
  return { name, shape: [...shape], read };
}

function groupIn(parent: Group, name: string): Group {
  const found = parent.get(name);
  if (found instanceof Group) return found;
  throw new GraftError("model-invalid", "the listed group is not there", { path: [name] });
}

function notKeras(file: Group): { readonly hint: string } {
  const isNewer = Object.hasOwn(file._links, "layers") || Object.hasOwn(file._links, "_layer_checkpoint_dependencies");
  return {
    hint: isNewer
      ? "it looks like the .weights.h5 of a newer Keras, which names no layers: save it with model.save_weights of Keras 2, or as .onnx"
      : "Keras's own weight files have an attribute layer_names",
  };
}

/** The superblock of the oldest form says where the file ends: what was cut off while copying is told apart at once. */
function refuseCutOff(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length >= 48 && view.getUint8(8) === 0 ? view.getBigUint64(40, true) : 0n;
  if (bytes.length < 48 || BigInt(bytes.length) < end) {
    throw new GraftError("model-invalid", "the file is cut off", {
      expected: `${end || "more"} bytes`,
      actual: `${bytes.length}`,
      hint: "copy or download it again",
    });
  }
}

/** What jsfive throws — strings, TypeErrors, RangeErrors — as one error that names the place. */
function guarded<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof GraftError) throw place === "the file" ? cause : cause.at(place);
    throw new GraftError("model-invalid", "the HDF5 structure is damaged", {
      path: [place],
      actual: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}
