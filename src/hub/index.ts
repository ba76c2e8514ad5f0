/** @file The hub room: what a person points at comes onto this machine, whole. Only files named `*-node.ts` read it. */
export { type Digest, digestOf, digestsOf } from "./digest-node.ts";
export { type DownloadOptions, type DownloadProgress, download } from "./download-node.ts";
export {
  type Handle,
  type HuggingFaceHandle,
  type KaggleHandle,
  type KerasHandle,
  type PathHandle,
  parseHandle,
  printHandle,
  publicName,
  type RemoteHandle,
  type TfHubHandle,
  type UrlHandle,
} from "./handle.ts";
