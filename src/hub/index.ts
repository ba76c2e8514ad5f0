/** @file The hub room: what a person points at comes onto this machine, whole. Only files named `*-node.ts` read it. */
export { type CachedModel, cachedModels } from "./cached-models-node.ts";
export { type Digest, digestOf, digestsOf } from "./digest-node.ts";
export { type DownloadOptions, type DownloadProgress, download } from "./download-node.ts";
export { type FetchOptions, fetchModel } from "./fetch-model-node.ts";
export type { FetchedFile, FetchedModel } from "./fetched.ts";
export { type LockEntry, lockEntry, pin, readLock } from "./graft-lock-node.ts";
export {
  type Handle,
  type HuggingFaceHandle,
  type KaggleHandle,
  type KerasHandle,
  type PathHandle,
  printHandle,
  publicName,
  type RemoteHandle,
  type TfHubHandle,
  type UrlHandle,
} from "./handle.ts";
export { parseHandle } from "./parse-handle.ts";
export {
  type FoundModel,
  type SearchOptions,
  type SearchQuery,
  type SearchResult,
  type SearchSource,
  type SearchTask,
  searchModels,
} from "./search-node.ts";
