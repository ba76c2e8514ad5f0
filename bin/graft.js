#!/usr/bin/env node
// The `graft` command. An installed package runs its built code. A checkout runs its sources, bundled once for each state
// they are in: `npx graft` works right after `npm ci` and never meets a stale build.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const isCheckout = existsSync(join(root, "tsconfig.build.json"));

/** @returns {Promise<string | undefined>} the folder of the command; `undefined` where there cannot be one */
async function bundled() {
  const { bundledSources } = await import("../scripts/bundle.js");
  return await bundledSources().catch(() => undefined);
}

const folder = isCheckout ? await bundled() : join(root, "dist/cli");
if (folder === undefined) {
  // A checkout that may not be written to, or is being worked on: TypeScript is read as it is, at each start.
  await import("../scripts/source.js");
  await import(pathToFileURL(join(root, "apps/cli/main.ts")).href);
} else {
  await import(pathToFileURL(join(folder, "main.js")).href);
}
