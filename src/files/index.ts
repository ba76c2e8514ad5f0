/** @file The files room: bytes on disk, whole or not at all. Only files named `*-node.ts` read it. */
export { runKillable, serveTask } from "./killable-node.ts";
export { packageFile, packageVersion } from "./package-node.ts";
export { argumentsFor, scriptBeside } from "./script-node.ts";
export { isAlive, isDiskFull, reasonOf, systemCode } from "./system-node.ts";
export { readBytes, unwritable, writeWhole } from "./whole-node.ts";
