/** @file The one grammar of handles: what a person may type to point at a model. */
import { GraftError } from "../tensor/index.ts";
import {
  type Handle,
  type HuggingFaceHandle,
  isLocalhost,
  type KaggleHandle,
  type KerasHandle,
  type PathHandle,
  type TfHubHandle,
  type UrlHandle,
  withoutSecrets,
} from "./handle.ts";
import { isFileName, isHuggingFaceName, isSlug, kaggleFrameworkNamed } from "./names.ts";

/**
 * What `text` points at. A text in none of the forms is a path; so is the bare name of an application (`MobileNetV2`),
 * which only the caller can tell from a file.
 *
 * @throws GraftError `usage` for what is nearly a handle, with the form that is meant
 */
export function parseHandle(text: string): Handle {
  const trimmed = text.trim();
  if (trimmed === "") throw malformed(text, "it is empty", "a path or a handle, such as keras:MobileNetV2");
  const colon = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(trimmed)?.[1]?.toLowerCase();
  const parser = colon === undefined ? undefined : parsers.get(colon);
  if (parser !== undefined) return parser(trimmed);
  const host = trimmed.split("/", 1)[0] ?? "";
  if (hubHosts.has(host.toLowerCase())) throw malformed(text, "the address has no https://", `https://${trimmed}`);
  return { kind: "path", path: text };
}

