/** @file ONNX Runtime in browsers, through onnxruntime-web: WebAssembly on the CPU, or WebGPU. */
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-web";
import { GraftError, type Tensor } from "../tensor/index.ts";
import { failureOf } from "./failure.ts";
import { inspectBytes } from "./modelBytes.ts";
import { fromOrt, toOrt } from "./ortTensor.ts";
import { portOf } from "./ports.ts";
import type { CompileOptions, Device, Executable, Port, Runtime, StatePair } from "./runtime.ts";
import { executableOf, type Named, type Session } from "./session.ts";

type Library = typeof import("onnxruntime-web");

export interface WebRuntimeOptions {
  /** "cpu", which is WebAssembly, by default. */
  readonly device?: Device;
  /**
   * Threads within one operator. More than 1 needs a page that is cross-origin isolated, whose processors they are by
   * default. The first runtime of a page fixes the number.
   */
  readonly threads?: number;
  /** Where the engine's files are, when the bundler does not place them beside the page's own. */
  readonly files?: { readonly wasm: string | URL; readonly mjs: string | URL };
  /** The build of onnxruntime-web to use: by default the smallest for the device. In Node it is the package's main entry. */
  readonly load?: () => Promise<Library>;
}

/** ONNX Runtime on this page. Models run on the calling thread: put it into a worker to keep the page responsive. */
export async function webRuntime(options: WebRuntimeOptions = {}): Promise<Runtime> {
  const { device = "cpu", threads = defaultThreads(), files, load = () => loadFor(device) } = options;
  if (device === "webgpu") await requireGpu();
  const library = await load();
  fixThreads(library, threads);
  library.env.logLevel = "fatal";
  if (files !== undefined) library.env.wasm.wasmPaths = { ...files };
  return {
    name: "onnxruntime-web",
    version: library.env.versions.web ?? library.env.versions.common,
    device,
    threads,
    compile: (model, compileOptions = {}) => compile(library, model, device, compileOptions),
  };
}

/** Threads share memory, which browsers allow only to pages that are isolated from others. */
function defaultThreads(): number {
  return globalThis.crossOriginIsolated && typeof SharedArrayBuffer !== "undefined" ? navigator.hardwareConcurrency : 1;
}

function loadFor(device: Device): Promise<Library> {
  if (device === "cpu") return import("onnxruntime-web/wasm");
  // With JavaScript Promise Integration the engine is 10 MB smaller.
  return "Suspending" in WebAssembly ? import("onnxruntime-web/jspi") : import("onnxruntime-web/webgpu");
}

async function requireGpu(): Promise<void> {
  // The DOM's types do not have navigator.gpu yet, and a runtime outside browsers may have no navigator.
  const { gpu } = (globalThis.navigator ?? {}) as { readonly gpu?: { requestAdapter(): Promise<unknown> } };
  if (await gpu?.requestAdapter()) return;
  throw new GraftError("runtime-failed", "WebGPU is not available", {
    expected: "a browser and a graphics card with WebGPU",
    actual: gpu === undefined ? "no navigator.gpu" : "no adapter",
    hint: 'use the device "cpu"',
  });
}

const fixed = new WeakMap<Library["env"], number>();

/** The engine reads the number once, when the first session is made. */
function fixThreads({ env }: Library, threads: number): void {
  const earlier = fixed.get(env) ?? threads;
  if (earlier !== threads) {
    throw new GraftError("usage", "the number of threads is fixed by the page's first runtime", {
      expected: String(earlier),
      actual: String(threads),
    });
  }
  fixed.set(env, threads);
  env.wasm.numThreads = threads;
}

async function compile(
  library: Library,
  model: Uint8Array,
  device: Device,
  { state = [], optimization = "all", profile }: CompileOptions,
): Promise<Executable> {
  if (profile !== undefined) throw new GraftError("usage", "onnxruntime-web writes no profile files");
  inspectBytes(model);
  let session: InferenceSession | undefined;
  try {
    session = await library.InferenceSession.create(model, {
      executionProviders: [device === "cpu" ? "wasm" : "webgpu"],
      graphOptimizationLevel: optimization,
      logSeverityLevel: 4,
      ...(device === "webgpu" ? { preferredOutputLocation: locations(state) } : {}),
      extra: { session: { load_model_format: "ONNX" } },
    });
    return executableOf(new WebSession(library, session), state);
  } catch (thrown) {
    await session?.release();
    throw failureOf(thrown, "model-invalid");
  }
}

/** State stays on the GPU; everything else comes to the CPU, which is the default. */
function locations(state: readonly StatePair[]): Record<string, "gpu-buffer"> {
  return Object.fromEntries(state.map(({ output }) => [output, "gpu-buffer"]));
}

class WebSession implements Session<OrtTensor> {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** The engine has its own memory: everything is copied in and out, and it leaves tensors given for outputs as they were. */
  readonly writesInPlace = false;
  readonly #library: Library;
  readonly #session: InferenceSession;

  constructor(library: Library, session: InferenceSession) {
    this.#library = library;
    this.#session = session;
    this.inputs = session.inputMetadata.map((port) => portOf(port, "input"));
    this.outputs = session.outputMetadata.map((port) => portOf(port, "output"));
  }

  wrap(tensor: Tensor): OrtTensor {
    return toOrt(this.#library.Tensor, tensor);
  }

  read(value: OrtTensor): Promise<Tensor> {
    return fromOrt(value);
  }

  free(value: OrtTensor): void {
    if (value.location === "gpu-buffer") value.dispose();
  }

  run(feeds: Named<OrtTensor>): Promise<Named<OrtTensor>> {
    // What fails is thrown; the engine need not print it as well.
    return this.#session.run(feeds, { logSeverityLevel: 4 });
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}
