/** @file `graft search`, `graft pull` and `graft base list` as processes, without a network and with a hub that is here. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const graft = resolve(import.meta.dirname, "../../bin/graft.js");
const pocket = readFileSync(resolve(import.meta.dirname, "../../models/pocket.onnx"));
const folder = mkdtempSync(join(tmpdir(), "graftwork-hub-"));
const environment = {
  ...process.env,
  GRAFT_CACHE: join(folder, "cache"),
  HF_HUB_CACHE: join(folder, "hf"),
  KERAS_HOME: join(folder, "keras"),
  TFHUB_CACHE_DIR: join(folder, "tfhub"),
  KAGGLEHUB_CACHE: join(folder, "kaggle"),
};

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [graft, ...args], {
      cwd: folder,
      env: environment,
    });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

let server: Server;
let address = "";
beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url?.startsWith("/pocket.onnx")) response.writeHead(200, { etag: '"one"' }).end(pocket);
    else if (request.url?.startsWith("/page.onnx")) response.writeHead(200).end("<!doctype html><p>sign in");
    else if (request.url?.startsWith("/broken.onnx")) response.writeHead(200).end(pocket.subarray(0, 4000));
    else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("graft search", () => {
  it("works without a network, from the built-in catalogue, and says that nobody else was asked", async () => {
    const { code, out, err } = await run("search", "birds", "--task", "image", "--offline", "--json");
    expect(code).toBe(0);
    const { schema, models, failures } = JSON.parse(out);
    expect(schema).toBe("graftwork/search/1");
    expect(models[0].handle).toContain("birds");
    expect(models.some(({ handle }: { handle: string }) => handle === "keras:ResNet50")).toBe(true);
    expect(failures).toHaveLength(2);
    expect(err).toContain("the network is off");
  });

  it("finds nothing without failing", async () => {
    const { code, out, err } = await run("search", "nothingofthekind", "--offline");
    expect([code, out]).toEqual([0, ""]);
    expect(err).toContain("nothing was found");
  });
});

describe("graft pull and graft base list", () => {
  it("bring a model here, pin it, and list it", async () => {
    const handle = `${address}/pocket.onnx`;
    const { code, out } = await run("pull", handle, "--lock", "--json");
    expect(code).toBe(0);
    const pulled = JSON.parse(out);
    expect(pulled).toMatchObject({ schema: "graftwork/pull/1", bytes: pocket.length, isLocked: true });
    expect(pulled.digest).toBe(createHash("sha256").update(pocket).digest("hex"));
    expect(readFileSync(join(folder, "graft.lock"), "utf8")).toContain(pulled.digest);
    const { bases } = JSON.parse((await run("base", "list", "--json")).out);
    expect(bases.map((base: { handle: string }) => base.handle)).toEqual(["pocket", handle]);
    // It is here now: no network is needed.
    expect((await run("pull", handle, "--offline")).code).toBe(0);
  }, 60_000);

  it("refuse a page, a broken file and an address with nothing, each by its exit code", async () => {
    expect((await run("pull", `${address}/page.onnx`)).code).toBe(5);
    expect((await run("pull", `${address}/nothing.onnx`)).code).toBe(5);
    expect((await run("pull", `${address}/broken.onnx`)).code).toBe(4);
    expect((await run("pull", "MobileNetV9")).code).toBe(2);
  }, 60_000);

  it("know the files that Keras publishes by their names", async () => {
    const models = join(folder, "keras/models");
    await promisify(execFile)("mkdir", ["-p", models]);
    writeFileSync(join(models, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.5_160_no_top.h5"), "");
    const { out } = await run("base", "list");
    expect(out).toContain("keras:MobileNetV2?alpha=0.5");
    expect(out).toContain("[-1, 1]");
  });
});
