/** @file Hugging Face's client: what a repository holds at a commit, and its model's files in the shared cache. */
import { createHash } from "node:crypto";
import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { GraftError } from "../tensor/index.ts";
import { type Choice, chooseModel } from "./choose.ts";
import { type Digest, digestInTag } from "./digest-node.ts";
import { type DownloadOptions, downloadFile } from "./download-node.ts";
import { endpoints, huggingFaceAuthorization, isHuggingFaceOffline } from "./environment-node.ts";
import type { FetchedModel } from "./fetched.ts";
import { Fields } from "./fields.ts";
import { DEFAULT_REVISION, type HuggingFaceHandle, printHandle } from "./handle.ts";
import {
  blobPath,
  cachedCommit,
  isCommit,
  markCache,
  nameBlob,
  namesIn,
  noteCommit,
  snapshotFolder,
} from "./huggingface-cache-node.ts";
import { askJson } from "./interface-node.ts";
import { isFileName, plainText } from "./names.ts";
import { exists } from "./own-cache-node.ts";
import { shardsOf } from "./shards.ts";

/** A repository at a commit. */
interface Repository {
  readonly commit: string;
  readonly license: string | undefined;
  readonly files: ReadonlyMap<string, { readonly size: number | undefined; readonly digest: Digest | undefined }>;
}

const DENIED =
  "there is no such repository, or it is private or asks for consent: agree on its page and set HF_TOKEN to a token that may read it";
/** What explains a model: labels, the input's convention, a Teachable Machine's labels. */
const COMPANIONS = ["config.json", "preprocessor_config.json", "metadata.json"];

/**
 * The model of a repository, in the cache that huggingface_hub uses. Offline, and where the hub does not answer, what is
 * there serves.
 *
 * @throws GraftError `not-cached` where it is not to be had; `model-refused` where nothing in it can be read
 */
export async function fetchFromHuggingFace(
  handle: HuggingFaceHandle,
  options: DownloadOptions = {},
): Promise<FetchedModel> {
  const revision = handle.revision ?? DEFAULT_REVISION;
  const isOff = options.offline ?? isHuggingFaceOffline();
  const known = await cachedCommit(handle.repository, revision);
  if (isOff) {
    const cached = known === undefined ? undefined : await fromCache(handle, known);
    if (cached === undefined) throw notHere(handle);
    return cached;
  }
  const authorization = await huggingFaceAuthorization();
  const settings = { ...options, offline: false, hasNote: false, authorization, deniedHint: DENIED };
  let repository: Repository;
  try {
    repository = await askRepository(handle, settings);
  } catch (cause) {
    const isSilent = cause instanceof GraftError && cause.reason === "the hub does not answer";
    const cached = isSilent && known !== undefined ? await fromCache(handle, known) : undefined;
    if (cached !== undefined) return cached;
    throw cause;
  }
  const { commit, files } = repository;
  const choice = chosen([...files.keys()], handle);
  refuseTotal(choice, repository, options.limit);
  await noteCommit(handle.repository, revision, commit);
  await markCache();
  const needed = new Set(choice.needed);
  for (const name of companionsOf(choice, [...files.keys()])) needed.add(name);
  for (const name of needed) {
    const path = await fetchFile(handle.repository, repository, name, settings);
    if (name !== choice.name || !name.endsWith("model.json")) continue;
    const folder = name.slice(0, -"model.json".length);
    for (const shard of shardsOf(await readFile(path, "utf8"))) needed.add(folder + shard);
  }
  return await described(handle, choice, repository, [...needed]);
}

async function askRepository(handle: HuggingFaceHandle, options: DownloadOptions): Promise<Repository> {
  const at = handle.revision === undefined ? "" : `/revision/${encodeURIComponent(handle.revision)}`;
  const info = new Fields(
    await askJson(`${endpoints.huggingFace()}/api/models/${handle.repository}${at}?blobs=true`, options),
  );
  const commit = info.text("sha");
  if (commit === undefined || !isCommit(commit)) {
    throw new GraftError("not-cached", "the hub does not say which commit it is", { path: [printHandle(handle)] });
  }
  const files = new Map<string, { size: number | undefined; digest: Digest | undefined }>();
  for (const sibling of info.list("siblings").map((each) => new Fields(each))) {
    const name = sibling.text("rfilename");
    // A name that leads out of the folder is no file of a repository, whatever the hub says.
    if (name === undefined || !isFileName(name)) continue;
    const large = sibling.fields("lfs");
    files.set(name, {
      size: large.count("size") ?? sibling.count("size"),
      digest: digestInTag(large.text("sha256") ?? sibling.text("blobId")),
    });
  }
  const tag = info.texts("tags").find((each) => each.startsWith("license:"));
  const license = info.fields("cardData").text("license") ?? tag?.slice("license:".length);
  return { commit, files, license: license === undefined ? undefined : plainText(license, 80) };
}

