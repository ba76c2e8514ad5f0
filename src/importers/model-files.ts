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

/** A file that can be read. */
export interface ModelFile {
  readonly size: number;
  read(): Uint8Array | Promise<Uint8Array>;
}

/** Files that are in memory. */
export function filesInMemory(files: ReadonlyMap<string, Uint8Array>): ModelFiles {
  return filesFrom(new Map([...files].map(([name, bytes]) => [name, { size: bytes.length, read: () => bytes }])));
}

/** Files by names that are checked already. */
export function filesFrom(files: ReadonlyMap<string, ModelFile>): ModelFiles {
  const find = (name: string): ModelFile => {
    const file = files.get(name);
    if (file === undefined) throw missingFile(name);
    return file;
  };
  return {
    names: [...files.keys()].sort(),
    size: (name) => find(name).size,
    read: async (name) => await find(name).read(),
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
