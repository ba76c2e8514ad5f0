/** @file ONNX Runtime in Node, through onnxruntime-node: the CPU, or WebGPU where a device is present. */
import { availableParallelism } from "node:os";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { failureOf } from "./failure.ts";
import { fromOrt, toOrt } from "./ortTensor.ts";
import { portOf } from "./ports.ts";
import type { CompileOptions, Device, Executable, Runtime } from "./runtime.ts";
import { executableOf, type Named, type Session } from "./session.ts";

export interface NodeRuntimeOptions {
  /** "cpu" by default. */
  readonly device?: Device;
  /** Threads within one operator; as many as the process may use by default. */
  readonly threads?: number;
  /** Whether idle threads wait busily. Faster steps on a free machine, slower ones on a shared machine; on by default. */
  readonly spinning?: boolean;
}

type Library = typeof import("onnxruntime-node");

/** ONNX Runtime in this process. Models run on the calling thread: put it into a worker to stay responsive. */
export async function nodeRuntime(options: NodeRuntimeOptions = {}): Promise<Runtime> {
  const { device = "cpu", threads = availableParallelism(), spinning = true } = options;
  const library = await load();
  return {
    name: "onnxruntime-node",
    version: library.env.versions.node ?? library.env.versions.common,
    device,
    threads,
    compile: (model, compileOptions = {}) => compile(library, model, { device, threads, spinning }, compileOptions),
  };
}

async function load(): Promise<Library> {
  // On by default, telemetry would write files under the user's cache.
  Object.assign(process.env, { ORT_DISABLE_TELEMETRY: "1" });
  const library = await import("onnxruntime-node");
  library.env.logLevel = "fatal";
  return library;
}

async function compile(
  library: Library,
  model: Uint8Array,
  { device, threads, spinning }: Required<NodeRuntimeOptions>,
  { state = [], optimization = "all", profile }: CompileOptions,
): Promise<Executable> {
  let session: InferenceSession | undefined;
  try {
    session = await library.InferenceSession.create(model, {
      executionProviders: [device],
      intraOpNumThreads: threads,
      graphOptimizationLevel: optimization,
      // What fails is thrown; ONNX Runtime need not print it as well.
      logSeverityLevel: 4,
      ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
      extra: { session: { load_model_format: "ONNX", intra_op: { allow_spinning: spinning ? "1" : "0" } } },
    });
    return executableOf(new NodeSession(library, session, profile !== undefined), state);
  } catch (thrown) {
    await session?.release();
    throw failureOf(thrown, "model-invalid");
  }
}

class NodeSession implements Session<OrtTensor> {
  readonly inputs: Session<OrtTensor>["inputs"];
  readonly outputs: Session<OrtTensor>["outputs"];
  readonly writesInPlace = false;
  readonly #library: Library;
  readonly #session: InferenceSession;
  readonly #isProfiled: boolean;

  constructor(library: Library, session: InferenceSession, isProfiled: boolean) {
    this.#library = library;
    this.#session = session;
    this.#isProfiled = isProfiled;
    this.inputs = session.inputMetadata.map((port) => portOf(port, "input"));
    this.outputs = session.outputMetadata.map((port) => portOf(port, "output"));
  }

  wrap(tensor: Parameters<Session<OrtTensor>["wrap"]>[0]): OrtTensor {
    return toOrt(this.#library.Tensor, tensor);
  }

  read(value: OrtTensor): ReturnType<Session<OrtTensor>["read"]> {
    return fromOrt(value);
  }

  /** Values lie in JavaScript's memory. */
  free(): void {}

  run(feeds: Named<OrtTensor>): Promise<Named<OrtTensor>> {
    return this.#session.run(feeds);
  }

  async release(): Promise<void> {
    if (this.#isProfiled) this.#session.endProfiling();
    await this.#session.release();
  }
}
