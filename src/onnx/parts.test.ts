import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { concatenated, modelParts } from "./parts.ts";
import { ModelProtoSchema } from "./proto/onnx_pb.ts";

const pocket = readFileSync(resolve(import.meta.dirname, "../../models/pocket.onnx"));

describe("a model in pieces", () => {
  it("is the same bytes as in one", () => {
    const proto = fromBinary(ModelProtoSchema, pocket);
    expect(Buffer.compare(concatenated(modelParts(proto)), toBinary(ModelProtoSchema, proto))).toBe(0);
  });

  it("is so with documentation, metadata, unknown fields, numbers outside raw data, and no graph", () => {
    const proto = create(ModelProtoSchema, {
      irVersion: 8n,
      docString: "a model",
      graph: {
        name: "g",
        docString: "a graph",
        initializer: [
          { name: "raw", dataType: 1, dims: [20_000n], rawData: new Uint8Array(80_000).fill(7), docString: "a weight" },
          { name: "list", dataType: 1, dims: [2n], floatData: [1, 2] },
          { name: "none", dataType: 1, dims: [0n], rawData: new Uint8Array(0) },
        ],
        input: [{ name: "x" }],
      },
      metadataProps: [{ key: "a", value: "b" }],
    });
    const unknown = [{ no: 77, wireType: 2, data: Uint8Array.of(2, 1, 2) }];
    proto.$unknown = unknown;
    if (proto.graph) proto.graph.$unknown = unknown;
    for (const model of [proto, create(ModelProtoSchema, { irVersion: 3n })]) {
      expect(Buffer.compare(concatenated(modelParts(model)), toBinary(ModelProtoSchema, model))).toBe(0);
    }
  });

  it("copies no large weight", () => {
    const weights = new Uint8Array(2 ** 20);
    const proto = create(ModelProtoSchema, { graph: { initializer: [{ name: "w", rawData: weights }] } });
    expect(modelParts(proto)).toContain(weights);
  });
});
