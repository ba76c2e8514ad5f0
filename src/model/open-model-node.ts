/** @file From a handle — a name, a file, a folder or an address — to the model itself, as its file has it. */
import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { families } from "../applications/index.ts";
import { packageFile, reasonOf } from "../files/index.ts";
import { type DownloadOptions, digestOf, type FetchedModel, fetchModel, parseHandle } from "../hub/index.ts";
import type { ImportOptions } from "../importers/index.ts";
import { readModelFile } from "../onnx/files-node.ts";
import { GraftError } from "../tensor/index.ts";
import { familyOfHandle, openApplication } from "./application-node.ts";
import { documentKey } from "./artifact.ts";
import { parseMetadata } from "./artifactMetadata.ts";
import type { Provenance } from "./base.ts";
import { layersOf } from "./base-layers.ts";
import { byteRange } from "./base-ranges.ts";
import { withConventions } from "./conventions.ts";
import { documentsBeside } from "./conventions-node.ts";
import { type ImportLimits, importFile } from "./import-node.ts";
import { readSource } from "./read-source-node.ts";
import type { OpenedModel, SourceModel } from "./source.ts";

export interface OpenOptions extends Pick<DownloadOptions, "offline" | "onProgress" | "signal"> {
  /**
   * What layers compute that Keras does not have, or that are refused; by class name, or by the name of a Lambda layer.
   * With it the file is read in this process: functions do not travel to another.
   */
  readonly customLayers?: ImportOptions["customLayers"];
  /** Of a SavedModel: the function of its root, or the signature, that is run. Default: the root itself, for inference. */
  readonly callable?: string | undefined;
  readonly limits?: ImportLimits;
}

interface FileOptions extends OpenOptions {
  /** Default: only with custom layers. */
  readonly inThisProcess?: boolean;
  /** Where it came from, for what hubs have agreed on. */
  readonly origin?: string | undefined;
}

/** Where a handle's files are on this machine. */
export interface LocatedModel {
  readonly path: string;
  readonly fetched: FetchedModel | undefined;
}

/**
 * Opens any model: `pocket`, an application (`keras:MobileNetV2`, `MobileNetV2`), a file or folder of any known format,
 * or an address on a hub, from which it is fetched first.
 *
 * @throws GraftError `usage` for a handle that is none of these; `model-invalid`, `model-refused` and `out-of-resources`
 *   for files; `not-cached` where it cannot be fetched
 */
export async function openModel(handle: string, options: OpenOptions = {}): Promise<OpenedModel> {
  if (familyOfHandle(handle) !== undefined) return await openApplication(handle, options);
  const located = await locateModel(handle, options);
  const source = await openFile(located.path, { ...options, origin: located.fetched?.source });
  const license = located.fetched?.license ?? source.license;
  return { ...source, license, provenance: { ...(await provenanceOf(located)), license }, path: located.path };
}

/** Finds a handle's files, fetching them where they are not here yet. Not for applications, which are names of tables. */
export async function locateModel(handle: string, options: OpenOptions = {}): Promise<LocatedModel> {
  if (handle.toLowerCase() === "pocket") return { path: packageFile("models/pocket.onnx"), fetched: undefined };
  // What is there is what is meant, whatever it is called.
  const facts = await stat(handle).catch(() => undefined);
  if (facts !== undefined) return { path: handle, fetched: undefined };
  const parsed = parseHandle(handle);
  // A name of keras.applications that is not one of its own is a misspelt one.
  if (parsed.kind === "path" || parsed.kind === "keras") throw unknownHandle(handle);
  const fetched = await fetchModel(parsed, options);
  return { path: fetched.path, fetched };
}

/** What is said of where it came from: its address on a hub, else its file's name, and its digest. */
export async function provenanceOf({ path, fetched }: LocatedModel): Promise<Provenance> {
  const digest = await digestOfModel(path);
  return { source: fetched?.source ?? basename(path), digest, license: fetched?.license };
}

