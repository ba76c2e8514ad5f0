import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DownloadOptions, download } from "./download-node.ts";

/** 300,000 bytes that no part of which resembles another. */
const content = Buffer.alloc(300_000);
for (let at = 0; at < content.length; at += 4) content.writeUInt32LE((at * 2654435761) % 2 ** 32, at);
const sha256 = createHash("sha256").update(content).digest("hex");

type Handler = (request: IncomingMessage, response: ServerResponse, turn: number) => void;

let server: Server;
let handler: Handler;
let ranges: (string | undefined)[];
let folder: string;
let path: string;

beforeEach(async () => {
  ranges = [];
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    handler(request, response, ranges.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  folder = mkdtempSync(join(tmpdir(), "download "));
  path = join(folder, "models", "weights.h5");
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

function fetchIt(options: DownloadOptions = {}): Promise<string> {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return download(`http://127.0.0.1:${address.port}/weights.h5`, path, {
    pause: 1,
    timeout: 2000,
    offline: false,
    ...options,
  });
}

/** Serves the file as it should be, from where it is asked to go on. */
const honest: Handler = (request, response) => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const isSame = request.headers["if-range"] === '"v1"';
  if (start > 0 && isSame) {
    response.writeHead(206, {
      etag: '"v1"',
      "content-length": content.length - start,
      "content-range": `bytes ${start}-${content.length - 1}/${content.length}`,
    });
    response.end(content.subarray(start));
    return;
  }
  response.writeHead(200, { etag: '"v1"', "content-length": content.length });
  response.end(content);
};

/** Sends the first part of the file, then breaks the connection. */
function cutAfter(bytes: number, headers: Record<string, string | number> = { etag: '"v1"' }): Handler {
  return (_, response) => {
    response.writeHead(200, { "content-length": content.length, ...headers });
    response.write(content.subarray(0, bytes), () => setTimeout(() => response.destroy(), 30));
  };
}

function expectWhole(): void {
  expect(Buffer.compare(readFileSync(path), content)).toBe(0);
  expect(readdirSync(join(folder, "models")).sort()).toEqual(["weights.h5", "weights.h5.sha256"]);
}

describe("download", () => {
  it("stores the file and its digest, and reports how far it is", async () => {
    handler = honest;
    const seen: (readonly [number, number | undefined])[] = [];
    const digest = await fetchIt({ onProgress: ({ received, total }) => seen.push([received, total]) });
    expect(digest).toBe(sha256);
    expect(seen.at(-1)).toEqual([content.length, content.length]);
    expect(readFileSync(`${path}.sha256`, "utf8")).toBe(`${sha256}  weights.h5\n`);
    expectWhole();
  });

  it("goes on where it was cut off, and does not ask for what it has", async () => {
    handler = (request, response, turn) => (turn === 1 ? cutAfter(100_000) : honest)(request, response, turn);
    expect(await fetchIt()).toBe(sha256);
    expect(ranges).toHaveLength(2);
    expect(Number(ranges[1]?.slice("bytes=".length, -1))).toBeGreaterThan(0);
    expectWhole();
  });

  it("goes on in a later call with what an earlier one left", async () => {
    handler = cutAfter(100_000);
    await expect(fetchIt({ attempts: 1 })).rejects.toMatchObject({ code: "not-cached" });
    expect(existsSync(path)).toBe(false);
    handler = honest;
    expect(await fetchIt()).toBe(sha256);
    expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
    expectWhole();
  });

  it("starts anew where the file changed meanwhile", async () => {
    handler = (request, response, turn) =>
      (turn === 1 ? cutAfter(100_000, { etag: '"old"' }) : honest)(request, response, turn);
    expect(await fetchIt()).toBe(sha256);
    expectWhole();
  });

  it("starts anew where the server ignores the range", async () => {
    handler = (request, response, turn) => {
      if (turn === 1) return cutAfter(100_000)(request, response, turn);
      response.writeHead(200, { etag: '"v1"', "content-length": content.length });
      response.end(content);
    };
    expect(await fetchIt()).toBe(sha256);
    expectWhole();
  });

  it("starts anew where the server goes on elsewhere than asked", async () => {
    handler = (request, response, turn) => {
      if (turn !== 2) return (turn === 1 ? cutAfter(100_000) : honest)(request, response, turn);
      response.writeHead(206, { etag: '"v1"', "content-range": `bytes 5-${content.length - 1}/${content.length}` });
      response.end(content.subarray(5));
    };
    expect(await fetchIt()).toBe(sha256);
    expect(ranges[2]).toBeUndefined();
    expectWhole();
  });

  it("never goes on without a strong validator", async () => {
    handler = (request, response, turn) =>
      (turn === 1 ? cutAfter(100_000, { etag: 'W/"v1"' }) : honest)(request, response, turn);
    expect(await fetchIt()).toBe(sha256);
    expect(ranges[1]).toBeUndefined();
  });

  it("tries again after a server's failure and after silence", async () => {
    handler = (request, response, turn) => {
      if (turn === 1) response.writeHead(503).end();
      else if (turn === 2) response.writeHead(200, { "content-length": content.length }).flushHeaders();
      else honest(request, response, turn);
    };
    expect(await fetchIt({ timeout: 500, attempts: 8 })).toBe(sha256);
    expect(ranges.length).toBeGreaterThanOrEqual(3);
  });

  it("gives up after the given number of tries", async () => {
    handler = (_, response) => response.writeHead(500).end();
    await expect(fetchIt({ attempts: 3 })).rejects.toMatchObject({
      code: "not-cached",
      actual: "HTTP 500 Internal Server Error",
    });
    expect(ranges).toHaveLength(3);
  });

  it("says at once that there is no such file", async () => {
    handler = (_, response) => response.writeHead(404).end();
    await expect(fetchIt()).rejects.toMatchObject({ code: "not-cached", actual: "HTTP 404 Not Found" });
    expect(ranges).toHaveLength(1);
  });

  it.each([{ "content-type": "text/html; charset=utf-8" }, { "content-type": "application/octet-stream" }])(
    "takes no HTML page for the file, declared as %o",
    async (headers) => {
      handler = (_, response) => response.writeHead(200, headers).end("\n<!DOCTYPE html><title>Sign in</title>");
      await expect(fetchIt()).rejects.toMatchObject({
        code: "not-cached",
        reason: expect.stringContaining("HTML page"),
      });
      expect(existsSync(path)).toBe(false);
    },
  );

  it("keeps no file of another digest", async () => {
    handler = honest;
    const digest = { algorithm: "sha256", hex: "0".repeat(64) } as const;
    await expect(fetchIt({ digest })).rejects.toMatchObject({ code: "model-invalid", actual: sha256 });
    expect(readdirSync(join(folder, "models"))).toEqual([]);
  });

  it("asks nothing when offline, and says where the file belongs", async () => {
    handler = honest;
    await expect(fetchIt({ offline: true })).rejects.toMatchObject({
      code: "not-cached",
      hint: expect.stringContaining(path),
    });
    expect(ranges).toEqual([]);
  });

  it("leaves the part of another process alone, and does not wait for one that shows no progress", async () => {
    handler = honest;
    const part = join(folder, "models", "weights.h5.part");
    await fetchIt();
    rmSync(path);
    // A living process: this one.
    writeFileSync(join(folder, "models", "weights.h5.lock"), String(process.pid));
    writeFileSync(part, "of another");
    expect(await fetchIt({ patience: 150 })).toBe(sha256);
    expect(readFileSync(part, "utf8")).toBe("of another");
  });
});
