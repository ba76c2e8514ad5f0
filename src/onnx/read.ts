/** @file Reading: bytes that someone else wrote become a verified graph, or an error that says what is wrong. */
import { fromBinary } from "@bufbuild/protobuf";
import { verify } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { ExternalData } from "./external-data.ts";
import { modelExtrasOf } from "./extras.ts";
import { functionsOf } from "./functions.ts";
import { checkResources, type ResourceLimits } from "./limits.ts";
import { newestIrVersion, type OnnxModel } from "./model.ts";
import { opsetsOf } from "./opsets.ts";
import { type ModelProto, ModelProtoSchema } from "./proto/onnx_pb.ts";
import { GraphReader } from "./read-graph.ts";
import { adviceOn, recognizeOther } from "./recognize.ts";
import { inspectWire, type ReadLimits, readLimits } from "./wire.ts";

export interface ReadOptions {
  /** The file's name, for messages. */
  readonly path?: string;
  /** Gives data that lies outside the file; without it, such models are refused. */
  readonly externalData?: ExternalData;
  /** What a file may hold, and what running it may take. `Infinity` sets a limit aside. */
  readonly limits?: Partial<ReadLimits & ResourceLimits>;
}

/**
 * The model in the bytes of an ONNX file, raised to the canonical operator set, its functions inlined. Weights are not
 * copied where their bytes are aligned: the tensors look into `bytes`, which must not change afterwards.
 * Throws `GraftError` with the file's name: "model-invalid" when the file is malformed, "model-refused" when it asks
 * for too much (also of a machine that runs it: see `checkResources`), for other files, or for what is not supported.
 */
export function readModel(bytes: Uint8Array, options: ReadOptions = {}): OnnxModel {
  try {
    return read(bytes, options);
  } catch (error) {
    throw error instanceof GraftError ? error.at(options.path ?? "the model") : error;
  }
}

function read(bytes: Uint8Array, options: ReadOptions): OnnxModel {
  const other = recognizeOther(bytes);
  if (other !== undefined) {
    const hint = adviceOn(bytes);
    throw new GraftError("model-invalid", `this is ${other}, not ONNX`, hint === undefined ? {} : { hint });
  }
  const limits = { ...readLimits, ...options.limits };
  inspectWire(bytes, limits);
  const proto = decode(bytes);
  if (proto.graph === undefined) throw new GraftError("model-invalid", "the file holds no graph; it is no ONNX model");
  const irVersion = Number(proto.irVersion);
  if (irVersion < 1) throw new GraftError("model-invalid", "the file does not say which IR version it is written in");
  if (irVersion > newestIrVersion) {
    throw new GraftError("model-refused", "the file format is newer than this library", {
      expected: `IR version ${newestIrVersion} at most`,
      actual: `${irVersion}`,
    });
  }
  const opsets = opsetsOf(proto.opsetImport);
  const functions = functionsOf(proto.functions);
  const reader = new GraphReader(limits, functions, options.externalData);
  const graph = verify(reader.mainGraph(proto.graph, opsets, irVersion));
  checkResources({ graph }, options.limits);
  const extras = modelExtrasOf(proto);
  return {
    graph,
    irVersion,
    opsetImports: importsOf(proto, opsets, reader),
    producerName: proto.producerName,
    producerVersion: proto.producerVersion,
    domain: proto.domain,
    modelVersion: Number(proto.modelVersion),
    docString: proto.docString,
    metadata: new Map(proto.metadataProps.map(({ key, value }) => [key, value])),
    leftOut: proto.trainingInfo.length === 0 ? [] : [`${proto.trainingInfo.length} training_info`],
    ...(extras === undefined ? {} : { extras }),
  };
}

function decode(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw new GraftError("model-invalid", "the bytes are no ONNX model", { cause });
  }
}

/** What the graph's nodes ask for, and what else the file names beside the domains of its own functions. */
function importsOf(proto: ModelProto, opsets: ReadonlyMap<string, number>, reader: GraphReader): Map<string, number> {
  const own = new Set(proto.functions.map(({ domain }) => domain));
  const imports = new Map([["", Math.max(opsets.get("") ?? 0, reader.newestOpset)]]);
  for (const [domain, version] of opsets) if (domain !== "" && !own.has(domain)) imports.set(domain, version);
  for (const [domain, version] of reader.foreignDomains) {
    imports.set(domain, Math.max(version, imports.get(domain) ?? 0));
  }
  return imports;
}
