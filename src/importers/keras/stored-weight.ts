/** @file A data set of an HDF5 file as a weight. */
import { fromBfloat16, GraftError } from "../../tensor/index.ts";
import type { Hdf5Leaf } from "./hdf5.ts";
import type { StoredWeight } from "./stores.ts";

/**
 * The weight that a data set holds. Elements of any number type become float32, where they are float32 as a view on the
 * file's bytes.
 *
 * @throws GraftError where the elements lie elsewhere, or are more than what is stored
 */
export function storedWeight(name: string, leaf: Hdf5Leaf): StoredWeight {
  const dataset = leaf.open();
  // Keras marks bfloat16, which HDF5 has no name for and h5py stores as bytes.
  const isBfloat16 = dataset.type.size === 2 && dataset.type.kind === "bytes" && isMarked(leaf);
  const read = () => {
    try {
      return isBfloat16 ? widened(dataset.bytes()) : dataset.read();
    } catch (error) {
      throw error instanceof GraftError ? error.at(`weight "${name}"`) : error;
    }
  };
  return { name, shape: dataset.shape, read };
}

function isMarked({ attributes }: Hdf5Leaf): boolean {
  return attributes.has("dtype") && attributes.text("dtype") === "bfloat16";
}

function widened(bytes: Uint8Array): Float32Array {
  const numbers = new Float32Array(bytes.length / 2);
  for (let index = 0; index < numbers.length; index++) {
    numbers[index] = fromBfloat16((bytes[2 * index] ?? 0) + (bytes[2 * index + 1] ?? 0) * 256);
  }
  return numbers;
}
