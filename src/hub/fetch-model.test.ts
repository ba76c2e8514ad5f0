import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { distinctBytes, type Fault, HubServer, sha256Of } from "../testing/hub-server-node.ts";
import { cachedModels } from "./cached-models-node.ts";
import { type FetchOptions, fetchModel } from "./fetch-model-node.ts";
import type { FetchedModel } from "./fetched.ts";
import { lockEntry, pin, readLock } from "./graft-lock-node.ts";
import { parseHandle } from "./parse-handle.ts";
import { searchModels } from "./search-node.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const LATER = "fedcba9876543210fedcba9876543210fedcba98";
const CANARY = "hf_canary0123456789";
/** The first bytes of gzip, then bytes of which no part resembles another. */
const archive = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), distinctBytes(200_000)]);
const model = distinctBytes(300_000, 7);
const config = Buffer.from('{"id2label":{"0":"cat"}}');

let server: HubServer;
let folder: string;

beforeEach(async () => {
  server = await HubServer.start();
  folder = mkdtempSync(join(tmpdir(), "hub "));
  const none = join(folder, "none");
  const environment = {
    HOME: folder,
    GRAFT_CACHE: join(folder, "graft"),
    HF_HUB_CACHE: join(folder, "hf"),
    KAGGLEHUB_CACHE: join(folder, "kagglehub"),
    TFHUB_CACHE_DIR: join(folder, "tfhub"),
    KERAS_HOME: join(folder, "keras"),
    HF_ENDPOINT: server.address,
    KAGGLE_API_ENDPOINT: server.address,
    GRAFT_TFHUB_ENDPOINT: server.address,
    HF_TOKEN_PATH: none,
    KAGGLE_CONFIG_DIR: none,
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  for (const name of [
    "HF_TOKEN",
    "HF_HUB_OFFLINE",
    "GRAFT_OFFLINE",
    "KAGGLE_API_TOKEN",
    "KAGGLE_USERNAME",
    "KAGGLE_KEY",
  ]) {
    vi.stubEnv(name, undefined);
  }
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function fetchIt(handle: string, options: FetchOptions = {}): Promise<FetchedModel> {
  return await fetchModel(parseHandle(handle), { lockFile: null, pause: 1, timeout: 2000, attempts: 3, ...options });
}

/** All that is written anywhere, to look for keys in. */
function everythingWritten(): string {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  const files = names.filter((name) => lstatSync(name).isFile());
  return [...names, ...files.map((name) => readFileSync(name, "latin1"))].join("\n");
}

describe("Hugging Face", () => {
  const files = {
    "onnx/model.onnx": model,
    "onnx/model_quantized.onnx": model,
    "config.json": config,
    "README.md": config,
  };

  it("puts the model, its labels and its commit where huggingface_hub looks for them", async () => {
    server.serveRepository("org/name", COMMIT, files, { license: "apache-2.0" });
    const fetched = await fetchIt("hf:org/name");
    const repository = join(folder, "hf", "models--org--name");
    expect(fetched).toMatchObject({
      kind: "file",
      path: join(repository, "snapshots", COMMIT, "onnx/model.onnx"),
      source: "hf:org/name",
      revision: COMMIT,
      license: "apache-2.0",
      digest: sha256Of(model),
      configPath: join(repository, "snapshots", COMMIT, "config.json"),
    });
    expect(readFileSync(fetched.path).equals(model)).toBe(true);
    expect(readlinkSync(fetched.path)).toBe(`../../../blobs/${sha256Of(model)}`);
    expect(readFileSync(join(repository, "refs/main"), "utf8")).toBe(COMMIT);
    const tag = createHash("sha1").update(`blob ${config.length}\0`).update(config).digest("hex");
    expect(readdirSync(join(repository, "blobs")).sort()).toEqual([sha256Of(model), tag].sort());
    expect(server.askedAt("/org/name/resolve").map(({ path }) => path)).not.toContain(
      "/org/name/resolve/main/onnx/model.onnx",
    );
  });

  it("asks for no file twice, and for nothing offline", async () => {
    server.serveRepository("org/name", COMMIT, files);
    const first = await fetchIt("hf:org/name");
    const asked = server.askedAt("/org/name/resolve").length;
    await fetchIt("hf:org/name");
    expect(server.askedAt("/org/name/resolve")).toHaveLength(asked);
    const before = server.asked.length;
    expect(await fetchIt("hf:org/name", { offline: true })).toMatchObject({ path: first.path, revision: COMMIT });
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect((await fetchIt(`hf:org/name@${COMMIT}/onnx/model.onnx`)).path).toBe(first.path);
    expect(server.asked).toHaveLength(before);
    await expect(fetchIt("hf:org/other")).rejects.toMatchObject({ code: "not-cached" });
  });

  it("uses what is here where the hub does not answer", async () => {
    server.serveRepository("org/name", COMMIT, files);
    const { path } = await fetchIt("hf:org/name");
    server.misbehave("/api", { kind: "status", status: 503 }, 99);
    expect((await fetchIt("hf:org/name")).path).toBe(path);
  });

  it("serves two commits from one blob, and goes with the branch", async () => {
    server.serveRepository("org/name", COMMIT, files);
    await fetchIt("hf:org/name");
    server.serveRepository("org/name", LATER, files);
    const { revision, path } = await fetchIt("hf:org/name");
    expect(revision).toBe(LATER);
    expect(path).toContain(LATER);
    expect(server.askedAt(`/store/${sha256Of(model)}`)).toHaveLength(1);
  });

  it("takes what the answers say of a file where the list does not", async () => {
    server.serveRepository("org/name", COMMIT, files, { listsDigests: false });
    const { path } = await fetchIt("hf:org/name");
    expect(readlinkSync(path)).toBe(`../../../blobs/${sha256Of(model)}`);
    server.serveRepository("org/bad", COMMIT, { "model.onnx": distinctBytes(4000, 9) }, { listsDigests: false });
    server.misbehave("/store", { kind: "flipped" }, 9);
    await expect(fetchIt("hf:org/bad")).rejects.toMatchObject({ code: "model-invalid" });
  });

  it.each([
    ["large", "model.onnx", 5000],
    ["small", "model.onnx", 300],
  ])("refuses a %s file with one bit flipped", async (_, name, size) => {
    server.serveRepository("org/name", COMMIT, { [name]: distinctBytes(size) });
    server.misbehave("/store", { kind: "flipped" }, 9);
    server.misbehave("/org/name/resolve", { kind: "flipped" }, size < 1000 ? 9 : 0);
    await expect(fetchIt("hf:org/name")).rejects.toMatchObject({
      code: "model-invalid",
      reason: expect.stringContaining("not the one expected"),
    });
    expect(existsSync(join(folder, "hf/models--org--name/snapshots"))).toBe(false);
  });

  it("takes a SavedModel's files, the weights that a model.json names, and a part of a repository", async () => {
    server.serveRepository("org/saved", COMMIT, {
      "saved_model.pb": distinctBytes(2000, 2),
      "variables/variables.index": distinctBytes(500, 3),
      "variables/variables.data-00000-of-00001": distinctBytes(3000, 4),
      "README.md": config,
      "pytorch_model.bin": model,
    });
    const saved = await fetchIt("hf:org/saved");
    expect(saved.kind).toBe("folder");
    expect(saved.files.map(({ name }) => name).sort()).toEqual([
      "saved_model.pb",
      "variables/variables.data-00000-of-00001",
      "variables/variables.index",
    ]);
    const json = Buffer.from(JSON.stringify({ weightsManifest: [{ paths: ["group1-shard1of1.bin"], weights: [] }] }));
    server.serveRepository("org/js", COMMIT, {
      "web/model.json": json,
      "web/group1-shard1of1.bin": model,
      "web/other.bin": model,
    });
    const web = await fetchIt("hf:org/js/web");
    expect(web.files.map(({ name }) => name)).toEqual(["web/model.json", "web/group1-shard1of1.bin"]);
    expect(await fetchIt("hf:org/js/web", { offline: true })).toMatchObject({ path: web.path });
  });

  it("names what is there where nothing can be read", async () => {
    server.serveRepository("org/name", COMMIT, {
      "model.safetensors": model,
      "pytorch_model.bin": model,
      "config.json": config,
    });
    await expect(fetchIt("hf:org/name")).rejects.toMatchObject({
      code: "model-refused",
      actual: expect.stringContaining("model.safetensors, pytorch_model.bin"),
    });
    server.serveRepository("org/two", COMMIT, { "encoder.onnx": model, "decoder.onnx": model });
    await expect(fetchIt("hf:org/two")).rejects.toMatchObject({
      code: "model-refused",
      actual: "encoder.onnx, decoder.onnx",
    });
    await expect(fetchIt("hf:org/two/third.onnx")).rejects.toMatchObject({ code: "usage" });
    expect(server.askedAt("/store")).toEqual([]);
  });

  it("writes nothing where a repository's names lead out of it", async () => {
    server.serveJson("/api/models/org/name", {
      sha: COMMIT,
      siblings: ["../../../evil.onnx", "/evil.onnx", "a/../../../evil.onnx", "c:\\evil.onnx"].map((rfilename) => ({
        rfilename,
      })),
    });
    await expect(fetchIt("hf:org/name")).rejects.toMatchObject({ code: "model-refused" });
    const json = Buffer.from(JSON.stringify({ weightsManifest: [{ paths: ["../../evil.bin"] }] }));
    server.serveRepository("org/js", COMMIT, { "model.json": json });
    await expect(fetchIt("hf:org/js")).rejects.toMatchObject({ code: "model-refused" });
    expect(everythingWritten()).not.toContain("evil.onnx");
    server.serveJson("/api/models/org/sha", { sha: "../../../x", siblings: [] });
    await expect(fetchIt("hf:org/sha")).rejects.toMatchObject({ code: "not-cached" });
  });

  it("shows its token to the hub and to nobody else", async () => {
    vi.stubEnv("HF_TOKEN", CANARY);
    const elsewhere = await HubServer.start();
    elsewhere.serve("/content", model);
    server.serveRepository("org/name", COMMIT, { "model.onnx": config }, { token: CANARY });
    server.redirect(`/org/name/resolve/${COMMIT}/model.onnx`, `${elsewhere.address}/content`);
    const error = await fetchIt("hf:org/name").catch((cause: unknown) => cause);
    expect(server.askedAt("/org/name/resolve")[0]?.headers.authorization).toBe(`Bearer ${CANARY}`);
    expect(elsewhere.asked.length).toBeGreaterThan(0);
    expect(JSON.stringify(elsewhere.asked)).not.toContain(CANARY);
    expect(String(error) + JSON.stringify(error) + everythingWritten()).not.toContain(CANARY);
    await elsewhere.stop();
    vi.stubEnv("HF_TOKEN", undefined);
    await expect(fetchIt("hf:org/name")).rejects.toMatchObject({
      code: "not-cached",
      hint: expect.stringContaining("HF_TOKEN"),
    });
  });
});

describe("Kaggle", () => {
  const path = "google/mobilenet-v2/tensorFlow2/100-224";

  it("fetches the newest version's archive, checked by its MD5, and keeps it packed", async () => {
    server.serveVariation(path, 3, archive);
    const fetched = await fetchIt(`kaggle:${path}`);
    expect(fetched).toMatchObject({
      kind: "archive",
      revision: "3",
      source: `kaggle:${path}/3`,
      license: "Apache 2.0",
    });
    expect(readFileSync(fetched.path).equals(archive)).toBe(true);
    expect(fetched.digest).toBe(sha256Of(archive));
    const before = server.asked.length;
    expect((await fetchIt(`kaggle:${path}/3`)).path).toBe(fetched.path);
    expect((await fetchIt(`kaggle:${path}`, { offline: true })).path).toBe(fetched.path);
    expect(server.asked).toHaveLength(before);
    expect(everythingWritten()).not.toContain("canary");
  });

  it("fetches an only file without an archive around it", async () => {
    server.serveVariation("keras/x/keras/y", 1, model, { files: ["model.keras"] });
    expect(await fetchIt("kaggle:keras/x/keras/y")).toMatchObject({
      kind: "file",
      path: expect.stringMatching(/model\.keras$/),
    });
  });

  it("refuses another MD5, and frameworks that cannot be read before asking", async () => {
    server.serveVariation(path, 3, archive);
    server.misbehave("/google", { kind: "flipped" }, 9);
    await expect(fetchIt(`kaggle:${path}`)).rejects.toMatchObject({ code: "model-invalid" });
    const before = server.asked.length;
    await expect(fetchIt("kaggle:meta/llama/pyTorch/7b")).rejects.toMatchObject({ code: "model-refused" });
    expect(server.asked).toHaveLength(before);
  });

  it("reads kagglehub's folders in place, whole ones only", async () => {
    const version = join(folder, "kagglehub/models", path, "2");
    mkdirSync(join(version, "variables"), { recursive: true });
    writeFileSync(join(version, "saved_model.pb"), "x");
    writeFileSync(join(version, "variables/variables.index"), "x");
    await expect(fetchIt(`kaggle:${path}/2`, { offline: true })).rejects.toMatchObject({ code: "not-cached" });
    writeFileSync(`${version}.complete`, "");
    expect(await fetchIt(`kaggle:${path}`, { offline: true })).toMatchObject({
      kind: "folder",
      path: version,
      revision: "2",
    });
    expect(server.asked).toEqual([]);
  });

  it.each([
    [{ KAGGLE_API_TOKEN: "KGAT_canary" }, "Bearer KGAT_canary"],
    [{ KAGGLE_USERNAME: "me", KAGGLE_KEY: "canary" }, `Basic ${Buffer.from("me:canary").toString("base64")}`],
  ])("says who asks: %o", async (environment, header) => {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    server.serveVariation(path, 3, archive);
    await fetchIt(`kaggle:${path}`);
    expect(server.askedAt("/api").map(({ headers }) => headers.authorization)).toEqual([header, header, header]);
    expect(everythingWritten()).not.toContain("canary");
  });

  it("reads kaggle.json, and quotes nothing of a broken one", async () => {
    vi.stubEnv("KAGGLE_CONFIG_DIR", folder);
    server.serveVariation(path, 3, archive);
    writeFileSync(join(folder, "kaggle.json"), '{"username":"me","key":"canary"}');
    await fetchIt(`kaggle:${path}`);
    expect(server.askedAt("/api")[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from("me:canary").toString("base64")}`,
    );
    writeFileSync(join(folder, "kaggle.json"), "canary");
    const error = await fetchIt(`kaggle:${path}`, { refresh: true }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "usage" });
    expect(String(error)).not.toContain("canary");
  });
});

describe("a hub that misbehaves", () => {
  const path = "google/mobilenet-v2/tensorFlow2/100-224";

  it("is asked again, and a file gone on with behind the redirect", async () => {
    server.serveVariation(path, 3, archive);
    server.misbehave("/api", { kind: "status", status: 429, headers: { "retry-after": "0" } });
    server.misbehave("/api", { kind: "stall", after: 0 });
    server.misbehave("/google", { kind: "cut", after: 100_000, until: () => false });
    const fetched = await fetchIt(`kaggle:${path}`, { timeout: 400 });
    expect(fetched.digest).toBe(sha256Of(archive));
    expect(server.askedAt("/google").map(({ headers }) => headers.range)).toEqual([undefined, "bytes=100000-"]);
  });

  it.each<[Fault, object]>([
    [{ kind: "html" }, { actual: "an HTML page", path: [`kaggle:${path}`, expect.stringContaining("/get")] }],
    [{ kind: "status", status: 404 }, { actual: "HTTP 404 Not Found" }],
    [{ kind: "status", status: 403 }, { hint: expect.stringContaining("KAGGLE_API_TOKEN") }],
    [
      { kind: "status", status: 500 },
      { reason: "the hub does not answer", actual: "HTTP 500 Internal Server Error" },
    ],
    [
      { kind: "endless" },
      { reason: expect.stringContaining("else than JSON"), actual: expect.stringContaining("more than") },
    ],
    [{ kind: "redirect", to: "https://10.0.0.1/" }, { reason: expect.stringContaining("inside a network") }],
  ])("is told by its answer: %o", async (fault, error) => {
    server.serveVariation(path, 3, distinctBytes(2 ** 20));
    server.serve(`/api/v1/models/${path}/get`, distinctBytes(2 ** 20));
    server.misbehave("/api", fault, 99);
    await expect(fetchIt(`kaggle:${path}`, { timeout: 5000 })).rejects.toMatchObject({ code: "not-cached", ...error });
  });
});

describe("TensorFlow Hub", () => {
  const handle = "https://tfhub.dev/google/tf2-preview/mobilenet_v2/feature_vector/4";

  it("asks for the compressed form, and follows it elsewhere", async () => {
    server.redirect("/google/tf2-preview/mobilenet_v2/feature_vector/4", "/bucket/4.tar.gz");
    server.serve("/bucket/4.tar.gz", archive);
    expect(await fetchIt(handle)).toMatchObject({ kind: "archive", source: handle, revision: "4" });
    expect(server.asked[0]?.path).toContain("?tf-hub-format=compressed");
    server.serve("/google/tfjs-model/x/classification/1/default/1", archive);
    await fetchIt("https://tfhub.dev/google/tfjs-model/x/classification/1/default/1/model.json?tfjs-format=file");
    expect(server.asked.at(-1)?.path).toContain("?tfjs-format=compressed");
  });

  it("reads the folder of the Python library in place", async () => {
    const path = join(folder, "tfhub", createHash("sha1").update(handle).digest("hex"));
    mkdirSync(join(path, "variables"), { recursive: true });
    writeFileSync(join(path, "saved_model.pb"), "x");
    writeFileSync(join(path, "variables/variables.index"), "x");
    expect(await fetchIt(handle, { offline: true })).toMatchObject({ kind: "folder", path });
    expect(server.asked).toEqual([]);
  });
});

describe("an address", () => {
  it("is fetched once, and anew where that is asked for", async () => {
    server.serve("/a%20b.h5", model);
    const handle = `${server.address}/a%20b.h5?token=canary`;
    const fetched = await fetchIt(handle);
    expect(fetched).toMatchObject({ kind: "file", path: expect.stringMatching(/a b\.h5$/), digest: sha256Of(model) });
    expect(fetched.source + everythingWritten()).not.toContain("canary");
    await fetchIt(handle);
    expect(server.asked).toHaveLength(1);
    server.serve("/a%20b.h5", archive);
    expect((await fetchIt(handle, { refresh: true })).digest).toBe(sha256Of(archive));
  });

  it("brings the weights that a model.json names, asked with the same query", async () => {
    const json = Buffer.from(JSON.stringify({ weightsManifest: [{ paths: ["weights.bin", "more/w2.bin"] }] }));
    server.serve("/m/model.json", json);
    server.serve("/m/weights.bin", model);
    server.serve("/m/more/w2.bin", archive);
    const fetched = await fetchIt(`${server.address}/m/model.json?v=1`);
    expect(fetched.files.map(({ name }) => name)).toEqual(["model.json", "weights.bin", "more/w2.bin"]);
    expect(server.asked.map(({ path }) => path)).toEqual([
      "/m/model.json?v=1",
      "/m/weights.bin?v=1",
      "/m/more/w2.bin?v=1",
      "/m/metadata.json?v=1",
    ]);
    server.serve("/m/metadata.json", config);
    const again = await fetchIt(`${server.address}/m/model.json?v=1`, { refresh: true });
    expect(readFileSync(join(again.path, "../metadata.json")).equals(config)).toBe(true);
    const limit = model.length + archive.length;
    await expect(fetchIt(`${server.address}/m/model.json?v=2`, { limit: limit - 1 })).rejects.toMatchObject({
      code: "model-refused",
    });
  });

  it("is not whole before all its weights are there", async () => {
    server.serve("/m/model.json", Buffer.from(JSON.stringify({ weightsManifest: [{ paths: ["weights.bin"] }] })));
    await expect(fetchIt(`${server.address}/m/model.json`)).rejects.toMatchObject({ code: "not-cached" });
    await expect(fetchIt(`${server.address}/m/model.json`, { offline: true })).rejects.toMatchObject({
      code: "not-cached",
    });
    server.serve("/m/weights.bin", model);
    await fetchIt(`${server.address}/m/model.json`);
    await fetchIt(`${server.address}/m/model.json`, { offline: true });
  });
});

describe("graft.lock", () => {
  it("keeps a handle to the commit it was pinned at", async () => {
    const lockFile = join(folder, "graft.lock");
    server.serveRepository("org/name", COMMIT, { "model.onnx": model });
    const handle = parseHandle("hf:org/name");
    if (handle.kind !== "hf") throw new Error("the handle is of another kind");
    const entry = await pin(handle, await fetchIt("hf:org/name"), lockFile);
    expect(entry).toMatchObject({ revision: COMMIT, sha256: sha256Of(model), size: model.length });
    expect(await lockEntry(handle, lockFile)).toEqual(entry);
    server.serveJson("/api/models/org/name", { sha: LATER, siblings: [] });
    expect((await fetchIt("hf:org/name", { lockFile })).revision).toBe(COMMIT);
  });

  it("refuses another content at the same address", async () => {
    const lockFile = join(folder, "graft.lock");
    const address = `${server.address}/model.tar.gz`;
    const handle = parseHandle(address);
    if (handle.kind !== "url") throw new Error("the handle is of another kind");
    server.serve("/model.tar.gz", archive);
    await pin(handle, await fetchIt(address), lockFile);
    const other = Buffer.from(archive);
    other[100] = 0;
    server.serve("/model.tar.gz", other);
    await fetchIt(address, { lockFile });
    await expect(fetchIt(address, { lockFile, refresh: true })).rejects.toMatchObject({ code: "model-invalid" });
    await fetchIt(address, { refresh: true });
    await expect(fetchIt(address, { lockFile })).rejects.toMatchObject({
      code: "model-invalid",
      reason: expect.stringContaining("graft.lock"),
    });
  });

  it("keeps the entries of others, whoever writes at the same time, and refuses a damaged file", async () => {
    const lockFile = join(folder, "graft.lock");
    server.serve("/a.h5", model);
    const fetched = await fetchIt(`${server.address}/a.h5`);
    const addresses = Array.from({ length: 8 }, (_, at) => `https://example.org/${at}.h5`);
    await Promise.all(addresses.map((url) => pin({ kind: "url", url }, fetched, lockFile)));
    expect([...(await readLock(lockFile)).keys()]).toEqual(addresses);
    writeFileSync(lockFile, readFileSync(lockFile, "utf8").replace(sha256Of(model), "none"));
    await expect(readLock(lockFile)).rejects.toMatchObject({ code: "usage", path: [lockFile, addresses[0]] });
    writeFileSync(lockFile, '{"version":2}');
    await expect(readLock(lockFile)).rejects.toMatchObject({ code: "usage", expected: "1" });
  });
});

describe("searchModels", () => {
  it("gives rows of one kind, and reports a hub that does not answer", async () => {
    server.serveJson("/api/models", [
      { id: "org/name", downloads: 5, pipeline_tag: "image-classification", tags: ["onnx", "license:mit"] },
      { id: "org/more", downloads: 9, tags: ["keras"] },
      { id: "../evil", downloads: 99, tags: [] },
    ]);
    server.serveJson("/api/v1/models/list", {
      models: [
        {
          ref: "google/mobilenet-v2",
          title: "Mobile\u001b[31mNet",
          instances: [
            { slug: "100-224", framework: "MODEL_FRAMEWORK_TENSOR_FLOW_2", licenseName: "Apache 2.0" },
            { slug: "torch", framework: "PyTorch" },
          ],
        },
      ],
    });
    const { models, failures } = await searchModels({ words: "mobilenet", task: "image" }, { pause: 1 });
    expect(failures).toEqual([]);
    expect(models.map(({ handle, formats, license }) => [handle, formats, license])).toEqual([
      ["hf:org/more", ["Keras"], undefined],
      ["hf:org/name", ["ONNX"], "mit"],
      ["kaggle:google/mobilenet-v2/tensorFlow2/100-224", ["SavedModel"], "Apache 2.0"],
    ]);
    expect(models[2]?.title).toBe("Mobile [31mNet");
    expect(models.every(({ handle }) => parseHandle(handle).kind !== "path")).toBe(true);
    server.misbehave("/api/v1", { kind: "status", status: 403 });
    const less = await searchModels({ words: "x" }, { pause: 1 });
    expect(less.failures.map(({ source }) => source)).toEqual(["kaggle"]);
    expect(less.models).toHaveLength(2);
    expect((await searchModels({ words: "x" }, { offline: true })).failures).toHaveLength(2);
  });
});

describe("cachedModels", () => {
  it("lists what is in all caches with its size, by handles that fetch it without a network", async () => {
    mkdirSync(join(folder, "keras/models"), { recursive: true });
    writeFileSync(join(folder, "keras/models/weights.h5"), model);
    const tfHub = "https://tfhub.dev/google/x/1";
    const unpacked = join(folder, "tfhub", createHash("sha1").update(tfHub).digest("hex"));
    mkdirSync(unpacked, { recursive: true });
    writeFileSync(join(unpacked, "saved_model.pb"), "1234");
    writeFileSync(`${unpacked}.descriptor.txt`, `Module: ${tfHub}\nDownload Time: now\n`);
    server.serveRepository("org/name", COMMIT, { "model.onnx": model });
    await fetchIt("hf:org/name");
    server.serveVariation("a/b/keras/c", 2, model, { files: ["model.keras"] });
    await fetchIt("kaggle:a/b/keras/c");
    const models = await cachedModels();
    expect(models.map(({ handle, cache }) => [cache, handle])).toEqual([
      ["keras", join(folder, "keras/models/weights.h5")],
      ["tfhub", tfHub],
      ["hf", "hf:org/name"],
      ["graft", "kaggle:a/b/keras/c/2"],
    ]);
    expect(models.map(({ bytes }) => bytes >= 4)).toEqual([true, true, true, true]);
    expect(models[2]?.bytes).toBe(model.length);
    for (const { handle } of models) await fetchIt(handle, { offline: true });
  });
});
