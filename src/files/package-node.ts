/** @file This package's own files, found by its name, wherever its code runs from: sources, what is built, a bundle. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The version in this package's package.json. */
export function packageVersion(): string {
  // What npm wrote: a package.json without a version cannot be installed.
  const { version } = createRequire(import.meta.url)("graftwork/package.json") as { readonly version: string };
  return version;
}

/** The path of a file of this package, such as `models/pocket.onnx`, from the package's root. */
export function packageFile(name: string): string {
  return join(dirname(createRequire(import.meta.url).resolve("graftwork/package.json")), name);
}
