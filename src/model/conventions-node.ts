/** @file The documents beside a model: Hugging Face's config.json and preprocessor_config.json. */
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ModelDocuments } from "./conventions.ts";

const mostBytes = 2 ** 22;

/** What lies in a model's folder; of a model in `onnx/`, as Hugging Face's repositories have them, also in the one above. */
export async function documentsBeside(path: string): Promise<ModelDocuments> {
  const folder = dirname(path);
  const folders = basename(folder) === "onnx" ? [folder, dirname(folder)] : [folder];
  const find = async (name: string) => {
    for (const each of folders) {
      const found = await readDocument(join(each, name));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return { config: await find("config.json"), preprocessor: await find("preprocessor_config.json") };
}

/** What cannot be read as JSON says nothing: it explains a model, and is none of it. */
async function readDocument(path: string): Promise<unknown> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isFile() !== true || facts.size > mostBytes) return undefined;
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