/** A file or folder of any format. Only a process that may be killed reads strangers' files itself. */
export async function openFile(path: string, { origin = "", ...options }: FileOptions = {}): Promise<SourceModel> {
  return withConventions(await readModelAt(path, options), { origin, documents: await documentsBeside(path) });
}

async function readModelAt(
  path: string,
  { customLayers, callable, limits, signal, inThisProcess = customLayers !== undefined }: FileOptions,
): Promise<SourceModel> {
  if (await isOnnx(path)) return await openOnnx(path);
  if (inThisProcess) return await readSource(path, { customLayers, callable });
  return await importFile(path, { signal, ...limits }, { callable });
}

/** Whether it is a file that is no other format's: what may be ONNX. */
export async function isOnnx(path: string): Promise<boolean> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new GraftError("usage", "the file cannot be read", { path: [path], actual: reasonOf(cause), cause });
  });
  if (!facts.isFile()) return false;
  const head = await firstBytes(path);
  return /\.onnx$/i.test(path) || looksLikeOnnx(head);
}

/** An ONNX file begins with its IR version (field 1, a small varint), and a producer, domain or graph follows. */
function looksLikeOnnx(head: Uint8Array): boolean {
  const [tag, version = 0, next = 0] = head;
  return tag === 0x08 && version >= 1 && version <= 0x20 && [0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a, 0x42].includes(next);
}

async function openOnnx(path: string): Promise<SourceModel> {
  const { graph, ...onnx } = await readModelFile(path);
  const document = onnx.metadata.get(documentKey);
  const artifact = document === undefined ? undefined : parseMetadata(document, "model-invalid");
  return {
    graph,
    onnx,
    layers: layersOf(graph),
    name: graph.name || basename(path),
    format: `ONNX, IR ${onnx.irVersion}, opset ${onnx.opsetImports.get("") ?? 0}`,
    savedBy: [onnx.producerName, onnx.producerVersion].filter(Boolean).join(" ") || undefined,
    labels: artifact?.classes,
    textSteps: [],
    recipe: artifact?.pixels,
    remarks: onnx.leftOut.map((each) => `Not written again: ${each}.`),
    range: artifact && { range: byteRange, because: "it is a classifier that was made here" },
    license: undefined,
  };
}

async function firstBytes(path: string): Promise<Uint8Array> {
  const file = await open(path).catch((cause: unknown) => {
    throw new GraftError("usage", "the file cannot be read", { path: [path], actual: reasonOf(cause), cause });
  });
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(16), 0, 16, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** A file's SHA-256; of a folder none. */
async function digestOfModel(path: string): Promise<string> {
  const facts = await stat(path);
  return facts.isFile() ? await digestOf(path) : "";
}

function unknownHandle(handle: string): GraftError {
  // What is written as a path or with an ending was meant as a file.
  if (/[\\/]|\.[a-z0-9]{1,8}$/i.test(handle)) {
    return new GraftError("usage", "the file cannot be read", { path: [handle], actual: "no such file" });
  }
  const names = ["pocket", ...families.map(({ name }) => name)];
  const near = names
    .map((name) => ({ name, likeness: closeness(name.toLowerCase(), handle.toLowerCase()) }))
    .sort((one, other) => other.likeness - one.likeness)[0];
  return new GraftError("usage", "there is no such file or model", {
    path: [handle],
    expected:
      "a path, pocket, a name of keras.applications (MobileNetV2, keras:ResNet50), or an address: https://tfhub.dev/…, kaggle:…, hf:org/name, https://…",
    ...(near !== undefined && near.likeness > 0.5 && { hint: `did you mean ${near.name}?` }),
  });
}

/** The share of pairs of neighbouring letters that two words have in common (Dice's coefficient). */
function closeness(a: string, b: string): number {
  const pairs = (word: string) =>
    new Set(Array.from({ length: Math.max(0, word.length - 1) }, (_, at) => word.slice(at, at + 2)));
  const [first, second] = [pairs(a), pairs(b)];
  const shared = [...first].filter((pair) => second.has(pair)).length;
  return (2 * shared) / Math.max(1, first.size + second.size);
}