const parsers: ReadonlyMap<string, (text: string) => Handle> = new Map<string, (text: string) => Handle>([
  ["keras", parseKeras],
  ["kaggle", (text) => kaggleOf(text, text.slice("kaggle:".length).replace(/^\/\//, ""))],
  ["hf", (text) => huggingFaceOf(text, text.slice("hf:".length).replace(/^\/\//, ""))],
  ["https", parseAddress],
  ["http", parseAddress],
  ["gs", parseStorage],
  ["file", parseFileAddress],
  ["tfhub", (text) => refusePrefix(text, `https://tfhub.dev/${text.slice("tfhub:".length).replace(/^\/+/, "")}`)],
  ["huggingface", (text) => refusePrefix(text, `hf:${text.slice("huggingface:".length).replace(/^\/+/, "")}`)],
  ["ftp", (text) => refusePrefix(text, "an https address")],
  ["s3", (text) => refusePrefix(text, "an https address of the file, or a path to a copy")],
]);

const hubHosts: ReadonlyMap<string, (text: string, url: URL) => Handle> = new Map<
  string,
  (text: string, url: URL) => Handle
>([
  ["tfhub.dev", parseTfHubAddress],
  ["kaggle.com", parseKaggleAddress],
  ["www.kaggle.com", parseKaggleAddress],
  ["huggingface.co", parseHuggingFaceAddress],
  ["www.huggingface.co", parseHuggingFaceAddress],
  ["hf.co", parseHuggingFaceAddress],
]);

function parseKeras(text: string): KerasHandle {
  const [name = "", query] = split(text.slice("keras:".length), "?");
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) {
    throw malformed(text, "the name of the application is none", "keras:MobileNetV2?alpha=0.5");
  }
  const options = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query ?? "")) {
    const option = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (!/^[a-z][a-z_]*$/.test(option) || value === "") {
      throw malformed(text, `"${key}" is not given as name=value`, "keras:MobileNetV2?input_shape=160x160x3");
    }
    if (options.has(option)) throw malformed(text, `${option} is given twice`, "each option once");
    options.set(option, value);
  }
  return { kind: "keras", name, options };
}

function kaggleOf(text: string, path: string): KaggleHandle {
  const form = "kaggle:owner/model/framework/variation[/version]";
  const [owner = "", model = "", framework = "", variation = "", version, ...rest] = segmentsOf(path);
  if (variation === "" || rest.length > 0) {
    const missing = model === "" ? "the model" : framework === "" ? "the framework and the variation" : "the variation";
    throw malformed(text, rest.length > 0 ? "it has too many parts" : `${missing} is missing`, form);
  }
  if (![owner, model, variation].every(isSlug)) throw malformed(text, "a part is no name that Kaggle gives", form);
  if (version !== undefined && !/^[1-9]\d{0,8}$/.test(version)) {
    throw malformed(text, `the version "${version}" is no number`, form);
  }
  const known = kaggleFrameworkNamed(framework);
  if (known === undefined) {
    throw malformed(
      text,
      `there is no framework "${framework}" on Kaggle`,
      "tensorFlow2, tensorFlow1, tfJs, keras, onnx",
    );
  }
  return {
    kind: "kaggle",
    owner,
    model,
    framework: known.name,
    variation,
    version: version === undefined ? undefined : Number(version),
  };
}

function huggingFaceOf(text: string, path: string): HuggingFaceHandle {
  const form = "hf:org/name[@revision][/file]";
  const [before = "", after] = split(path, "@");
  const names = segmentsOf(before);
  const repository = names.slice(0, 2).join("/");
  if (!isHuggingFaceName(repository)) throw malformed(text, `"${repository}" is no repository's name`, form);
  if (after === undefined) return checkedFile(text, repository, undefined, names.slice(2));
  if (names.length > 2) throw malformed(text, "the revision stands before the file", form);
  return withRevision(text, repository, segmentsOf(after));
}

/** `[revision, …file]`; the names of pull requests (`refs/pr/1`) hold slashes, other slashes are written %2F. */
function withRevision(text: string, repository: string, parts: readonly string[]): HuggingFaceHandle {
  const length = parts[0] === "refs" ? 3 : 1;
  const revision = parts.slice(0, length).map(decoded).join("/");
  if (parts.length < length || !isFileName(revision) || /[\s~^:?*[@{]/.test(revision)) {
    throw malformed(text, `"${revision}" is no revision`, "a branch, a tag or a commit");
  }
  return checkedFile(text, repository, revision, parts.slice(length));
}

function checkedFile(
  text: string,
  repository: string,
  revision: string | undefined,
  parts: readonly string[],
): HuggingFaceHandle {
  const file = parts.length === 0 ? undefined : parts.join("/");
  if (file !== undefined && !isFileName(file))
    throw malformed(text, `"${file}" is no file of a repository`, "a/file.onnx");
  return { kind: "hf", repository, revision, file };
}

function parseAddress(text: string): Handle {
  if (/\s/.test(text)) throw malformed(text, "an address has no spaces", "spaces as %20");
  if (!URL.canParse(text)) throw malformed(text, "it is no address", "https://host/path/to/model");
  const url = new URL(text);
  if (/(^|\/)(\.|%2e){2}(\/|$)/i.test(text.split("?", 1)[0] ?? "")) {
    throw malformed(text, "the address goes up with ..", "the address of the file itself");
  }
  if (url.username !== "" || url.password !== "") {
    throw malformed(
      withoutSecrets(text),
      "the address holds a password",
      "keys in the environment (HF_TOKEN, KAGGLE_API_TOKEN)",
    );
  }
  const hub = hubHosts.get(url.hostname);
  if (hub !== undefined) return hub(text, url);
  if (url.protocol === "http:" && !isLocalhost(url.hostname)) {
    throw malformed(withoutSecrets(text), "what comes over http can be changed on its way", "an https address");
  }
  // What people copy from the browser is the page of the file, or of the project.
  if (url.hostname === "github.com") url.pathname = url.pathname.replace(/^(\/[^/]+\/[^/]+)\/blob\//, "$1/raw/");
  if (url.hostname === "teachablemachine.withgoogle.com") {
    url.pathname = url.pathname.replace(/\/*(model\.json)?$/, "/model.json");
  }
  if (url.pathname === "/")
    throw malformed(text, "the address names no file", "the address of a model file or an archive");
  url.hash = "";
  return { kind: "url", url: url.href };
}

function parseTfHubAddress(text: string, url: URL): TfHubHandle {
  const parts = segmentsOf(url.pathname).map(decoded);
  if (parts.at(-1) === "model.json") parts.pop();
  const form = "https://tfhub.dev/publisher/model/version";
  if (url.searchParams.get("tf-hub-format") === "uncompressed") {
    throw malformed(
      text,
      "the uncompressed form lies in a bucket that cannot be listed",
      "the address without tf-hub-format: its compressed form is fetched",
    );
  }
  if (parts.length < 2 || parts[1] === "collections" || parts[0] === "s") {
    throw malformed(text, "the address is a page, not a model's", form);
  }
  if (!parts.every(isSlug)) throw malformed(text, "a part is no name of TensorFlow Hub", form);
  return { kind: "tfhub", path: parts.join("/") };
}

function parseKaggleAddress(text: string, url: URL): KaggleHandle {
  const form = "https://www.kaggle.com/models/owner/model/framework/variation/version";
  const [first, ...parts] = segmentsOf(url.pathname).map(decoded);
  if (first !== "models") throw malformed(text, "the address is not that of a model", form);
  // Kaggle's pages also spell the levels out: …/frameworks/TensorFlow2/variations/default/versions/1.
  const isSpelledOut = parts[2]?.toLowerCase() === "frameworks";
  return kaggleOf(text, (isSpelledOut ? parts.filter((_, at) => at < 2 || at % 2 === 1) : parts).join("/"));
}

function parseHuggingFaceAddress(text: string, url: URL): HuggingFaceHandle {
  const form = "https://huggingface.co/org/name";
  const parts = segmentsOf(url.pathname);
  if (["datasets", "spaces", "docs", "papers", "api", "collections"].includes(parts[0] ?? "")) {
    throw malformed(text, "the address is not that of a model", form);
  }
  const verbs = ["resolve", "blob", "tree", "raw"];
  const at = parts.findIndex((part, position) => position >= 1 && position <= 2 && verbs.includes(part));
  const repository = parts.slice(0, at < 0 ? parts.length : at).join("/");
  if (!isHuggingFaceName(repository)) throw malformed(text, `"${repository}" is no repository's name`, form);
  if (at < 0) return { kind: "hf", repository, revision: undefined, file: undefined };
  const [revision, ...file] = parts.slice(at + 1);
  if (revision === undefined) throw malformed(text, "the revision is missing", `${form}/resolve/main/file`);
  const pull = revision === "refs" ? [revision, ...file.splice(0, 2)] : [revision];
  return withRevision(text, repository, [...pull, ...file.map(decoded)]);
}

/** What lies in a public bucket of Google's is also at an https address. */
function parseStorage(text: string): UrlHandle {
  if (!/\.(tar|tar\.gz|tgz|zip|h5|hdf5|keras|onnx|json)$/.test(text)) {
    throw malformed(text, "a folder in a bucket cannot be listed", "the address of a file or an archive");
  }
  return { kind: "url", url: new URL(`https://storage.googleapis.com/${text.slice("gs://".length)}`).href };
}

function parseFileAddress(text: string): PathHandle {
  if (!text.startsWith("file:///")) throw malformed(text, "the address names no file", "file:///path/to/model");
  return { kind: "path", path: decoded(text.slice("file://".length)) };
}

function refusePrefix(text: string, meant: string): never {
  throw malformed(text, "there are no handles of that form", meant);
}

function malformed(text: string, reason: string, expected: string): GraftError {
  return new GraftError("usage", `this is no handle: ${reason}`, { path: [text], expected });
}

function segmentsOf(path: string): string[] {
  const parts = path.split("/");
  return parts.filter((part, at) => part !== "" || (at > 0 && at < parts.length - 1));
}

function split(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
