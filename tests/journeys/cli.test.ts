import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { newBuilder, numbersOf, onnxModelOf, tensorOf, writeModel } from "graftwork";
import { nodeRuntime, readModelFile } from "graftwork/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const mobileNet = join(root, "../shared/models/mobilenet_v2_imagenet.onnx");

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as a user does, in a process of its own. */
function graft(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(root, "bin/graft.js"), ...args], { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "graft-journey-"));
  const build = newBuilder();
  const x = build.input("x", "float32", ["N", 3]);
  const w = build.constant(tensorOf("float32", [3, 2], [1, 2, 3, 4, 5, 6]), "w");
  const y = build.apply("Relu", [build.matMul(x, w)], {}, "y");
  writeFileSync(join(folder, "small.onnx"), writeModel(onnxModelOf(build.graph([y], "small"))));
  const blocked = newBuilder();
  const a = blocked.input("a", "float32", [2]);
  const nonZero = blocked.cast(blocked.apply("NonZero", [blocked.exp(a)]), "float32");
  const z = blocked.apply("Exp", [nonZero], {}, "z");
  writeFileSync(join(folder, "blocked.onnx"), writeModel(onnxModelOf(blocked.graph([z], "blocked"))));
  writeFileSync(join(folder, "page.onnx"), "<!DOCTYPE html><html><body>404</body></html>");
  const bomb = newBuilder();
  const size = bomb.ints([2 ** 32]);
  const huge = bomb.apply("ConstantOfShape", [size], {}, "huge");
  writeFileSync(join(folder, "bomb.onnx"), writeModel(onnxModelOf(bomb.graph([huge], "bomb"))));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("graft inspect", () => {
  it("says what goes in, what comes out and how deep gradients reach", async () => {
    const { code, stdout, stderr } = await graft("inspect", "small.onnx");
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "small.onnx: ONNX, IR 8, opset 18, by graftwork, 191 bytes
      inputs
        x: float32[N, 3]
      outputs
        y: float32[N, 2]
      parameters: 6 in 1 tensors (24 bytes); 6 trainable, 0 not, in 2 layers
      operators: MatMul 1, Relu 1
      gradients of y reach 6 parameters in 1 of 1 tensors, down to x
      · It is no base for photos: the model takes no picture (expected one input of floats or bytes with 3 channels: [N, 3, H, W] or [N, H, W, 3], found x float32[N, 3]).
      · Its licence is not known.
      "
    `);
  });

  it("prints one JSON document with its schema", async () => {
    const { stdout } = await graft("inspect", "small.onnx", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      schema: "graftwork/inspect/1",
      inputs: [{ name: "x", dtype: "float32", shape: ["N", 3] }],
      parameters: { tensors: 1, elements: 6, bytes: 24 },
      foreignOperators: [],
      gradients: [{ output: "y", reachesInputs: ["x"], parameters: { elements: 6 }, barriers: [] }],
    });
  });
});

describe("graft gradients", () => {
  it("writes a model that any runtime runs, with dy in and gradients out", async () => {
    const ended = await graft("gradients", "small.onnx", "--output", "y", "--wrt", "x,w", "derived.onnx");
    expect(ended).toEqual({ code: 0, stdout: "", stderr: "" });
    const runtime = await nodeRuntime({ threads: 1 });
    const executable = await runtime.compile(readFileSync(join(folder, "derived.onnx")));
    const outputs = await executable.run({
      x: tensorOf("float32", [1, 3], [1, -1, 1]),
      dy: tensorOf("float32", [1, 2], [1, 10]),
    });
    const numbers = (name: string) => numbersOf(outputs.get(name) ?? tensorOf("float32", [0], []));
    expect(numbers("y")).toEqual([3, 4]);
    expect(numbers("grad:x")).toEqual([21, 43, 65]);
    expect(numbers("grad:w")).toEqual([1, 10, -1, -10, 1, 10]);
  });

  it("names the node and the path where no derivative leads through", async () => {
    const { code, stderr } = await graft("gradients", "blocked.onnx", "--output", "z", "--wrt", "a", "never.onnx");
    expect(code).toBe(2);
    expect(stderr).toContain('"z" does not depend on it');
    expect(existsSync(join(folder, "never.onnx"))).toBe(false);
  });
});

describe("graft convert", () => {
  it("keeps what was there when it fails, and leaves no temporary file", async () => {
    await graft("convert", "small.onnx", "out.onnx");
    const before = readFileSync(join(folder, "out.onnx"));
    const { code, stderr } = await graft("convert", "page.onnx", "out.onnx");
    expect(code).toBe(4);
    expect(stderr).toMatch(/page\.onnx: this is an HTML page, not ONNX/);
    expect(Buffer.compare(readFileSync(join(folder, "out.onnx")), before)).toBe(0);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it.skipIf(!existsSync(mobileNet))("writes a real network that reads back the same", async () => {
    await graft("convert", mobileNet, "mobilenet.onnx");
    const [original, written] = [await readModelFile(mobileNet), await readModelFile(join(folder, "mobilenet.onnx"))];
    expect(Buffer.compare(writeModel(written), writeModel(original))).toBe(0);
  });
});

describe("what goes wrong", () => {
  it.each([
    [
      "a file that is not there",
      ["inspect", "nothing.onnx"],
      2,
      /nothing\.onnx: the file cannot be read; found no such file/,
    ],
    ["a command that does not exist", ["inspekt"], 2, /Did you mean inspect/],
    ["a model that asks for gigabytes", ["inspect", "bomb.onnx"], 4, /bomb\.onnx: .*too large/],
    [
      "an output that is not there",
      ["gradients", "small.onnx", "o.onnx", "--output", "q", "--wrt", "x"],
      2,
      /no value "q"/,
    ],
  ])("ends with its code and says why: %s", async (_, args, code, message) => {
    const ended = await graft(...args);
    expect(ended.stderr).toMatch(message);
    expect(ended.stdout).toBe("");
    expect(ended.code).toBe(code);
  });
});
