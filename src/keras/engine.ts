/** @file What models need of a platform, which a door (`graftwork/node`) brings. */
import { GraftError } from "../tensor/index.ts";
import type { TrainingPlatform } from "../training/index.ts";

/** Runs, trains and keeps models. */
export interface Engine {
  /** What runs graphs, and where features are kept; made at the first call. */
  platform(): Promise<TrainingPlatform>;
  /** Of this package. */
  version(): string;
  /** Writes a file whole or not at all. */
  writeFile(path: string, content: Uint8Array): Promise<void>;
  /** Shows a text to the user. */
  print(text: string): void;
}

let installed: Engine | undefined;

/** Gives models an engine. The last one given counts. */
export function installEngine(engine: Engine): void {
  installed = engine;
}

/** Throws GraftError `usage` where no door was opened. */
export function engine(): Engine {
  if (installed !== undefined) return installed;
  throw new GraftError("usage", "nothing here can run a model", {
    hint: 'import "graftwork/node" first',
  });
}

/** Where there is no engine, nothing shows a text. */
export function printIfPossible(text: string): void {
  installed?.print(text);
}
