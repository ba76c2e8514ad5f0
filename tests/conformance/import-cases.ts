/**
 * @file The import cases: models that other systems saved, with what those systems compute. They lie in
 * shared/conformance/imports and in the folders named by GRAFT_IMPORTS, a folder each with `case.json`, `case.npz` and the
 * model.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

/** What `case.json` says. */
export interface ImportCase {
  readonly name: string;
  readonly format?: string;
  /** The model: a file or folder beside `case.json`. */
  readonly file: string;
  readonly tolerance: number;
  readonly trainable_parameters?: number;
  readonly non_trainable_parameters?: number;
  readonly labels?: readonly string[];
  readonly refused?: boolean;
  /** Words that the refusal has to hold. */
  readonly error_mentions?: readonly string[];
  /** Where it lies. */
  readonly folder: string;
}

const roots: readonly string[] = [
  resolve(import.meta.dirname, "../../../shared/conformance/imports"),
  ...(process.env["GRAFT_IMPORTS"] ?? "").split(delimiter).filter((folder) => folder !== ""),
];

/** All cases that are there, by root and name; none where the shared folder is not there. */
export const importCases: readonly ImportCase[] = roots.filter((root) => existsSync(root)).flatMap(casesBelow);

function casesBelow(root: string): ImportCase[] {
  return readdirSync(root)
    .sort()
    .map((name) => join(root, name))
    .filter((folder) => existsSync(join(folder, "case.json")))
    .map((folder) => ({ ...(JSON.parse(readFileSync(join(folder, "case.json"), "utf8")) as ImportCase), folder }));
}
