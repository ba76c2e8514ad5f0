/** @file The artifact: a classifier as one ONNX file that says everything about itself. */
import { type Graph, verify } from "../graph/index.ts";
import { checkResources, type OnnxModel, onnxModelOf, readModel, writeModel } from "../onnx/index.ts";
import { GraftError } from "../tensor/index.ts";
import { type ArtifactMetadata, parseMetadata } from "./artifactMetadata.ts";
import { classifierPorts } from "./classifierGraph.ts";

/** The key of the JSON document in the file's `metadata_props`. */
export const documentKey = "graftwork";

export interface Artifact {
  readonly model: OnnxModel;
  readonly metadata: ArtifactMetadata;
}

/**
 * The bytes of a classifier's file: the graph of `classifierGraph`, and in its `metadata_props` the metadata as one JSON
 * document under `graftwork`, with `task` and `classes` (a JSON array) under keys of their own for other people's tools.
 * The same graph and metadata give the same bytes.
 *
 * @throws GraftError `usage` where the metadata does not fit its schema or the graph
 */
export function writeArtifact(graph: Graph, metadata: ArtifactMetadata): Uint8Array<ArrayBuffer> {
  // What is written must be readable, and its fields stand in one order: the same check, in the name of who wrote it.
  const checked = parseMetadata(JSON.stringify(metadata), "usage");
  const document = JSON.stringify(checked);
  checkPorts(graph, checked, "usage");
  return writeModel(
    onnxModelOf(verify(graph), {
      producerVersion: metadata.versions.graftwork,
      metadata: new Map([
        [documentKey, document],
        ["task", metadata.task],
        ["classes", JSON.stringify(metadata.classes)],
      ]),
    }),
  );
}

/**
 * A classifier's file, read and checked as a stranger's. `path` is its name in messages.
 *
 * @throws GraftError `model-invalid` or `model-refused` as `readModel`; `model-invalid` for an ONNX file that is no
 *   artifact, or one whose metadata do not fit their schema or its graph
 */
export function readArtifact(bytes: Uint8Array, path = "the model"): Artifact {
  const model = readModel(bytes, { path });
  const document = model.metadata.get(documentKey);
  if (document === undefined) {
    throw new GraftError("model-invalid", "this ONNX file is not a classifier of Graftwork", {
      path: [path],
      expected: `metadata_props with a document "${documentKey}"`,
      hint: "give the model.onnx that `graft train` wrote",
    });
  }
  try {
    const metadata = parseMetadata(document, "model-invalid");
    checkPorts(model.graph, metadata, "model-invalid");
    checkResources({ graph: model.graph });
    return { model, metadata };
  } catch (error) {
    throw error instanceof GraftError ? error.at(path) : error;
  }
}

/** Whether the graph takes the pictures and says the classes that the metadata promise. */
function checkPorts(graph: Graph, { classes, pixels }: ArtifactMetadata, code: "usage" | "model-invalid"): void {
  const inputs = graph.inputs.filter((input) => !graph.initializers.has(input));
  const [image] = inputs;
  const [, ...picture] = image?.shape ?? [];
  const expected = [pixels.height, pixels.width, 3];
  const isPicture =
    inputs.length === 1 &&
    image?.name === classifierPorts.image &&
    (image.dtype === "uint8" || image.dtype === "float32") &&
    expected.length === picture.length &&
    expected.every((size, axis) => size === picture[axis]);
  if (!isPicture) {
    throw new GraftError(code, "the graph does not take the pictures its metadata promise", {
      expected: `one input "${classifierPorts.image}" of uint8 or float32 [N, ${expected.join(", ")}]`,
      actual: inputs.map(({ name, dtype, shape }) => `"${name}" of ${dtype} [${shape?.join(", ")}]`).join(", "),
    });
  }
  for (const name of [classifierPorts.probabilities, classifierPorts.logits]) {
    const output = graph.outputs.find((each) => each.name === name);
    if (output?.dtype === "float32" && output.shape?.length === 2 && output.shape[1] === classes.length) continue;
    throw new GraftError(code, "the graph does not say the classes its metadata promise", {
      path: [`output "${name}"`],
      expected: `float32 [N, ${classes.length}]`,
      actual: output === undefined ? "none of this name" : `${output.dtype} [${output.shape?.join(", ")}]`,
    });
  }
}
