/** @file What the environment says: whether to stay off the network, where caches lie, which mirrors and keys to use. */
import { readFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { GraftError } from "../tensor/index.ts";

/** Whether GRAFT_OFFLINE says to stay off the network. */
export function isOffline(): boolean {
  return isSet("GRAFT_OFFLINE");
}

/** Whether HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE, or GRAFT_OFFLINE, say so for Hugging Face. */
export function isHuggingFaceOffline(): boolean {
  return isOffline() || isSet("HF_HUB_OFFLINE") || isSet("TRANSFORMERS_OFFLINE");
}

function isSet(name: string): boolean {
  const value = variable(name)?.toLowerCase();
  return value !== undefined && !["0", "false", "no", "off"].includes(value);
}

function variable(name: string): string | undefined {
  return process.env[name]?.trim() || undefined;
}

/** A folder from a variable, as its owner's programs read it: `~` is the home folder. */
function folder(name: string): string | undefined {
  return variable(name)?.replace(/^~(?=\/|\\|$)/, homedir());
}

function userCache(): string {
  return folder("XDG_CACHE_HOME") ?? join(homedir(), ".cache");
}

/** Where this program keeps what has no cache of its own: GRAFT_CACHE, or graftwork in the user's cache folder. */
export function graftCache(): string {
  return folder("GRAFT_CACHE") ?? join(userCache(), "graftwork");
}

/** Keras's weights: `$KERAS_HOME/models`, or `~/.keras/models`. */
export function kerasCache(): string {
  return join(folder("KERAS_HOME") ?? join(homedir(), ".keras"), "models");
}

/** TensorFlow Hub's unpacked modules: TFHUB_CACHE_DIR, or `tfhub_modules` in the system's temporary folder. */
export function tfHubCache(): string {
  return folder("TFHUB_CACHE_DIR") ?? join(tmpdir(), "tfhub_modules");
}

/** kagglehub's models: `$KAGGLEHUB_CACHE/models`, or `~/.cache/kagglehub/models`. */
export function kaggleCache(): string {
  return join(folder("KAGGLEHUB_CACHE") ?? join(homedir(), ".cache", "kagglehub"), "models");
}

function huggingFaceHome(): string {
  return folder("HF_HOME") ?? join(userCache(), "huggingface");
}

/** Hugging Face's repositories: HF_HUB_CACHE, `$HF_HOME/hub`, or `~/.cache/huggingface/hub`. */
export function huggingFaceCache(): string {
  return folder("HF_HUB_CACHE") ?? folder("HUGGINGFACE_HUB_CACHE") ?? join(huggingFaceHome(), "hub");
}

/** The hubs' addresses, or those of mirrors, without a slash at the end. */
export const endpoints: {
  readonly huggingFace: () => string;
  readonly kaggle: () => string;
  readonly tfHub: () => string;
} = {
  huggingFace: () => endpoint("HF_ENDPOINT", "https://huggingface.co"),
  kaggle: () => endpoint("KAGGLE_API_ENDPOINT", "https://www.kaggle.com"),
  tfHub: () => endpoint("GRAFT_TFHUB_ENDPOINT", "https://tfhub.dev"),
};

function endpoint(name: string, usual: string): string {
  const address = (variable(name) ?? usual).replace(/\/+$/, "");
  if (!/^https?:\/\//.test(address) || !URL.canParse(address)) {
    throw new GraftError("usage", `${name} is no address`, { path: [name], expected: `such as ${usual}` });
  }
  return address;
}

/** The header that says who asks Hugging Face: HF_TOKEN, or the file that its programs store; `undefined` for anyone. */
export async function huggingFaceAuthorization(): Promise<string | undefined> {
  if (isSet("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return undefined;
  const token =
    variable("HF_TOKEN") ??
    variable("HUGGING_FACE_HUB_TOKEN") ??
    (await contentOf(folder("HF_TOKEN_PATH") ?? join(huggingFaceHome(), "token")));
  return token === undefined ? undefined : bearer("HF_TOKEN", token);
}

/**
 * The header that says who asks Kaggle, in kagglehub's order: KAGGLE_API_TOKEN (a token or a file's path), the file
 * `access_token`, KAGGLE_USERNAME and KAGGLE_KEY, `kaggle.json`; `undefined` for anyone, which public models allow.
 */
export async function kaggleAuthorization(): Promise<string | undefined> {
  const home = join(homedir(), ".kaggle");
  const given = variable("KAGGLE_API_TOKEN");
  const token =
    given === undefined
      ? ((await contentOf(join(home, "access_token"))) ?? (await contentOf(join(home, "access_token.txt"))))
      : ((await contentOf(given)) ?? given);
  if (token !== undefined) return bearer("KAGGLE_API_TOKEN", token);
  const username = variable("KAGGLE_USERNAME");
  const key = variable("KAGGLE_KEY");
  if (username !== undefined && key !== undefined) return basic(username, key);
  const file = join(folder("KAGGLE_CONFIG_DIR") ?? home, "kaggle.json");
  const content = await contentOf(file);
  return content === undefined ? undefined : basicOf(file, content);
}

function basicOf(file: string, content: string): string {
  const refuse = () => new GraftError("usage", "the file holds no username and key", { path: [file] });
  let credentials: unknown;
  try {
    credentials = JSON.parse(content);
  } catch {
    // What the parser says quotes the file, and with it the key.
    throw refuse();
  }
  if (typeof credentials !== "object" || credentials === null) throw refuse();
  if (!("username" in credentials && "key" in credentials)) throw refuse();
  const { username, key } = credentials;
  if (typeof username !== "string" || typeof key !== "string") throw refuse();
  return basic(username, key);
}

function basic(username: string, key: string): string {
  return `Basic ${Buffer.from(`${username}:${key}`).toString("base64")}`;
}

function bearer(name: string, token: string): string {
  // Else the request would fail with an error that quotes the header.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new GraftError("usage", "the token holds what no token does", { path: [name] });
  return `Bearer ${token}`;
}

async function contentOf(path: string): Promise<string | undefined> {
  return (await readFile(path, "utf8").catch(() => "")).trim() || undefined;
}
