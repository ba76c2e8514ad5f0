import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GraftError } from "../tensor/index.ts";
import { externalDataBeside } from "./external-data-node.ts";
import { readModelFile } from "./files-node.ts";
import { ModelProtoSchema, type TensorProto, TensorProtoSchema } from "./proto/onnx_pb.ts";
import { readModel } from "./read.ts";
import { writeModel } from "./write.ts";

let home = "";
let folder = "";

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "graft-external-"));
  folder = join(home, "model");
  mkdirSync(join(folder, "weights"), { recursive: true });
  const bytes = new Uint8Array(Float32Array.of(9, 1, 2, 3).buffer);
  writeFileSync(join(home, "secret"), bytes);
  writeFileSync(join(folder, "good.bin"), bytes);
  writeFileSync(join(folder, "weights", "good.bin"), bytes);
  symlinkSync(join(home, "secret"), join(folder, "link"));
  symlinkSync(join(folder, "good.bin"), join(folder, "inner_link"));
  symlinkSync(home, join(folder, "up"));
  linkSync(join(home, "secret"), join(folder, "hard"));
  execFileSync("sh", ["-c", `mkfifo "${join(folder, "pipe")}"`]);
});

afterAll(() => rmSync(home, { recursive: true }));

function tensorAt(location: string, more: Record<string, string> = { offset: "4", length: "12" }): TensorProto {
  return create(TensorProtoSchema, {
    name: "w",
    dataType: 1,
    dims: [3n],
    dataLocation: 1,
    externalData: Object.entries({ location, ...more }).map(([key, value]) => ({ key, value })),
  });
}

type Model = MessageInitShape<typeof ModelProtoSchema>;

function bytesOf(model: Model): Uint8Array {
  const opsetImport = [{ version: 18n }, { domain: "f", version: 1n }];
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 10n, opsetImport, ...model }));
}

const constantOf = (t: TensorProto) => ({
  opType: "Constant",
  output: ["w"],
  attribute: [{ name: "value", type: 4, t }],
});
const output = [{ name: "w" }];

/** Every place in which a model can keep a tensor. */
const places: readonly (readonly [name: string, model: (tensor: TensorProto) => Model])[] = [
  ["an initializer", (w) => ({ graph: { initializer: [w], output } })],
  ["a Constant", (w) => ({ graph: { node: [constantOf(w)], output } })],
  [
    "a sparse initializer",
    (values) => ({
      graph: {
        sparseInitializer: [{ values, indices: { dataType: 7, dims: [3n], int64Data: [0n, 1n, 2n] }, dims: [3n] }],
        output,
      },
    }),
  ],
  [
    "a subgraph",
    (w) => {
      const branch = { node: [constantOf(w)], output };
      return {
        graph: {
          input: [{ name: "c", type: { value: { case: "tensorType", value: { elemType: 9, shape: {} } } } }],
          node: [
            {
              opType: "If",
              input: ["c"],
              output: ["y"],
              attribute: [
                { name: "then_branch", type: 5, g: branch },
                { name: "else_branch", type: 5, g: branch },
              ],
            },
          ],
          output: [{ name: "y" }],
        },
      };
    },
  ],
  [
    "a function's body",
    (w) => ({
      graph: { node: [{ opType: "f", domain: "f", output: ["w"] }], output },
      functions: [{ name: "f", domain: "f", output: ["w"], node: [constantOf(w)], opsetImport: [{ version: 18n }] }],
    }),
  ],
  [
    "an unknown operator's attribute",
    (t) => ({
      graph: {
        node: [{ opType: "Any", domain: "f", output: ["w"], attribute: [{ name: "data", type: 4, t }] }],
        output,
      },
    }),
  ],
];

function write(name: string, model: Model): string {
  const path = join(folder, name);
  writeFileSync(path, bytesOf(model));
  return path;
}

async function errorOf(work: () => unknown): Promise<GraftError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof GraftError) return error;
    throw error;
  }
  throw new Error("the model was read");
}

describe.each(places)("external data of %s", (_, model) => {
  it("is read from the model's own folder, and written into the model", async () => {
    for (const location of ["good.bin", "weights/good.bin"]) {
      const read = await readModelFile(write("model.onnx", model(tensorAt(location))));
      const again = writeModel(read);
      expect(Buffer.from(again).includes(Buffer.from(Float32Array.of(1, 2, 3).buffer))).toBe(true);
      expect(Buffer.from(again).includes("good.bin")).toBe(false);
    }
  });

  it("is refused when only bytes are given", async () => {
    const error = await errorOf(() => readModel(bytesOf(model(tensorAt("good.bin"))), { path: "model.onnx" }));
    expect(error.message).toContain("keeps data in another file");
    expect(error.path[0]).toBe("model.onnx");
  });

  it.each([
    ["../secret", /not allowed/],
    ["weights/../../secret", /not allowed/],
    ["./good.bin", /not allowed/],
    ["/etc/hostname", /not allowed/],
    ["..\\secret", /not allowed/],
    ["weights\\good.bin", /not allowed/],
    ["C:secret", /not allowed/],
    ["good.bin\0", /not allowed/],
    ["", /not allowed/],
    ["up/secret", /symbolic link/],
    ["link", /symbolic link/],
    ["inner_link", /symbolic link/],
    ["hard", /hard link/],
    ["weights", /no regular file/],
    ["pipe", /no regular file/],
    ["absent", /missing/],
  ])("is not read from %j", async (location, message) => {
    const path = write("model.onnx", model(tensorAt(location)));
    const error = await errorOf(() => readModelFile(path));
    expect(error.message).toMatch(message);
    expect(error.path[0]).toBe(path);
  });

  it.each([
    [{ offset: "-4", length: "12" }, /offset is no whole number/],
    [{ offset: "1e1", length: "12" }, /offset is no whole number/],
    [{ offset: "18446744073709551616", length: "12" }, /offset is no whole number/],
    [{ offset: "9007199254740991", length: "12" }, /place overflows/],
    [{ offset: "8", length: "12" }, /too short/],
    [{ offset: "4", length: "-1" }, /length is no whole number/],
    [{ offset: "4", length: "8" }, /does not fill the tensor's shape/],
  ])("is not read at %j", async (more, message) => {
    const path = write("model.onnx", model(tensorAt("good.bin", more)));
    expect((await errorOf(() => readModelFile(path))).message).toMatch(message);
  });
});

it("counts what is read in all", async () => {
  const path = write("model.onnx", { graph: { initializer: [tensorAt("good.bin")], output } });
  const externalData = externalDataBeside(path, { totalBytes: 8 });
  const bytes = bytesOf({ graph: { initializer: [tensorAt("good.bin")], output } });
  expect((await errorOf(() => readModel(bytes, { path, externalData }))).code).toBe("out-of-resources");
});
