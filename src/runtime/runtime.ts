/** @file The runtime room's interface: what compiles a model's bytes and runs them, keeping state between runs. */
import type { DType, NumericTensor, Shape, Tensor } from "../tensor/index.ts";

/** Where the arithmetic happens. */
export type Device = "cpu" | "webgpu";

/** An input or an output of a model. A size is a name or `null` where only a run fixes it. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** An output that becomes the next run's input: a parameter and its update, a moment of an optimizer. */
export interface StatePair {
  readonly input: string;
  readonly output: string;
  /** The value before the first run; it is copied. Zeros when absent, which needs every size of the input to be known. */
  readonly initial?: NumericTensor;
}

/** How far ONNX Runtime rewrites the graph before running it. "layout" and "all" may depend on the processor. */
export type Optimization = "disabled" | "basic" | "extended" | "layout" | "all";

export interface CompileOptions {
  /** What stays inside between runs, neither fed nor returned. */
  readonly state?: readonly StatePair[];
  /** "all" by default. */
  readonly optimization?: Optimization;
  /** Write a profile (Chrome's trace format) to files that begin with this path, when disposed. In Node only. */
  readonly profile?: string;
}

/** Tensors by the names of inputs. */
export type Feeds = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

export interface Runtime {
  /** What runs the models: "onnxruntime-node" or "onnxruntime-web". */
  readonly name: string;
  readonly version: string;
  readonly device: Device;
  /** How many threads work on one operator. */
  readonly threads: number;

  /**
   * Makes a model ready to run. The bytes are an ONNX model with all its data inside; they may be changed afterwards.
   * Throws "model-refused" when the model points at files or passes what the runtime cannot, "model-invalid" with the
   * node's name when it is not a model ONNX Runtime accepts, and "usage" when the state does not fit the model.
   */
  compile(model: Uint8Array, options?: CompileOptions): Promise<Executable>;
}

/**
 * A compiled model. Runs, reads and writes happen one after another, in the order of the calls.
 * In Node and on wasm a run occupies the calling thread and cannot be interrupted.
 */
export interface Executable {
  /** What every run must be fed: the model's inputs without the state. */
  readonly inputs: readonly Port[];
  /** What every run returns: the model's outputs without the state. */
  readonly outputs: readonly Port[];
  /** What stays inside between runs, by the names of the inputs it feeds, with all sizes known. */
  readonly state: readonly Port[];

  /**
   * Runs once. Feeds must not change until the promise settles; the returned tensors belong to the caller.
   * A run that fails leaves the state as it was.
   * Throws "usage" when a feed is missing, unknown, of another type or of another size than the model's, and
   * "runtime-failed" with the node's name when ONNX Runtime fails.
   */
  run(feeds: Feeds): Promise<ReadonlyMap<string, Tensor>>;

  /** The state as it is now, copied, by the names of the inputs. */
  readState(): Promise<ReadonlyMap<string, NumericTensor>>;

  /** Replaces the state named, by a copy. Throws "usage" when a name, type or size does not fit; then nothing changes. */
  writeState(values: Feeds): Promise<void>;

  /** Frees the model and the state, after the runs that were asked for. Whatever is asked afterwards throws "usage". */
  dispose(): Promise<void>;
}
