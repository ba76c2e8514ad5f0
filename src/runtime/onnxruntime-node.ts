/** @file ONNX Runtime in Node, through onnxruntime-node: the CPU, or WebGPU where a device is present. */
import { availableParallelism } from "node:os";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { isStatic, type Tensor } from "../tensor/index.ts";
import { failureOf } from "./failure.ts";
import { inspectBytes, withLeadingSequence } from "./modelBytes.ts";
import { fromOrt, toOrt } from "./ortTensor.ts";
import { portOf } from "./ports.ts";
import type { CompileOptions, Device, Executable, Port, Runtime, StatePair } from "./runtime.ts";
import { executableOf, type Named, type Session } from "./session.ts";

export interface NodeRuntimeOptions {
  /** "cpu" by default. */
  readonly device?: Device;
  /** Threads within one operator; as many as the process may use by default. */
  readonly threads?: number | undefined;
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
  { device, threads, spinning }: { readonly device: Device; readonly threads: number; readonly spinning: boolean },
  { state = [], optimization = "all", profile }: CompileOptions,
): Promise<Executable> {
  const { opset } = inspectBytes(model);
  // SequenceEmpty came with opset 11. On a GPU, outputs are copied to our memory in any case.
  const hasLead = opset >= 11 && device === "cpu";
  let session: InferenceSession | undefined;
  try {
    session = await library.InferenceSession.create(hasLead ? withLeadingSequence(model, lead) : model, {
      executionProviders: [device],
      intraOpNumThreads: threads,
      graphOptimizationLevel: optimization,
      // What fails is thrown; ONNX Runtime need not print it as well.
      logSeverityLevel: 4,
      ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
      extra: {
        session: {
          load_model_format: "ONNX",
          intra_op: { allow_spinning: spinning ? "1" : "0" },
          // Vanishing gradients are full of numbers below 1e-38, on which arithmetic is many times slower. TensorFlow
          // takes them for zero as well.
          set_denormal_as_zero: "1",
        },
      },
    });
    return executableOf(
      new NodeSession(library, session, { state, hasLead, isProfiled: profile !== undefined }),
      state,
    );
  } catch (thrown) {
    await session?.release();
    throw failureOf(thrown, "model-invalid");
  }
}

/**
 * The name of an output that `withLeadingSequence` puts before the model's own.
 *
 * onnxruntime-node 1.30 writes outputs into the tensors it is given for them, and then copies each into fresh memory
 * to return it: for state of 14 MB 3 to 20 ms a run, most of it page faults. It stops with an error at the first output
 * it cannot return, which is a sequence. So a sequence is asked for first, and the outputs are where we wanted them.
 * Should a later version return sequences, or not copy, the results stay the same.
 */
const lead = "graftwork:written";
const leadIsWritten = /^Non tensor type is temporarily not supported/;

interface NodeSessionOptions {
  readonly state: readonly StatePair[];
  readonly hasLead: boolean;
  readonly isProfiled: boolean;
}

class NodeSession implements Session<OrtTensor> {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly writesInPlace: boolean;
  readonly #library: Library;
  readonly #session: InferenceSession;
  readonly #isProfiled: boolean;

  constructor(library: Library, session: InferenceSession, { state, hasLead, isProfiled }: NodeSessionOptions) {
    this.#library = library;
    this.#session = session;
    this.#isProfiled = isProfiled;
    this.inputs = session.inputMetadata.map((port) => portOf(port, "input"));
    this.outputs = session.outputMetadata.filter(({ name }) => name !== lead).map((port) => portOf(port, "output"));
    const kept = new Set(state.map(({ output }) => output));
    this.writesInPlace =
      hasLead &&
      this.outputs.every(({ name, dtype, shape }) => kept.has(name) || (isStatic(shape) && dtype !== "string"));
  }

  wrap(tensor: Tensor): OrtTensor {
    return toOrt(this.#library.Tensor, tensor);
  }

  read(value: OrtTensor): Promise<Tensor> {
    return fromOrt(value);
  }

  /** Values lie in JavaScript's memory. */
  free(): void {}

  async run(feeds: Named<OrtTensor>, into: Named<OrtTensor>): Promise<Named<OrtTensor>> {
    if (!this.writesInPlace) {
      return this.#session.run(
        feeds,
        this.outputs.map(({ name }) => name),
      );
    }
    try {
      await this.#session.run(feeds, { ...into, [lead]: null });
    } catch (thrown) {
      if (!(thrown instanceof Error && leadIsWritten.test(thrown.message))) throw thrown;
    }
    return into;
  }

  async release(): Promise<void> {
    if (this.#isProfiled) this.#session.endProfiling();
    await this.#session.release();
  }
}
