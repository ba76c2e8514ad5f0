/** @file The files of a model, wherever they lie: in a folder, in an archive, or one alone. Nothing is ever unpacked to a disk. */
import { GraftError } from "../tensor/index.ts";

/** Files by relative names with `/` between their parts: `saved_model.pb`, `variables/variables.index`. */
export interface ModelFiles {
  /** Sorted by code point. Never absolute, never with `..`. */
  readonly names: readonly string[];
  /** How many bytes a file has. Throws GraftError `model-invalid` where it is not there. */
  size(name: string): number;
  /** Reads a file whole. Throws GraftError `model-invalid` where it is not there or cannot be read. */
  read(name: string): Promise<Uint8Array>;
}

/** Files that are in memory. */
export function filesInMemory(files: ReadonlyMap<string, Uint8Array>): ModelFiles {
  const find = (name: string): Uint8Array => {
    const bytes = files.get(name);
    if (bytes === undefined) throw missingFile(name);
    return bytes;
  };
  return {
    names: [...files.keys()].sort(),
    size: (name) => find(name).length,
    read: async (name) => find(name),
  };
}

/** The files below a folder, as if it were all there is. */
export function filesBelow(files: ModelFiles, folder: string): ModelFiles {
  const prefix = `${folder}/`;
  return {
    names: files.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)),
    size: (name) => files.size(prefix + name),
    read: async (name) => await files.read(prefix + name),
  };
}

export function missingFile(name: string): GraftError {
  return new GraftError("model-invalid", "the file is not there", { path: [name] });
}
