/** @file Models at plain addresses and on TensorFlow Hub. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { GraftError } from "../tensor/index.ts";
import type { DownloadOptions } from "./download-node.ts";
import { endpoints, tfHubCache } from "./environment-node.ts";
import type { FetchedModel } from "./fetched.ts";
import { printHandle, publicName, type TfHubHandle, type UrlHandle } from "./handle.ts";
import { namesIn } from "./huggingface-cache-node.ts";
import { isFileName } from "./names.ts";
import { cachedSource, fetchSource } from "./own-fetch-node.ts";

export interface CacheOptions {
  /** Whether what is in the cache is asked for anew. Default: false. */
  readonly refresh?: boolean | undefined;
  /** Whether other programs' unpacked folders are passed over. Default: false. */
  readonly isOwnOnly?: boolean | undefined;
}

/**
 * The file at an address.
 *
 * @throws GraftError as `download` does
 */
export async function fetchFromAddress(
  handle: UrlHandle,
  options: DownloadOptions & CacheOptions,
): Promise<FetchedModel> {
  const cached = options.refresh === true ? undefined : await cachedSource(handle.url);
  if (cached !== undefined) return cached;
  const last = new URL(handle.url).pathname.split("/").at(-1) ?? "";
  const name = safelyDecoded(last);
  return await fetchSource(
    {
      identity: handle.url,
      address: handle.url,
      file: isFileName(name) && !name.includes("/") && name !== "source.json" ? name.slice(-150) : "model",
      note: { handle: publicName(handle), revision: undefined, license: undefined },
    },
    options,
  );
}

/**
 * A model of TensorFlow Hub: the folder that the Python library has unpacked where there is one, else the archive.
 *
 * @throws GraftError as `download` does; `model-refused` for TensorFlow Lite
 */
export async function fetchFromTfHub(
  handle: TfHubHandle,
  options: DownloadOptions & CacheOptions,
): Promise<FetchedModel> {
  const source = printHandle(handle);
  const others = options.isOwnOnly === true ? undefined : await unpacked(handle);
  const cached = options.refresh === true ? undefined : (others ?? (await cachedSource(source)));
  if (cached !== undefined) return cached;
  const [, kind = ""] = handle.path.split("/");
  if (kind === "lite-model") {
    throw new GraftError("model-refused", "TensorFlow Lite models cannot be read", {
      path: [source],
      hint: "most have a TensorFlow 2 variation on Kaggle: the same model as a SavedModel",
    });
  }
  const query = kind === "tfjs-model" ? "tfjs-format=compressed" : "tf-hub-format=compressed";
  const version = handle.path.split("/").at(-1) ?? "";
  return await fetchSource(
    {
      identity: source,
      address: `${endpoints.tfHub()}/${handle.path}?${query}`,
      file: `${handle.path.replaceAll("/", "_").slice(-100)}.tar.gz`,
      note: { handle: source, revision: /^\d+$/.test(version) ? version : undefined, license: undefined },
    },
    options,
  );
}

/** The folder in TensorFlow Hub's cache: its name is the SHA-1 of the handle as it was typed there. */
async function unpacked(handle: TfHubHandle): Promise<FetchedModel | undefined> {
  const secure = printHandle(handle);
  const typed = [secure, `${secure}/`, secure.replace("https:", "http:")];
  for (const text of typed) {
    const path = join(tfHubCache(), createHash("sha1").update(text).digest("hex"));
    const found = await folderModel(path, secure, undefined);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A folder in another program's cache, read in place. */
export async function folderModel(
  path: string,
  source: string,
  revision: string | undefined,
): Promise<FetchedModel | undefined> {
  if (!(await stat(path).catch(() => undefined))?.isDirectory()) return undefined;
  const names = await namesIn(path);
  if (names.length === 0) return undefined;
  // One file alone is the model; the folder says nothing more.
  const [only, ...others] = names;
  const isFile = only !== undefined && others.length === 0 && only !== "saved_model.pb";
  return {
    kind: isFile ? "file" : "folder",
    path: isFile ? join(path, only) : path,
    source,
    revision,
    license: undefined,
    digest: undefined,
    files: names.map((name) => ({ name, path: join(path, name) })),
    configPath: undefined,
    preprocessorPath: undefined,
  };
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
