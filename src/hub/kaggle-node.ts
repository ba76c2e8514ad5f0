/** @file Kaggle's client: a variation's newest version, its files, and its archive or its only file. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { GraftError } from "../tensor/index.ts";
import { type CacheOptions, folderModel } from "./address-node.ts";
import type { DownloadOptions } from "./download-node.ts";
import { endpoints, isOffline, kaggleAuthorization, kaggleCache } from "./environment-node.ts";
import type { FetchedModel } from "./fetched.ts";
import { Fields } from "./fields.ts";
import { type KaggleHandle, printHandle } from "./handle.ts";
import { askJson } from "./interface-node.ts";
import { isFileName, kaggleFrameworkNamed, plainText } from "./names.ts";
import { ownFolders, readNote } from "./own-cache-node.ts";
import { cachedSource, fetchSource } from "./own-fetch-node.ts";

const DENIED =
  "there is no such model, or it asks for consent: agree on its page and set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY";

/**
 * A model of Kaggle: the folder that kagglehub has unpacked where there is one, else its file or archive. Without a
 * version, the newest that Kaggle has; offline, the newest that is here.
 *
 * @throws GraftError as `download` does; `model-refused` for a framework whose files cannot be read
 */
export async function fetchFromKaggle(
  handle: KaggleHandle,
  options: DownloadOptions & CacheOptions = {},
): Promise<FetchedModel> {
  const isOff = options.offline ?? isOffline();
  const here = handle.version ?? (isOff ? await newestHere(handle) : undefined);
  if (here !== undefined && options.refresh !== true) {
    const cached = await cachedVersion(handle, here, options);
    if (cached !== undefined) return cached;
  }
  if (kaggleFrameworkNamed(handle.framework)?.format === undefined) {
    throw new GraftError("model-refused", `models for ${handle.framework} cannot be read`, {
      path: [printHandle(handle)],
      expected: "a variation for tensorFlow2, tensorFlow1, tfJs, keras or onnx",
    });
  }
  if (isOff) {
    throw new GraftError("not-cached", "the model is not on this machine, and the network is off", {
      path: [printHandle(handle)],
      hint: "fetch it once with the network on; kagglehub's own cache serves as well",
    });
  }
  const authorization = await kaggleAuthorization();
  const settings = { ...options, authorization, deniedHint: DENIED };
  const instance = new Fields(await askJson(`${addressOf(handle)}/get`, settings));
  const version = handle.version ?? instance.count("versionNumber");
  if (version === undefined || version === 0) {
    throw new GraftError("not-cached", "Kaggle does not say which version is the newest", {
      path: [printHandle(handle)],
    });
  }
  const whole: KaggleHandle = { ...handle, version };
  const cached = options.refresh === true ? undefined : await cachedVersion(handle, version, options);
  if (cached !== undefined) return cached;
  const only = await onlyFile(whole, settings);
  const license = instance.text("licenseName");
  return await fetchSource(
    {
      identity: printHandle(whole),
      address: `${addressOf(whole)}/${version}/download${only === undefined ? "" : `/${encodeURIComponent(only)}`}`,
      file: only ?? `${[handle.model, handle.framework, handle.variation, version].join("_").slice(-100)}.tar.gz`,
      note: {
        handle: printHandle(whole),
        revision: String(version),
        license: license === undefined ? undefined : plainText(license, 80),
      },
    },
    settings,
  );
}

/** Kaggle's interface for a variation. */
function addressOf({ owner, model, framework, variation }: KaggleHandle): string {
  return `${endpoints.kaggle()}/api/v1/models/${owner}/${model}/${framework}/${variation}`;
}

/** The name of the version's file, where it is only one, at the top: it needs no archive around it. */
async function onlyFile(handle: KaggleHandle, options: DownloadOptions): Promise<string | undefined> {
  const answer = new Fields(await askJson(`${addressOf(handle)}/${handle.version}/files?page_size=25`, options));
  const names = answer.list("files").map((each) => new Fields(each).text("name"));
  const name = names.length === 1 && answer.text("nextPageToken") === undefined ? names[0] : undefined;
  return name !== undefined && isFileName(name) && !name.includes("/") && name !== "source.json" ? name : undefined;
}

async function cachedVersion(
  handle: KaggleHandle,
  version: number,
  { isOwnOnly = false }: CacheOptions,
): Promise<FetchedModel | undefined> {
  const source = printHandle({ ...handle, version });
  for (const folder of isOwnOnly ? [] : await variationFolders(handle)) {
    const isComplete = await stat(join(folder, `${version}.complete`)).catch(() => undefined);
    const found = isComplete && (await folderModel(join(folder, String(version)), source, String(version)));
    if (found !== undefined) return found;
  }
  return await cachedSource(source);
}

/** The newest version on this machine, in kagglehub's cache or in this program's own. */
async function newestHere(handle: KaggleHandle): Promise<number | undefined> {
  const names = (await Promise.all((await variationFolders(handle)).map((folder) => readdir(folder)))).flat();
  const unpacked = names.flatMap((name) => /^([1-9]\d{0,8})\.complete$/.exec(name)?.[1] ?? []);
  const notes = await Promise.all((await ownFolders()).map(readNote));
  const start = `${printHandle({ ...handle, version: undefined })}/`;
  const own = notes.flatMap((note) => (note?.handle.startsWith(start) ? note.handle.slice(start.length) : []));
  const versions = [...unpacked, ...own].map(Number);
  return versions.length === 0 ? undefined : Math.max(...versions);
}

/** Where kagglehub keeps a variation: under the framework's name as it was typed there. */
async function variationFolders({ owner, model, framework, variation }: KaggleHandle): Promise<string[]> {
  const parent = join(kaggleCache(), owner, model);
  const spelled = (await readdir(parent).catch(() => [])).filter(
    (name) => name.toLowerCase() === framework.toLowerCase(),
  );
  const folders = spelled.map((name) => join(parent, name, variation));
  const found = await Promise.all(folders.map((folder) => stat(folder).catch(() => undefined)));
  return folders.filter((_, at) => found[at]?.isDirectory() === true);
}
