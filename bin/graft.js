#!/usr/bin/env node
// The `graft` command. An installed package runs its built code. A checkout runs that too while it is newer than every source,
// and the TypeScript sources themselves otherwise: `npx graft` works right after `npm ci` and never meets a stale build.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const built = join(root, "dist/apps/cli/main.js");
const isCheckout = existsSync(join(root, "tsconfig.build.json"));

/** @returns {boolean} whether a file under `folder` changed after `time` */
function hasNewer(folder, time) {
  return readdirSync(folder, { withFileTypes: true }).some((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return hasNewer(path, time);
    return !path.endsWith(".test.ts") && statSync(path).mtimeMs > time;
  });
}

function isFresh() {
  if (!existsSync(built)) return false;
  const time = statSync(built).mtimeMs;
  return !["src", "apps/cli"].some((folder) => hasNewer(join(root, folder), time));
}

if (!isCheckout || isFresh()) {
  await import(pathToFileURL(built).href);
} else {
  await import("../scripts/source.js");
  await import(pathToFileURL(join(root, "apps/cli/main.ts")).href);
}
