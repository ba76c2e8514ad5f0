import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { distinctBytes, type Fault, HubServer, sha256Of } from "../testing/hub-server-node.ts";
import { type DownloadOptions, download } from "./download-node.ts";
import { reachOf } from "./network-node.ts";

const content = distinctBytes(500_000);
const sha256 = sha256Of(content);

let server: HubServer;
let folder: string;
let path: string;

beforeEach(async () => {
  server = await HubServer.start();
  server.serve("/weights.h5", content);
  folder = mkdtempSync(join(tmpdir(), "misbehaviour "));
  path = join(folder, "weights.h5");
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function fetchIt(options: DownloadOptions = {}, url = `${server.address}/weights.h5`): Promise<string> {
  return await download(url, path, { pause: 1, timeout: 400, attempts: 3, offline: false, ...options });
}

function expectWhole(): void {
  expect(readFileSync(path).equals(content)).toBe(true);
  expect(readdirSync(folder).sort()).toEqual(["weights.h5", "weights.h5.sha256"]);
}

describe("a server that misbehaves", () => {
  const mended: readonly (readonly [string, readonly Fault[]])[] = [
    ["cuts off", [{ kind: "cut", after: 100_000 }]],
    ["cuts off at once", [{ kind: "cut", after: 0 }]],
    ["falls silent", [{ kind: "stall", after: 100_000 }]],
    ["says nothing at all", [{ kind: "stall", after: 0 }]],
    ["sends less than it says", [{ kind: "shorter" }]],
    ["cuts off, then ignores the range", [{ kind: "cut", after: 100_000 }, { kind: "ignores range" }]],
    ["cuts off, then has another file", [{ kind: "cut", after: 100_000 }, { kind: "other tag" }]],
    [
      "cuts off, then has no such range",
      [
        { kind: "cut", after: 9 },
        { kind: "status", status: 416 },
      ],
    ],
    ["is busy", [{ kind: "status", status: 429, headers: { "retry-after": "0" } }]],
    [
      "fails",
      [
        { kind: "status", status: 500 },
        { kind: "status", status: 503 },
      ],
    ],
    ["answers nothing", [{ kind: "empty" }]],
    ["packs the file", [{ kind: "gzip" }]],
    ["cuts off, then packs the file", [{ kind: "cut", after: 100_000 }, { kind: "gzip" }]],
  ];
  it.each(mended)("that %s does no harm", async (_, faults) => {
    for (const fault of faults) server.misbehave("/", fault);
    expect(await fetchIt({ digest: { algorithm: "sha256", hex: sha256 } })).toBe(sha256);
    expectWhole();
  });

  const refused: readonly (readonly [string, Fault, object])[] = [
    ["forbids it", { kind: "status", status: 403 }, { code: "not-cached", hint: "ask nicely" }],
    ["has no such file", { kind: "status", status: 404 }, { code: "not-cached", actual: "HTTP 404 Not Found" }],
    ["shows a page", { kind: "html" }, { code: "not-cached", reason: expect.stringContaining("HTML page") }],
    [
      "asks to come back tomorrow",
      { kind: "status", status: 429, headers: { "retry-after": "86400" } },
      { code: "not-cached", actual: expect.stringContaining("1440 minutes") },
    ],
    ["redirects in a circle", { kind: "redirect", to: "/weights.h5" }, { reason: expect.stringContaining("circle") }],
    [
      "redirects to a file",
      { kind: "redirect", to: "file:///etc/passwd" },
      { reason: expect.stringContaining("no https") },
    ],
    [
      "redirects to http",
      { kind: "redirect", to: "http://example.org/x" },
      { reason: expect.stringContaining("http") },
    ],
    [
      "leads to a machine's own data",
      { kind: "redirect", to: "https://169.254.169.254/meta" },
      { reason: expect.stringContaining("inside a network") },
    ],
    [
      "leads into a network",
      { kind: "redirect", to: "https://10.1.2.3/x" },
      { reason: expect.stringContaining("inside a network") },
    ],
    [
      "leads into a network of IPv6",
      { kind: "redirect", to: "https://[fd00::1]/x" },
      { reason: expect.stringContaining("inside a network") },
    ],
    [
      "disguises where it leads",
      { kind: "redirect", to: "https://[::ffff:10.0.0.1]/x" },
      { reason: expect.stringContaining("inside a network") },
    ],
    ["sends without end", { kind: "endless" }, { code: "model-refused", reason: expect.stringContaining("larger") }],
    ["changes a bit", { kind: "flipped" }, { code: "model-invalid", expected: `SHA-256 ${sha256}` }],
  ];
  it.each(refused)("that %s is refused at once", async (_, fault, error) => {
    server.misbehave("/", fault, 99);
    const options = {
      digest: { algorithm: "sha256", hex: sha256 },
      deniedHint: "ask nicely",
      limit: 2_000_000,
      timeout: 3000,
    } as const;
    await expect(fetchIt(options)).rejects.toMatchObject(error);
    expect(server.asked).toHaveLength(1);
    expect(existsSync(path)).toBe(false);
  });

  it("that says how long the file is is believed where that is too long", async () => {
    await expect(fetchIt({ limit: 499_999 })).rejects.toMatchObject({
      code: "model-refused",
      actual: "500000 bytes or more",
    });
    await expect(fetchIt({ size: 499_999 })).rejects.toMatchObject({ code: "model-invalid", expected: "499999 bytes" });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("that states an MD5 or a hub's digest is held to it", async () => {
    const md5 = Buffer.from("0123456789abcdef").toString("base64");
    server.serve("/weights.h5", content, { "x-goog-hash": `crc32c=n03x6A==,md5=${md5}` });
    await expect(fetchIt()).rejects.toMatchObject({ code: "model-invalid", expected: expect.stringMatching(/^MD5/) });
    server.serve("/weights.h5", content, { "x-linked-etag": `"${sha256Of(Buffer.from("x"))}"` });
    await expect(fetchIt()).rejects.toMatchObject({
      code: "model-invalid",
      expected: expect.stringMatching(/^SHA-256/),
    });
  });

  it("that waits is waited for as long as it says", async () => {
    server.misbehave("/", { kind: "status", status: 429, headers: { "retry-after": "1" } });
    const start = performance.now();
    await fetchIt();
    expect(performance.now() - start).toBeGreaterThan(990);
  });

  it("that cuts off a hundred times is asked for hardly more than the file", async () => {
    const until = (end: number) => existsSync(`${path}.part`) && statSync(`${path}.part`).size === end;
    server.misbehave("/", { kind: "cut", after: 5000, until }, 99);
    let received = 0;
    await fetchIt({ onProgress: (progress) => (received = Math.max(received, progress.received)) });
    expectWhole();
    expect(received).toBe(content.length);
    const starts = server.asked.map(({ headers }) => Number(/\d+/.exec(headers.range ?? "0")?.[0]));
    expect(starts).toHaveLength(100);
    // Each try begins where the one before ended: nothing is fetched twice.
    expect(starts.every((start, at) => at === 0 || start === (starts[at - 1] ?? 0) + 5000)).toBe(true);
  });

  it("that puts two files together under one tag is found out, and the file fetched anew", async () => {
    writeFileSync(`${path}.part`, distinctBytes(1000, 99));
    server.misbehave("/", { kind: "cut", after: 1000 });
    await expect(fetchIt({ attempts: 1 })).rejects.toMatchObject({ code: "not-cached" });
    writeFileSync(`${path}.part`, distinctBytes(1000, 99));
    expect(await fetchIt({ digest: { algorithm: "sha256", hex: sha256 } })).toBe(sha256);
    expectWhole();
    expect(server.asked.at(-1)?.headers.range).toBeUndefined();
  });

  it("cannot be asked through a stopped signal", async () => {
    server.misbehave("/", { kind: "stall", after: 100 });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    await expect(fetchIt({ signal: controller.signal, timeout: 5000 })).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("keys", () => {
  it("go to the origin that was typed, and to no other", async () => {
    const elsewhere = await HubServer.start();
    elsewhere.serve("/content", content);
    server.redirect("/moved", "/again");
    server.redirect("/again", `${elsewhere.address}/content?signature=canary`);
    const authorization = "Bearer canary";
    expect(await fetchIt({ authorization }, `${server.address}/moved`)).toBe(sha256);
    expect(server.asked.map(({ headers }) => headers.authorization)).toEqual([authorization, authorization]);
    expect(JSON.stringify(elsewhere.asked.map(({ headers }) => headers))).not.toContain("canary");
    elsewhere.misbehave("/", { kind: "cut", after: 10 }, 9);
    const error = await download(`${server.address}/moved?token=canary`, `${path}2`, {
      authorization,
      attempts: 1,
    }).catch((cause: unknown) => cause);
    const written = readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
    expect(String(error) + JSON.stringify(error) + written.join()).not.toContain("canary");
    await elsewhere.stop();
  });
});

describe("addresses", () => {
  it.each([
    ["93.184.216.34", "public"],
    ["2606:2800:220:1::1", "public"],
    ["127.8.8.8", "loopback"],
    ["::1", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["192.168.1.1", "private"],
    ["172.31.255.255", "private"],
    ["172.32.0.1", "public"],
    ["fd12::1", "private"],
    ["169.254.169.254", "special"],
    ["::ffff:169.254.169.254", "special"],
    ["64:ff9b::a9fe:a9fe", "special"],
    ["fe80::1", "special"],
    ["0.0.0.0", "special"],
    ["255.255.255.255", "special"],
  ])("%s is %s", (address, reach) => {
    expect(reachOf(address)).toBe(reach);
  });
});

describe("a proxy", () => {
  it("is used as the environment says, never for this machine", async () => {
    const wanted: string[] = [];
    const proxy: Server = createServer();
    proxy.on("connect", (request, socket) => {
      wanted.push(request.url ?? "");
      const { port } = new URL(server.address);
      const through = connect(Number(port), "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
        through.pipe(socket).pipe(through);
      });
      for (const end of [socket, through]) end.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const address = proxy.address();
    if (address === null || typeof address === "string") throw new Error("the proxy has no port");
    for (const name of ["http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"])
      vi.stubEnv(name, undefined);
    vi.stubEnv("HTTP_PROXY", `http://127.0.0.1:${address.port}`);
    expect(await fetchIt({}, "http://mirror.invalid/weights.h5")).toBe(sha256);
    expect(wanted).toEqual(["mirror.invalid:80"]);
    await fetchIt({});
    vi.stubEnv("NO_PROXY", "mirror.invalid");
    await expect(fetchIt({ attempts: 1 }, "http://mirror.invalid/weights.h5")).rejects.toMatchObject({
      code: "not-cached",
    });
    expect(wanted).toHaveLength(1);
    proxy.closeAllConnections();
    proxy.close();
  });
});

describe("several processes", () => {
  const module = new URL("./download-node.ts", import.meta.url).href;
  const source = new URL("../../scripts/source.js", import.meta.url).href;

  function start(): ChildProcess {
    const code = `const { download } = await import(${JSON.stringify(module)});
      console.log("started");
      console.log(await download(process.argv[1], process.argv[2], { pause: 1, offline: false }));`;
    const words = ["--import", source, "--input-type=module", "--eval", code, `${server.address}/weights.h5`, path];
    return spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  }

  /** What it printed last, and whether it has begun. */
  function watch(child: ChildProcess): {
    readonly hasStarted: () => boolean;
    readonly last: Promise<string | undefined>;
  } {
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    const closed = new Promise((resolve) => child.on("close", resolve));
    return { hasStarted: () => text !== "", last: closed.then(() => text.trim().split("\n").at(-1)) };
  }

  it("that want the same file download it once", async () => {
    server.misbehave("/", { kind: "stall", after: 200_000 });
    const children = [watch(start()), watch(start()), watch(start())];
    await vi.waitUntil(() => children.every(({ hasStarted }) => hasStarted()), { timeout: 15_000 });
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(server.asked).toHaveLength(1);
    // One goes on where it was cut off, the others have waited.
    server.cutAll();
    expect(await Promise.all(children.map(({ last }) => last))).toEqual([sha256, sha256, sha256]);
    expect(server.asked.map(({ headers }) => headers.range)).toEqual([undefined, "bytes=200000-"]);
    expectWhole();
  });

  it("go on with what a killed one has left", async () => {
    server.misbehave("/", { kind: "stall", after: 200_000 });
    const child = start();
    const { last } = watch(child);
    await vi.waitUntil(() => existsSync(`${path}.part`) && statSync(`${path}.part`).size === 200_000, {
      timeout: 15_000,
    });
    child.kill("SIGKILL");
    await last;
    expect(existsSync(`${path}.lock`)).toBe(true);
    expect(await fetchIt()).toBe(sha256);
    expect(server.asked.at(-1)?.headers.range).toBe("bytes=200000-");
    expectWhole();
  });
});
