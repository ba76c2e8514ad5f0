/** @file From a handle to files on this machine: the hub's client, under what graft.lock pins. */
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { reasonOf } from "../files/index.ts";
import { GraftError } from "../tensor/index.ts";
import { type CacheOptions, fetchFromAddress, fetchFromTfHub } from "./address-node.ts";
import type { DownloadOptions } from "./download-node.ts";
import type { FetchedModel } from "./fetched.ts";
import { checkAgainstLock, type LockEntry, lockEntry, lockPath } from "./graft-lock-node.ts";
import { type Handle, publicName, type RemoteHandle } from "./handle.ts";
import { isCommit } from "./huggingface-cache-node.ts";
import { fetchFromHuggingFace } from "./huggingface-node.ts";
import { fetchFromKaggle } from "./kaggle-node.ts";
import { kindOf } from "./own-fetch-node.ts";

export interface FetchOptions
  extends Pick<
      DownloadOptions,
      "offline" | "digest" | "limit" | "onProgress" | "signal" | "attempts" | "timeout" | "pause" | "patience"
    >,
    Pick<CacheOptions, "refresh"> {
  /** Where graft.lock lies; `null` passes it over. Default: in the working directory. */
  readonly lockFile?: string | null | undefined;
}

/**
 * The model that a handle points at, on this machine: from the caches of Keras's, TensorFlow's, Kaggle's and Hugging
 * Face's own programs or from this one's, else downloaded. Archives stay packed; nothing is run. What graft.lock pins is
 * fetched at that revision and compared.
 *
 * @throws GraftError `usage` where a path leads nowhere; `not-cached` where it is not to be had; `model-invalid` where it
 *   is not what the hub or graft.lock says; `model-refused` where it cannot be read or is too large
 */
export async function fetchModel(handle: Handle, options: FetchOptions = {}): Promise<FetchedModel> {
  if (handle.kind === "path") return await localModel(handle.path);
  if (handle.kind === "keras") {
    throw new GraftError("usage", "applications are built here; only their weights are fetched", {
      path: [publicName(handle)],
    });
  }
  const { lockFile, ...others } = options;
  const path = lockFile ?? lockPath();
  const entry = lockFile === null ? undefined : await lockEntry(handle, path);
  if (entry === undefined) return await fetchRemote(handle, others);
  const pinned = atRevision(handle, entry);
  const settings = entry.kind === "folder" ? others : { ...others, isOwnOnly: true };
  // An archive is one file: another one is refused before it has its name.
  const isArchive = handle.kind !== "hf" && entry.kind === "archive";
  const digest = isArchive ? ({ algorithm: "sha256", hex: entry.sha256 } as const) : undefined;
  const fetched = await fetchRemote(pinned, { ...settings, ...(digest && { digest }) });
  await checkAgainstLock(fetched, entry, path);
  return { ...fetched, source: publicName(handle) };
}

async function fetchRemote(handle: RemoteHandle, options: DownloadOptions & CacheOptions): Promise<FetchedModel> {
  try {
    return await fetchFromHub(handle, options);
  } catch (cause) {
    const name = publicName(handle);
    // An address of a hub's interface alone says little to who typed a handle.
    throw cause instanceof GraftError && !cause.path.includes(name) ? cause.at(name) : cause;
  }
}

async function fetchFromHub(handle: RemoteHandle, options: DownloadOptions & CacheOptions): Promise<FetchedModel> {
  switch (handle.kind) {
    case "hf":
      return await fetchFromHuggingFace(handle, options);
    case "kaggle":
      return await fetchFromKaggle(handle, options);
    case "tfhub":
      return await fetchFromTfHub(handle, options);
    case "url":
      return await fetchFromAddress(handle, options);
  }
}

/** The same handle at the revision that is pinned, where it names a moving one. */
function atRevision(handle: RemoteHandle, { revision }: LockEntry): RemoteHandle {
  if (revision === undefined) return handle;
  if (handle.kind === "hf" && isCommit(revision)) return { ...handle, revision };
  if (handle.kind === "kaggle" && /^[1-9]\d{0,8}$/.test(revision)) return { ...handle, version: Number(revision) };
  return handle;
}

async function localModel(path: string): Promise<FetchedModel> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new GraftError("usage", "there is no such file or folder", {
      path: [path],
      actual: reasonOf(cause),
      hint: "handles begin with keras:, hf:, kaggle: or https://",
    });
  });
  const whole = resolve(path);
  const isFolder = facts.isDirectory();
  return {
    kind: isFolder ? "folder" : await kindOf(whole),
    path: whole,
    source: path,
    revision: undefined,
    license: undefined,
    digest: undefined,
    files: isFolder ? [] : [{ name: basename(whole), path: whole }],
    configPath: undefined,
    preprocessorPath: undefined,
  };
}
