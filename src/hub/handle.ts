/** @file What a person points at a model with, and how it is printed. */

/** A file or folder on this machine. */
export interface PathHandle {
  readonly kind: "path";
  readonly path: string;
}

/** A model of keras.applications: `keras:MobileNetV2?alpha=0.5&input_shape=160x160x3`. */
export interface KerasHandle {
  readonly kind: "keras";
  readonly name: string;
  /** Keras's argument names (`input_shape`) and what was typed for them. */
  readonly options: ReadonlyMap<string, string>;
}

/** A model of TensorFlow Hub. */
export interface TfHubHandle {
  readonly kind: "tfhub";
  /** Publisher, model and version: `google/tf2-preview/mobilenet_v2/feature_vector/4`. */
  readonly path: string;
}

/** A variation of a model on Kaggle. */
export interface KaggleHandle {
  readonly kind: "kaggle";
  readonly owner: string;
  readonly model: string;
  /** As Kaggle spells it: `tensorFlow2`. */
  readonly framework: string;
  readonly variation: string;
  /** `undefined` is the newest. */
  readonly version: number | undefined;
}

/** A repository of Hugging Face, or one file of it. */
export interface HuggingFaceHandle {
  readonly kind: "hf";
  /** `org/name`, or `name` for the oldest ones. */
  readonly repository: string;
  /** A branch, a tag or a commit; `undefined` is `main`. */
  readonly revision: string | undefined;
  /** `undefined` lets the hub's client choose. */
  readonly file: string | undefined;
}

/** Any other address of a model file or an archive. */
export interface UrlHandle {
  readonly kind: "url";
  readonly url: string;
}

export type RemoteHandle = TfHubHandle | KaggleHandle | HuggingFaceHandle | UrlHandle;
export type Handle = PathHandle | KerasHandle | RemoteHandle;

/** The commit, branch or tag that is meant where none is said. */
export const DEFAULT_REVISION = "main";

/** The handle as one writes it: `parseHandle` of it gives the same. */
export function printHandle(handle: Handle): string {
  switch (handle.kind) {
    case "path":
      return handle.path;
    case "keras": {
      const options = [...handle.options].map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
      return `keras:${handle.name}${options.length > 0 ? `?${options.join("&")}` : ""}`;
    }
    case "tfhub":
      return `https://tfhub.dev/${handle.path}`;
    case "kaggle": {
      const { owner, model, framework, variation, version } = handle;
      return `kaggle:${[owner, model, framework, variation, ...(version === undefined ? [] : [version])].join("/")}`;
    }
    case "hf": {
      const { repository, revision, file } = handle;
      // Without its revision, a repository of one name and a file would read as an organisation and a name.
      const shown = revision ?? (file !== undefined && !repository.includes("/") ? DEFAULT_REVISION : undefined);
      return `hf:${repository}${shown === undefined ? "" : `@${printRevision(shown)}`}${file === undefined ? "" : `/${file}`}`;
    }
    case "url":
      return handle.url;
  }
}

/** The handle as it may be shown and stored: as it is printed, without what in an address may be a key. */
export function publicName(handle: Handle): string {
  return handle.kind === "url" ? withoutSecrets(handle.url) : printHandle(handle);
}

/** The page or file that a handle means, at a revision, for people and other programs. */
export function webAddress(handle: RemoteHandle, revision: string | undefined): string {
  switch (handle.kind) {
    case "tfhub":
      return printHandle(handle);
    case "kaggle": {
      const { owner, model, framework, variation, version = revision } = handle;
      const parts = [owner, model, framework, variation, ...(version === undefined ? [] : [version])];
      return `https://www.kaggle.com/models/${parts.join("/")}`;
    }
    case "hf": {
      const at = revision ?? handle.revision ?? DEFAULT_REVISION;
      const verb = handle.file === undefined ? "tree" : "resolve";
      const file = handle.file === undefined ? "" : `/${handle.file.split("/").map(encodeURIComponent).join("/")}`;
      return `https://huggingface.co/${handle.repository}/${verb}/${at}${file}`;
    }
    case "url":
      return publicName(handle);
  }
}

const SECRET = /token|key|sig|secret|passw|auth|credential|session|policy/i;

/** An address without the values of parameters that may be keys: signed addresses let anyone in who reads them. */
export function withoutSecrets(address: string): string {
  const url = new URL(address);
  url.username = "";
  url.password = "";
  for (const name of [...url.searchParams.keys()]) {
    if (SECRET.test(name)) url.searchParams.set(name, "hidden");
  }
  return url.href;
}

function printRevision(revision: string): string {
  return revision.startsWith("refs/") ? revision : revision.replaceAll("/", "%2F");
}

/** Whether the name is this machine's own. */
export function isLocalhost(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}
