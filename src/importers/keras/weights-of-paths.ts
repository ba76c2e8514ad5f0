/** @file Weights by path in Keras 3's files: .weights.h5, alone or in shards. */
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import { isObject, member, parseJson } from "../json.ts";
import type { ModelFiles } from "../model-files.ts";
import type { Hdf5Group } from "./hdf5.ts";
import { storedWeight } from "./stored-weight.ts";
import type { StoredWeight, WeightsByPath } from "./stores.ts";
import { openKerasH5 } from "./weights.ts";

/** Deeper than models nest: nested models, wrappers, sub-objects, lists of them. */
const deepest = 64;
const mostHolders = 100_000;
const mostShards = 1000;
/** What training keeps beside the model. */
const notModel: ReadonlySet<string> = new Set(["optimizer", "compile_metrics", "compile_loss", "loss_tracker"]);

/**
 * Every folder of the file that holds variables.
 *
 * @throws GraftError `model-invalid` where the file is damaged, `model-refused` for links and elements in other files
 */
export function weightsByPath(bytes: Uint8Array): WeightsByPath {
  return weightsOfGroups([openKerasH5(bytes)]);
}

/** The same of a `model.weights.json` and the shards that it names. */
export async function weightsOfShards(files: ModelFiles, entry: string): Promise<WeightsByPath> {
  const folder = entry.slice(0, entry.lastIndexOf("/") + 1);
  const roots: Hdf5Group[] = [];
  for (const name of shardNames(parseJson(await files.read(entry), entry), entry)) {
    if (!files.names.includes(folder + name)) {
      throw new GraftError("model-invalid", "a file of weights is missing", {
        path: [entry, name],
        hint: "put all shards beside the .weights.json that lists them",
      });
    }
    roots.push(openKerasH5(await files.read(folder + name)));
  }
  return weightsOfGroups(roots);
}

/** `weight_map`: paths of variables to the file that holds them, or to several. */
function shardNames(json: Json, entry: string): readonly string[] {
  const map = member(json, "weight_map");
  if (!isObject(map))
    throw new GraftError("model-invalid", "there is no list of shards", { path: [entry, "weight_map"] });
  const names = [...new Set(Object.values(map).flat())];
  const isName = (name: Json): name is string => typeof name === "string" && /^[^/\\:\0]+\.h5$/.test(name);
  if (names.length > mostShards || !names.every(isName)) {
    throw new GraftError("model-refused", "the list of shards names other files than .h5 files beside it", {
      path: [entry],
    });
  }
  return names.sort();
}

export function weightsOfGroups(roots: readonly Hdf5Group[]): WeightsByPath {
  const holders = new Map<string, StoredWeight[]>();
  const layerNames = new Map<string, string>();
  for (const root of roots) walk(root, "", [], { holders, layerNames });
  for (const weights of holders.values()) weights.sort((a, b) => numberOf(a) - numberOf(b));
  return { kind: "paths", holders, layerNames };
}

interface Found {
  readonly holders: Map<string, StoredWeight[]>;
  readonly layerNames: Map<string, string>;
}

function walk(group: Hdf5Group, path: string, above: readonly number[], found: Found): void {
  if (above.length > deepest || above.includes(group.address)) {
    throw new GraftError("model-invalid", "the groups of the file lie in each other without end", { path: [path] });
  }
  for (const name of group.names) {
    if (path === "" && notModel.has(name)) continue;
    const inner = path === "" ? name : `${path}/${name}`;
    const child = at(group, name, inner);
    if (child.kind === "dataset") continue;
    if (name === "vars") addHolder(child, path, found);
    else walk(child, inner, [...above, group.address], found);
  }
}

function at(group: Hdf5Group, name: string, path: string): ReturnType<Hdf5Group["at"]> {
  try {
    return group.at(name);
  } catch (error) {
    throw error instanceof GraftError ? error.at(path) : error;
  }
}

function addHolder(group: Hdf5Group, path: string, { holders, layerNames }: Found): void {
  const weights = holders.get(path) ?? [];
  for (const name of group.names) {
    const child = group.at(name);
    if (child.kind === "dataset")
      weights.push(storedWeight(path === "" ? `vars/${name}` : `${path}/vars/${name}`, child));
  }
  if (group.attributes.has("name")) layerNames.set(path, group.attributes.text("name") ?? "");
  holders.set(path, weights);
  if (holders.size > mostHolders) throw new GraftError("model-invalid", "the file holds too many groups");
}

/** `layers/dense/vars/10` comes after `…/9`; what has no number comes last, in the file's order. */
function numberOf({ name }: StoredWeight): number {
  const last = name.slice(name.lastIndexOf("/") + 1);
  return /^\d{1,9}$/.test(last) ? Number(last) : Number.MAX_SAFE_INTEGER;
}
