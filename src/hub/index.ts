/** @file The hub room: from addresses to files on this machine. Only files named `*-node.ts` read it. */
export { type DownloadOptions, type DownloadProgress, digestOf, download } from "./download-node.ts";
