/** @file Which version of the package this is. */
import { createRequire } from "node:module";

/** The version in this package's package.json, found by the package's own name, wherever its code runs from. */
export function packageVersion(): string {
  // What npm wrote: a package.json without a version cannot be installed.
  const { version } = createRequire(import.meta.url)("graftwork/package.json") as { readonly version: string };
  return version;
}
