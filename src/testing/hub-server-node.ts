/** @file A server on this machine that speaks the hubs' protocols, and misbehaves on demand. For tests. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";

/** What was asked. */
export interface Asked {
  readonly method: string;
  /** The path with its query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
}

/** What one answer does wrong. */
export type Fault =
  /** Where `until` is given, it is waited, at most 2 s, until that many bytes have been taken. */
  | { readonly kind: "cut"; readonly after: number; readonly until?: (end: number) => boolean }
  | { readonly kind: "stall"; readonly after: number }
  | { readonly kind: "status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: "redirect"; readonly to: string }
  | { readonly kind: "shorter" }
  | { readonly kind: "flipped" }
  | { readonly kind: "ignores range" }
  | { readonly kind: "other tag" }
  | { readonly kind: "html" }
  | { readonly kind: "gzip" }
  | { readonly kind: "empty" }
  | { readonly kind: "endless" };

/** A file that is served. */
interface Served {
  readonly content: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Bytes of which no part resembles another. */
export function distinctBytes(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(Math.ceil(size / 4) * 4);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(((at + seed) * 2654435761) % 2 ** 32, at);
  return bytes.subarray(0, size);
}

export function sha256Of(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

function gitTag(content: Buffer): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

export interface RepositoryOptions {
  readonly license?: string;
  /** The token that one must have. */
  readonly token?: string;
  /** Whether the list says what the files are; without, only the answers' headers do. Default: true. */
  readonly listsDigests?: boolean;
  readonly branch?: string;
}

export class HubServer {
  readonly asked: Asked[] = [];
  readonly #server: Server;
  readonly #files = new Map<string, Served>();
  readonly #redirects = new Map<string, { readonly to: string; readonly headers: Readonly<Record<string, string>> }>();
  readonly #json = new Map<string, unknown>();
  readonly #faults: { path: string; fault: Fault; times: number }[] = [];
  readonly #tokens = new Map<string, string>();

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  /** A server on a free port of 127.0.0.1. */
  static async start(): Promise<HubServer> {
    const made = new HubServer();
    await new Promise<void>((resolve) => made.#server.listen(0, "127.0.0.1", resolve));
    return made;
  }

  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    return `http://127.0.0.1:${address.port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Breaks all connections off. */
  cutAll(): void {
    this.#server.closeAllConnections();
  }

  /** The next `times` answers at paths that begin with `path` do this. */
  misbehave(path: string, fault: Fault, times = 1): void {
    this.#faults.push({ path, fault, times });
  }

  /** What was asked at paths that begin with `path`. */
  askedAt(path: string): Asked[] {
    return this.asked.filter((each) => each.path.startsWith(path));
  }

  serve(path: string, content: Buffer, headers: Readonly<Record<string, string>> = {}): void {
    this.#files.set(path, { content, headers: { etag: `"${sha256Of(content).slice(0, 16)}"`, ...headers } });
  }

  serveJson(path: string, value: unknown): void {
    this.#json.set(path, value);
  }

  redirect(path: string, to: string, headers: Readonly<Record<string, string>> = {}): void {
    this.#redirects.set(path, { to, headers });
  }

  /** A repository of Hugging Face's at a commit; files over 1000 bytes are large, and lie elsewhere. */
  serveRepository(
    name: string,
    commit: string,
    files: Readonly<Record<string, Buffer>>,
    options: RepositoryOptions = {},
  ): void {
    const { license, token, listsDigests = true, branch = "main" } = options;
    const siblings = Object.entries(files).map(([rfilename, content]) => {
      if (!listsDigests) return { rfilename };
      const lfs = content.length > 1000 && { lfs: { sha256: sha256Of(content), size: content.length } };
      return { rfilename, size: content.length, blobId: gitTag(content), ...lfs };
    });
    const info = { id: name, sha: commit, siblings, tags: license === undefined ? [] : [`license:${license}`] };
    this.serveJson(`/api/models/${name}`, info);
    for (const revision of [commit, branch]) this.serveJson(`/api/models/${name}/revision/${revision}`, info);
    for (const [file, content] of Object.entries(files)) {
      for (const revision of [commit, branch]) {
        const path = `/${name}/resolve/${revision}/${file}`;
        if (content.length <= 1000) {
          this.serve(path, content, { etag: `"${gitTag(content)}"`, "x-repo-commit": commit });
          continue;
        }
        const store = `/store/${sha256Of(content)}`;
        this.serve(store, content, { etag: `"${sha256Of(content)}"`, "x-repo-commit": commit });
        this.redirect(path, store, {
          "x-linked-etag": `"${sha256Of(content)}"`,
          "x-linked-size": `${content.length}`,
          "x-repo-commit": commit,
        });
      }
    }
    if (token !== undefined) {
      this.#tokens.set(`/api/models/${name}`, token);
      this.#tokens.set(`/${name}/resolve/`, token);
    }
  }

  /** A variation of Kaggle's with its archive, or its only file. */
  serveVariation(
    path: string,
    version: number,
    content: Buffer,
    {
      files = ["saved_model.pb", "variables/variables.index"],
      license = "Apache 2.0",
    }: { files?: readonly string[]; license?: string } = {},
  ): void {
    const root = `/api/v1/models/${path}`;
    this.serveJson(`${root}/get`, {
      id: 1,
      slug: path.split("/").at(-1),
      versionNumber: version,
      licenseName: license,
    });
    this.serveJson(`${root}/${version}/files`, { files: files.map((name) => ({ name, size: 1 })), nextPageToken: "" });
    const md5 = createHash("md5").update(content).digest("base64");
    const store = `/google/${path}/${version}`;
    this.serve(store, content, { "x-goog-hash": `crc32c=n03x6A==,md5=${md5}` });
    const only = files.length === 1 ? `/${files[0]}` : "";
    this.redirect(`${root}/${version}/download${only}`, `${store}?X-Goog-Signature=canary`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "/";
    const bare = path.split("?", 1)[0] ?? "";
    this.asked.push({ method: request.method ?? "", path, headers: request.headers });
    const planned = this.#faults.find((each) => each.times > 0 && bare.startsWith(each.path));
    if (planned !== undefined) planned.times -= 1;
    for (const [start, token] of this.#tokens) {
      if (bare.startsWith(start) && request.headers.authorization !== `Bearer ${token}`)
        return void response.writeHead(401).end();
    }
    const redirect = this.#redirects.get(bare);
    if (redirect !== undefined && planned === undefined) {
      return void response.writeHead(302, { location: redirect.to, ...redirect.headers }).end();
    }
    if (this.#json.has(bare) && planned === undefined) {
      response.writeHead(200, { "content-type": "application/json" });
      return void response.end(JSON.stringify(this.#json.get(bare)));
    }
    const file = this.#files.get(bare) ?? { content: Buffer.from("{}"), headers: {} };
    if (planned === undefined && !this.#files.has(bare)) return void response.writeHead(404).end();
    await send(request, response, file, planned?.fault);
  }
}

async function send(
  { headers }: IncomingMessage,
  response: ServerResponse,
  file: Served,
  fault: Fault | undefined,
): Promise<void> {
  const { content } = file;
  const tag = fault?.kind === "other tag" ? '"another"' : file.headers["etag"];
  const asked = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
  const goesOn = asked > 0 && asked < content.length && headers["if-range"] === tag && fault?.kind !== "ignores range";
  const start = goesOn ? asked : 0;
  const facts = {
    ...file.headers,
    ...(tag !== undefined && { etag: tag }),
    "content-length": content.length - start,
    ...(goesOn && { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` }),
  };
  const begin = () => response.writeHead(goesOn ? 206 : 200, facts);
  switch (fault?.kind) {
    case "status":
      return void response.writeHead(fault.status, fault.headers).end();
    case "redirect":
      return void response.writeHead(302, { location: fault.to }).end();
    case "html":
      return void response.writeHead(200).end("\n <!DOCTYPE html><title>Sign in</title>");
    case "empty":
      return void response.writeHead(200, { "content-length": 0 }).end();
    case "gzip": {
      const packed = gzipSync(content);
      response.writeHead(200, { ...file.headers, "content-encoding": "gzip", "content-length": packed.length });
      return void response.end(packed);
    }
    case "flipped": {
      const wrong = Buffer.from(content);
      wrong[wrong.length >> 1] = (wrong[wrong.length >> 1] ?? 0) ^ 1;
      begin();
      return void response.end(wrong.subarray(start));
    }
    case "shorter":
    case "cut":
    case "stall": {
      begin();
      const end = fault.kind === "shorter" ? content.length - 1 : Math.min(content.length - 1, start + fault.after);
      if (end > start) response.write(content.subarray(start, end));
      else response.flushHeaders();
      if (fault.kind === "stall") return;
      if (fault.kind === "shorter" || fault.until === undefined) await delay(20);
      else for (let turn = 0; turn < 1000 && !fault.until(end); turn++) await delay(2);
      return void response.destroy();
    }
    case "endless": {
      response.writeHead(200);
      while (!response.destroyed) {
        response.write(content);
        await delay(1);
      }
      return;
    }
    default:
      begin();
      response.end(content.subarray(start));
  }
}
