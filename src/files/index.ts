/** @file The files room: bytes on disk, whole or not at all. Only files named `*-node.ts` read it. */
export { appendLine, readBytes, reasonOf, writeWhole } from "./whole-node.ts";
