// The `graft` command as a few files of plain JavaScript, the library within: Node starts them in a tenth of a second,
// where a file for each module takes several times as long. `npm run build` makes them for the package; a checkout, which
// is run without a build, gets them once for each state of its sources.
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
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** How long what was made of other states of the sources is left for processes that may still read it. */
const kept = 60 * 60 * 1000;

/**
 * Where this checkout's command is, made now where it is not there yet.
 *
 * @returns {Promise<string>} a folder with `main.js`
 */
export async function bundledSources() {
  const sources = ["src", "apps/cli"].flatMap((folder) => sourcesIn(join(root, folder)));
  const cache = join(root, "node_modules/.cache/graftwork");
  const target = join(cache, digestOf(sources));
  if (existsSync(target)) return join(target, "cli");
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    await bundle(join(temporary, "cli"), sources);
    // What the library finds beside itself: its own description, and files by the package's root. A junction needs no
    // rights on Windows.
    writeFileSync(join(temporary, "package.json"), readFileSync(join(root, "package.json")));
    symlinkSync(join(root, "models"), join(temporary, "models"), "junction");
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    // Another process may have been faster: its result is the same.
    if (!existsSync(target)) throw error;
  }
  removeOld(cache, target);
  return join(target, "cli");
}

/** Bundles the command and the threads it starts, side by side, so that each finds the other by its name alone. */
async function bundle(target, sources) {
  const { build } = await import("esbuild");
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const workers = sources.filter((path) => path.endsWith("-worker-node.ts"));
  mkdirSync(target, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: [join(root, "apps/cli/main.ts"), ...workers].map((path) => ({ in: path, out: basename(path, ".ts") })),
    outdir: target,
    bundle: true,
    splitting: true,
    chunkNames: "[hash]",
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@graftwork/source"],
    external: Object.keys({ ...dependencies, ...peerDependencies }),
    sourcemap: "linked",
    sourcesContent: false,
    logLevel: "silent",
  });
}

function sourcesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "testing" ? [] : sourcesIn(path);
    return path.endsWith(".ts") && !path.endsWith(".test.ts") ? [path] : [];
  });
}

/** By names, sizes and times of change, as make does: reading every file would take longer than the command itself. */
function digestOf(sources) {
  const hash = createHash("sha256");
  for (const path of [...sources, join(root, "package.json"), fileURLToPath(import.meta.url)]) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${relative(root, path)}\n${size}\n${mtimeMs}\n`);
  }
  return hash.digest("hex").slice(0, 24);
}

/** What was made of other states goes when it is old, and so does what a killed process left. */
function removeOld(cache, current) {
  utimesSync(current, new Date(), new Date());
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (path !== current && age > kept) rmSync(path, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const target = join(root, "dist/cli");
  rmSync(target, { recursive: true, force: true });
  await bundle(target, sourcesIn(join(root, "src")));
}
