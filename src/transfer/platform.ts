/** @file What transfer needs of a platform. */
import type { Runtime } from "../runtime/index.ts";
import type { CheckpointStore, FeatureStore } from "../training/index.ts";

/** What is being done, how much of it is done, of how much. */
export type Progress = (stage: string, done: number, total: number) => void;

export interface TransferPlatform {
  readonly runtime: Runtime;
  /** Where features are kept. Absent: in memory. */
  readonly features?: FeatureStore | undefined;
  /** Where a stage that takes long keeps what it has, to go on from. */
  readonly checkpoint?: ((stage: string) => CheckpointStore) | undefined;
  readonly progress: Progress;
  /** Does a stage's work, and remembers how long it took. */
  readonly timed: <T>(stage: string, work: () => Promise<T>) => Promise<T>;
  /** Told of each epoch. */
  readonly log: (event: Readonly<Record<string, unknown>>) => Promise<void>;
  /** A decision by the clock: made once, then remembered. */
  readonly decide: <T>(name: string, make: () => T) => Promise<T>;
  readonly signal?: AbortSignal | undefined;
}
