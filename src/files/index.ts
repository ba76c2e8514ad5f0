/** @file The files room: bytes on disk, whole or not at all. Only files named `*-node.ts` read it. */
export { packageFile, packageVersion } from "./package-node.ts";
export { readBytes, reasonOf, writeWhole } from "./whole-node.ts";
