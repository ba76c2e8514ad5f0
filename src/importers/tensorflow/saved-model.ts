/** @file SavedModels: saved_model.pb with variables/ beside it, from TensorFlow 1 and 2 (saved_model.proto, meta_graph.proto). */
import { GraftError } from "../../tensor/index.ts";
import type { ImportOptions } from "../imported.ts";
import type { ModelFiles } from "../model-files.ts";
import { withoutAugmentation } from "./augmentation.ts";
import { TensorBundle } from "./bundle.ts";
import { chooseCallable } from "./callable.ts";
import { type Callable, freeze } from "./freeze.ts";
import type { FrozenGraph } from "./graph-def.ts";
import type { SourceGraph } from "./graph-source.ts";
import { ObjectGraph } from "./object-graph.ts";
import { readGraphDef } from "./read-graph.ts";
import { chooseSignature, graphVariables } from "./signature.ts";
import { Message } from "./wire.ts";

export interface SavedModelOptions extends ImportOptions {
  /** The function of the root, or the signature, that is run instead of the usual one. */
  readonly callable?: string | undefined;
}

/** A SavedModel, ready to be lowered. */
export interface FrozenSavedModel {
  readonly frozen: FrozenGraph;
  readonly savedBy: string | undefined;
  readonly labels: readonly string[] | undefined;
}

const modelFile = "saved_model.pb";
const variablesPrefix = "variables/variables";
const mostLabels = 1_000_000;

/**
 * Reads a SavedModel, chooses what is run, and freezes it.
 *
 * @throws GraftError `model-invalid` where a file is missing or damaged, or a variable's checksum is wrong;
 *   `model-refused` where nothing can be chosen or what is chosen cannot be frozen
 */
export async function freezeSavedModel(files: ModelFiles, options: SavedModelOptions): Promise<FrozenSavedModel> {
  const bytes = await files.read(modelFile);
  const meta = place(modelFile, () => chooseMetaGraph(Message.of(bytes, "SavedModel")));
  const info = meta.message(1, "MetaInfoDef");
  const version = info?.text(5) ?? "";
  const graph = place(modelFile, () => readGraphDef(meta.message(2, "GraphDef") ?? emptyMessage()));
  const objects = place(modelFile, () => new ObjectGraph(meta.message(7, "SavedObjectGraph") ?? emptyMessage()));
  const bundle = (await hasVariables(files, graph, objects))
    ? await TensorBundle.open(files, variablesPrefix)
    : TensorBundle.empty(variablesPrefix);
  const callable = place(modelFile, () => callableOf(meta, graph, objects, bundle, options));
  return {
    frozen: withoutAugmentation(freeze(callable)),
    savedBy: version === "" ? undefined : `TensorFlow ${version}`,
    labels: await readLabels(files),
  };
}

function callableOf(
  meta: Message,
  graph: SourceGraph,
  objects: ObjectGraph,
  bundle: TensorBundle,
  { name, callable: wanted }: SavedModelOptions,
): Callable {
  if (objects.objects.length > 0) {
    const assets = meta.messages(6, "AssetFileDef").map((asset) => asset.text(2));
    return chooseCallable(graph, objects, objects.variables(bundle), { name, wanted, assets });
  }
  const variableOf = graphVariables(graph, bundle, trainedNames(meta));
  return chooseSignature(graph, meta.map(5, "SignatureDef"), variableOf, { name, wanted });
}

/** The meta graph for serving; in modules of TF 1 Hub the one without tags; else the only one, or the first. */
function chooseMetaGraph(model: Message): Message {
  const metas = model.messages(2, "MetaGraphDef");
  const tagged = metas.map((meta) => ({ meta, tags: meta.message(1, "MetaInfoDef")?.texts(4) ?? [] }));
  const chosen =
    tagged.find(({ tags }) => tags.length === 1 && tags[0] === "serve") ??
    tagged.find(({ tags }) => tags.includes("serve")) ??
    tagged.find(({ tags }) => tags.length === 0) ??
    tagged[0];
  if (chosen !== undefined) return chosen.meta;
  throw new GraftError("model-invalid", "there is no graph in the file", {
    hint: "the file is damaged, or no SavedModel",
  });
}

/** A model without variables may come without their files. */
async function hasVariables(files: ModelFiles, graph: SourceGraph, objects: ObjectGraph): Promise<boolean> {
  if (files.names.includes(`${variablesPrefix}.index`)) return true;
  const isVariable = /^(VarHandleOp|VariableV2|Variable)$/;
  return (
    objects.objects.some(({ kind }) => kind === "variable") ||
    [...graph.nodes.values()].some(({ op }) => isVariable.test(op))
  );
}

/** The names in the collection `trainable_variables`, whose items are VariableDefs; `undefined` where there is none. */
function trainedNames(meta: Message): ReadonlySet<string> | undefined {
  const collection = meta.map(4, "CollectionDef").get("trainable_variables");
  const items = collection?.message(2, "CollectionDef.BytesList")?.byteStrings(1);
  return items && new Set(items.map((item) => Message.of(item, "VariableDef").text(1).replace(/:\d+$/, "")));
}

/** The lines of a file of labels among the assets. */
async function readLabels(files: ModelFiles): Promise<readonly string[] | undefined> {
  const name = files.names.find((candidate) => /^assets\/[^/]*labels?[^/]*\.txt$/i.test(candidate));
  if (name === undefined || files.size(name) > mostLabels) return undefined;
  const lines = new TextDecoder().decode(await files.read(name)).split(/\r?\n/);
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

function emptyMessage(): Message {
  return Message.of(new Uint8Array(0), "GraphDef");
}

function place<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw cause instanceof GraftError && cause.path[0] !== variablesPrefix ? cause.at(file) : cause;
  }
}
