/** @file JSON of model files: by strangers, and as Python writes it. */
import type { Json } from "../layers/index.ts";
import { GraftError } from "../tensor/index.ts";

/** Deeper nesting than any model's: what walks the document may rely on it. */
const deepest = 500;
/** Configs of models with thousands of layers take some megabytes; TensorFlow.js graphs with constants some more. */
const mostBytes = 256 * 2 ** 20;

/**
 * The document in the bytes. Python's `Infinity` is read as such, its `NaN` as null.
 *
 * @throws GraftError `model-invalid` for what is no JSON, is nested deeper than 500 levels or larger than 256 MiB
 */
export function parseJson(bytes: Uint8Array, name: string): Json {
  if (bytes.length > mostBytes) {
    throw new GraftError("model-invalid", "the JSON document is too large", {
      path: [name],
      expected: `at most ${mostBytes} bytes`,
      actual: `${bytes.length}`,
    });
  }
  const text = new TextDecoder().decode(bytes);
  refuseDeep(text, name);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const repaired = withoutPythonNumbers(text);
    if (repaired !== text) return parseJson(new TextEncoder().encode(repaired), name);
    const actual = cause instanceof Error ? cause.message : String(cause);
    throw new GraftError("model-invalid", "the JSON document is damaged", { path: [name], actual, cause });
  }
}

export function isObject(json: Json | undefined): json is { readonly [key: string]: Json } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** A member of an object by its own key; `undefined` where there is none, or it is no object. */
export function member(json: Json | undefined, key: string): Json | undefined {
  return isObject(json) && Object.hasOwn(json, key) ? json[key] : undefined;
}

function refuseDeep(text: string, name: string): void {
  let depth = 0;
  for (const [bracket] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (bracket === "[" || bracket === "{") depth++;
    else if (bracket === "]" || bracket === "}") depth--;
    if (depth > deepest)
      throw new GraftError("model-invalid", "the JSON document is nested too deeply", { path: [name] });
  }
}

/** `1e999` is JSON, and too large for a double: infinite. Strings stay as they are. */
function withoutPythonNumbers(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|\bInfinity\b|\bNaN\b/g, (found) =>
    found === "Infinity" ? "1e999" : found === "NaN" ? "null" : found,
  );
}
