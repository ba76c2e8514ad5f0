#!/usr/bin/env node
// The `graft` command. An installed package runs its built code. A checkout runs its TypeScript sources, made JavaScript
// once for each state they are in: `npx graft` works right after `npm ci` and never meets a stale build.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const isCheckout = existsSync(join(root, "tsconfig.build.json"));

/** @returns {Promise<string>} the folder whose `apps/cli/main.js` is to be run; `undefined` where none can be written */
async function transpiledSources() {
  const { transpiled } = await import("../scripts/transpile.js");
  return await transpiled(root).catch((error) => {
    if (["EACCES", "EROFS", "ENOSPC", "EPERM"].includes(error.code)) return undefined;
    throw error;
  });
}

const folder = isCheckout ? await transpiledSources() : join(root, "dist");
if (folder === undefined) {
  // A checkout that may not be written to: TypeScript is read as it is, at each start.
  await import("../scripts/source.js");
  await import(pathToFileURL(join(root, "apps/cli/main.ts")).href);
} else {
  await import(pathToFileURL(join(folder, "apps/cli/main.js")).href);
}
