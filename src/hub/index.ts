/** @file The hub room: what a person points at comes onto this machine, whole. Only files named `*-node.ts` read it. */
export { type CachedModel, cachedModels } from "./cached-models-node.ts";
export { digestOf, digestsOf } from "./digest-node.ts";
export { type DownloadOptions, type DownloadProgress, download } from "./download-node.ts";
export { kerasCache } from "./environment-node.ts";
export { fetchModel } from "./fetch-model-node.ts";
export type { FetchedModel } from "./fetched.ts";
export { pin, readLock } from "./graft-lock-node.ts";
export { parseHandle } from "./parse-handle.ts";
export { type FoundModel, type SearchOptions, searchModels } from "./search-node.ts";