/** One file, as a name in the snapshot for content in the blobs. */
async function fetchFile(
  repository: string,
  { commit, files }: Repository,
  name: string,
  options: DownloadOptions,
): Promise<string> {
  const path = join(snapshotFolder(repository, commit), name);
  if (await exists(path)) return path;
  const { size, digest } = files.get(name) ?? {};
  const address = `${endpoints.huggingFace()}/${repository}/resolve/${commit}/${name.split("/").map(encodeURIComponent).join("/")}`;
  if (digest !== undefined) {
    const blob = blobPath(repository, digest.hex);
    if (!(await exists(blob))) await downloadFile(address, blob, { ...options, size, digest });
    return await nameBlob(repository, commit, name, blob);
  }
  // A hub that does not say what a file is: its answer does, or else its content.
  const unnamed = blobPath(repository, `${createHash("sha256").update(address).digest("hex")}.incomplete`);
  const { sha256, tag } = await downloadFile(address, unnamed, { ...options, size });
  const blob = blobPath(repository, digestInTag(tag)?.hex ?? sha256);
  await rename(unnamed, blob);
  return await nameBlob(repository, commit, name, blob);
}

async function fromCache(handle: HuggingFaceHandle, commit: string): Promise<FetchedModel | undefined> {
  const folder = snapshotFolder(handle.repository, commit);
  const names = await namesIn(folder);
  if (names.length === 0 || (handle.file !== undefined && !names.some((name) => isAsked(name, handle.file))))
    return undefined;
  const choice = chosen(names, handle);
  const needed = [...choice.needed, ...companionsOf(choice, names)];
  if (choice.name.endsWith("model.json")) {
    const inside = choice.name.slice(0, -"model.json".length);
    const shards = shardsOf(await readFile(join(folder, choice.name), "utf8")).map((shard) => inside + shard);
    if (!shards.every((shard) => names.includes(shard))) return undefined;
    needed.push(...shards);
  }
  return await described(handle, choice, { commit, license: undefined, files: new Map() }, needed);
}

function isAsked(name: string, asked: string | undefined): boolean {
  return asked !== undefined && (name === asked || name.startsWith(`${asked.replace(/\/$/, "")}/`));
}

async function described(
  handle: HuggingFaceHandle,
  choice: Choice,
  { commit, license, files }: Repository,
  needed: readonly string[],
): Promise<FetchedModel> {
  const folder = snapshotFolder(handle.repository, commit);
  const inside = choice.name.includes("/") ? choice.name.slice(0, choice.name.lastIndexOf("/") + 1) : "";
  const companion = (name: string) =>
    [inside + name, name].find((each) => needed.includes(each) && !choice.needed.includes(each));
  const config = companion("config.json");
  const preprocessor = companion("preprocessor_config.json");
  const companions = new Set(companionsOf(choice, needed));
  const digest = files.get(choice.name)?.digest;
  return {
    kind: choice.kind,
    path: join(folder, choice.name),
    source: printHandle(handle),
    revision: commit,
    license,
    digest: digest?.algorithm === "sha256" ? digest.hex : undefined,
    files: needed.filter((name) => !companions.has(name)).map((name) => ({ name, path: join(folder, name) })),
    configPath: config === undefined ? undefined : join(folder, config),
    preprocessorPath: preprocessor === undefined ? undefined : join(folder, preprocessor),
  };
}

function companionsOf(choice: Choice, names: readonly string[]): string[] {
  const inside = choice.name.includes("/") ? choice.name.slice(0, choice.name.lastIndexOf("/") + 1) : "";
  const wanted = [...new Set(COMPANIONS.flatMap((name) => [inside + name, name]))];
  return wanted.filter((name) => names.includes(name) && !choice.needed.includes(name));
}

function chosen(names: readonly string[], handle: HuggingFaceHandle): Choice {
  try {
    return chooseModel(names, handle.file);
  } catch (cause) {
    throw cause instanceof GraftError ? cause.at(printHandle(handle)) : cause;
  }
}

function refuseTotal({ needed }: Choice, { files }: Repository, limit = 8 * 2 ** 30): void {
  const total = needed.reduce((sum, name) => sum + (files.get(name)?.size ?? 0), 0);
  if (total <= limit) return;
  throw new GraftError("model-refused", "the model is larger than is let in", {
    expected: `at most ${limit} bytes`,
    actual: `${total} bytes`,
  });
}

function notHere(handle: HuggingFaceHandle): GraftError {
  return new GraftError("not-cached", "the model is not on this machine, and the network is off", {
    path: [printHandle(handle)],
    hint: "fetch it once with the network on; huggingface_hub's own cache serves as well",
  });
}
