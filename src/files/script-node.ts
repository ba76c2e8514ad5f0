/** @file Scripts that run in threads and processes of their own, from sources and when built. */

/** The script of that name beside the module whose `import.meta.url` is given: TypeScript from sources, else JavaScript. */
export function scriptBeside(module: string, name: string): URL {
  return new URL(`./${name}.${module.endsWith(".ts") ? "ts" : "js"}`, module);
}

/** What Node is started with for a script: from sources, what this process needed to read TypeScript. */
export function argumentsFor(script: URL): string[] {
  if (!script.pathname.endsWith(".ts")) return [];
  return ["--import", new URL("../../scripts/source.js", import.meta.url).href];
}
