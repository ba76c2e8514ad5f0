/** @file What came onto this machine: where it lies and what it is. */

/** One file of a fetched model. */
export interface FetchedFile {
  /** The name inside the model, with slashes: `variables/variables.index`. */
  readonly name: string;
  readonly path: string;
}

/** A model on this machine. */
export interface FetchedModel {
  /** An archive is a zip or a tar file, which is read as it is; `.keras` files are files. */
  readonly kind: "file" | "folder" | "archive";
  readonly path: string;
  /** The handle as it is printed, without what may be a key. */
  readonly source: string;
  /** The commit or version that the hub gave. */
  readonly revision: string | undefined;
  readonly license: string | undefined;
  /** The SHA-256 of the file or archive, where the hub or the download gave it; of folders there is none. */
  readonly digest: string | undefined;
  /** All files that it consists of. */
  readonly files: readonly FetchedFile[];
  /** Hugging Face's `config.json` (labels) and `preprocessor_config.json` (the input's convention), where there are any. */
  readonly configPath: string | undefined;
  readonly preprocessorPath: string | undefined;
}
