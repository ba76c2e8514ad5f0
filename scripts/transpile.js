// Runs a checkout's sources without a build: TypeScript becomes plain JavaScript once, in a folder called by what the
// sources are, and everything after that is Node alone, worker threads included. Nothing of it is in the package.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";

/** What runs: the library and the command, without their tests. */
const folders = ["src", "apps/cli"];
/** How long the results of other states of the sources are left for processes that may still read them. */
const kept = 60 * 60 * 1000;

/**
 * The folder with this checkout's sources as JavaScript, made now where it is not there yet.
 *
 * @param {string} root the checkout
 * @returns {Promise<string>} a folder with `src`, `apps/cli` and `models`
 */
export async function transpiled(root) {
  const sources = folders.flatMap((folder) => sourcesIn(join(root, folder)));
  const cache = join(root, "node_modules/.cache/graftwork");
  const target = join(cache, digestOf(root, sources));
  if (existsSync(target)) return target;
  const temporary = `${target}.${process.pid}.tmp`;
  await transpileInto(temporary, root, sources);
  try {
    renameSync(temporary, target);
  } catch (error) {
    // Another process was faster: its result is the same.
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  removeOld(cache, target);
  return target;
}

function sourcesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "testing" ? [] : sourcesIn(path);
    return path.endsWith(".ts") && !path.endsWith(".test.ts") ? [path] : [];
  });
}

/** By names, sizes and times of change, as make would: reading every file would take longer than the command itself. */
function digestOf(root, sources) {
  const hash = createHash("sha256");
  for (const path of [...sources, join(root, "package.json"), join(root, "scripts/transpile.js")]) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${relative(root, path)}\n${size}\n${mtimeMs}\n`);
  }
  return hash.digest("hex").slice(0, 24);
}

async function transpileInto(target, root, sources) {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: sources,
    outbase: root,
    outdir: target,
    bundle: false,
    format: "esm",
    target: "node20",
    sourcemap: "linked",
    sourcesContent: false,
    write: false,
    logLevel: "silent",
  });
  for (const { path, text } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, path.endsWith(".js") ? withJavaScriptImports(text) : text);
  }
  const description = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const doors = Object.entries(description.exports).map(([name, door]) => [name, doorOf(door)]);
  const manifest = { ...description, exports: Object.fromEntries(doors) };
  writeFileSync(join(target, "package.json"), JSON.stringify(manifest, undefined, 2));
  // Files that the library finds beside itself. A junction needs no rights on Windows.
  symlinkSync(join(root, "models"), join(target, "models"), "junction");
}

/** Relative imports name JavaScript files, as `rewriteRelativeImportExtensions` of TypeScript has them. */
function withJavaScriptImports(text) {
  return text.replace(/^(.*?\b(?:from|import)\s*\(?\s*"\.{1,2}\/[^"\n]+)\.ts"/gm, '$1.js"');
}

/** `"@graftwork/source": "./src/index.ts"` becomes `"./src/index.js"`. */
function doorOf(door) {
  return typeof door === "string" ? door : door["@graftwork/source"].replace(/\.ts$/, ".js");
}

/** Other states' results go when they have not been made for a while, and what a killed process left. */
function removeOld(cache, current) {
  utimesSync(current, new Date(), new Date());
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (path !== current && age > kept) rmSync(path, { recursive: true, force: true });
  }
}
