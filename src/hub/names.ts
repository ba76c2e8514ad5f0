/** @file Names that come from hubs and go into paths and addresses: which are let in. */

/** Whether a name is one segment of a path or an address: letters, digits, dots, dashes; never `..`. */
export function isSlug(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}$/.test(name) && !name.includes("..");
}

/**
 * Whether a file's name inside a repository or archive stays inside on every system: relative, no `..`, no drive, no
 * backslash, nothing that a terminal would act on.
 */
export function isFileName(name: string): boolean {
  if (name.length === 0 || name.length > 1024 || /[\\:*?"<>|]/.test(name)) return false;
  if (/[\p{Cc}\p{Cf}]/u.test(name)) return false;
  return name.split("/").every((part) => part !== "" && part !== "." && part !== ".." && part.length <= 255);
}

/** Hugging Face's rule for repositories: `org/name` or `name`, without `--`, which its cache separates them with. */
export function isHuggingFaceName(repository: string): boolean {
  const parts = repository.split("/");
  const isPart = (part: string) => /^[A-Za-z0-9_]([A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?$/.test(part);
  return parts.length <= 2 && parts.every(isPart) && !/--|\.\./.test(repository) && !repository.endsWith(".git");
}

/** A framework of Kaggle's, as its addresses spell it. */
export interface KaggleFramework {
  readonly name: string;
  /** What its files are here; `undefined` where they cannot be read. */
  readonly format: string | undefined;
}

const kaggleFrameworks: ReadonlyMap<string, KaggleFramework> = new Map(
  [
    { name: "tensorFlow1", format: "SavedModel" },
    { name: "tensorFlow2", format: "SavedModel" },
    { name: "tfJs", format: "TensorFlow.js" },
    { name: "keras", format: "Keras" },
    { name: "onnx", format: "ONNX" },
    { name: "tfLite", format: undefined },
    { name: "pyTorch", format: undefined },
    { name: "jax", format: undefined },
    { name: "flax", format: undefined },
    { name: "transformers", format: undefined },
    { name: "scikitLearn", format: undefined },
    { name: "coral", format: undefined },
    { name: "mxnet", format: undefined },
    { name: "gemmaCpp", format: undefined },
    { name: "gguf", format: undefined },
    { name: "ggml", format: undefined },
    { name: "maxText", format: undefined },
    { name: "pax", format: undefined },
    { name: "other", format: undefined },
    { name: "api", format: undefined },
  ].map((framework) => [framework.name.toLowerCase(), framework]),
);

/** Kaggle's framework of that name: as in addresses (`tensorFlow2`), or as its interface says (`MODEL_FRAMEWORK_TENSOR_FLOW_2`). */
export function kaggleFrameworkNamed(name: string): KaggleFramework | undefined {
  return kaggleFrameworks.get(
    name
      .replace(/^MODEL_FRAMEWORK_/, "")
      .replaceAll("_", "")
      .toLowerCase(),
  );
}

/** Text from a hub, fit for a line in a terminal: no control characters, at most `length` characters. */
export function plainText(text: unknown, length = 200): string {
  if (typeof text !== "string") return "";
  return text
    .slice(0, 4 * length)
    .replace(/[\p{Cc}\p{Cf}]+/gu, " ")
    .trim()
    .slice(0, length);
}
