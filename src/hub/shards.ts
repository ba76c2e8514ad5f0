/** @file The weight files that a TensorFlow.js `model.json` names: beside it or below, never elsewhere. */
import { GraftError } from "../tensor/index.ts";
import { isFileName } from "./names.ts";

const MOST_SHARDS = 10_000;

/**
 * The names in `weightsManifest`, in order, each once; none where the file is an architecture without weights.
 *
 * @throws GraftError `model-invalid` where the file is no JSON; `model-refused` where a name leads elsewhere
 */
export function shardsOf(modelJson: string): string[] {
  let model: unknown;
  try {
    model = JSON.parse(modelJson);
  } catch {
    throw new GraftError("model-invalid", "the file is no JSON", { path: ["model.json"] });
  }
  const groups = fieldOf(model, "weightsManifest");
  if (!Array.isArray(groups)) return [];
  const names = new Set<string>();
  for (const group of groups) {
    const paths: unknown = fieldOf(group, "paths");
    for (const path of Array.isArray(paths) ? paths : []) {
      const name = typeof path === "string" ? path.replace(/^\.\//, "") : "";
      if (!isFileName(name) || /[#%]/.test(name)) {
        throw new GraftError("model-refused", "the model names a file outside its folder", {
          path: ["model.json", "weightsManifest"],
          actual: JSON.stringify(path).slice(0, 200),
        });
      }
      names.add(name);
      if (names.size > MOST_SHARDS) {
        throw new GraftError("model-refused", `the model names more than ${MOST_SHARDS} files`, {
          path: ["model.json"],
        });
      }
    }
  }
  return [...names];
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}
