/** @file From any ONNX model that takes a picture to a base: its input found, its size chosen, cut before its classifier. */
import {
  type Builder,
  definitionsOf,
  type Graph,
  type LayeredGraph,
  type LayerScope,
  mapGraph,
  mapNode,
  showType,
  usesOf,
  type Value,
  verify,
} from "../graph/index.ts";
import { checkResources } from "../onnx/index.ts";
import { cutAfter, foldConstants } from "../passes/index.ts";
import { inferShapes, newBuilder } from "../shapes/index.ts";
import { type Dimension, GraftError, int64Vector, isFloating, numbersOf, type Shape } from "../tensor/index.ts";
import type { Base } from "./base.ts";
import { layersLeft, layersOf, layersWithin } from "./base-layers.ts";
import { dependentOn, findCut, namedCut } from "./cut-finder.ts";

export interface OnnxBaseOptions {
  /** The side of the pictures, where it is not the model's own. */
  readonly imageSize?: number | undefined;
  /** The name of the value, or of the layer, to cut after. Found where it is not given. */
  readonly cut?: string | undefined;
  /** The layers of a graph that came with some. Default: one for each node. */
  readonly layers?: readonly LayerScope[] | undefined;
}

/** What an ONNX file says of itself as a base. */
export interface OnnxBase extends LayeredGraph, Pick<Base, "layout" | "features"> {
  readonly height: number;
  readonly width: number;
  /** Whether it takes the bytes of pictures as they are. */
  readonly takesBytes: boolean;
  /** What its features are, for people. */
  readonly cut: string;
}

const defaultSide = 224;

/**
 * The part of a model from its picture to its features: one float32 input `[N, 3, H, W]` or `[N, H, W, 3]`, one float32
 * output.
 *
 * @throws GraftError `model-refused` where no picture goes in, where other inputs are needed, or where the model cannot
 *   take several pictures at once; `usage` for an image size or a cut that it does not have
 */
export function onnxBase(original: Graph, { imageSize, cut, layers }: OnnxBaseOptions = {}): OnnxBase {
  const picture = findPicture(original);
  const size = sizeOf(picture, imageSize);
  const typed = withSize(original, picture, size, imageSize === undefined ? undefined : `${imageSize}×${imageSize}`);
  const folded = foldConstants(typed);
  const input = folded.inputs.find(({ name }) => name === picture.value.name) ?? picture.value;
  const named = layers?.find(({ name }) => name === cut)?.output ?? cut;
  const found = named === undefined ? findCut(folded, input) : namedCut(folded, input, named);
  const part = cutAfter(folded, [found.value]);
  const others = part.inputs.filter((value) => value !== input && !part.initializers.has(value));
  if (others.length > 0) {
    throw new GraftError("model-refused", "the features need more than the picture", {
      actual: `also ${others.map((each) => `${each.name} ${showType(each)}`).join(", ")}`,
      hint: "give a model that takes pictures only",
    });
  }
  const constant = { ...part, inputs: [input] };
  const graph = verify(withFloatPorts(withoutTokens(constant, size)));
  checkResources({ graph });
  const [output] = graph.outputs;
  return {
    graph,
    layers: layers === undefined ? layersOf(graph) : layersLeft(graph, layers),
    layout: picture.layout,
    height: size[0],
    width: size[1],
    features: featuresOf(output, picture.layout),
    takesBytes: picture.value.dtype === "uint8",
    cut: found.reason,
  };
}

/**
 * The whole model, for any number of pictures of this size. Default: its own, which may be open. What takes one value that
 * is no picture stays as it is.
 *
 * @throws GraftError `usage` for a size that it does not take; `model-refused` where a picture is not all that it takes,
 *   or where it cannot take several at once
 */
export function wholeModel(
  { graph, layers }: LayeredGraph,
  size?: readonly [number, number],
): LayeredGraph & Pick<Base, "layout"> {
  const [only, second] = graph.inputs.filter((value) => !graph.initializers.has(value));
  if (only !== undefined && second === undefined && only.shape?.length !== 4) {
    return { graph, layers, layout: "channels_last" };
  }
  const picture = findPicture(graph);
  const { value, layout } = picture;
  const [height = "height", width = "width"] = value.shape?.slice(layout === "channels_first" ? 2 : 1) ?? [];
  const typed = withSize(graph, picture, size ?? [height, width], size?.join("×"));
  return { graph: typed, layers: layersWithin(typed, layers), layout };
}

interface Picture {
  readonly value: Value;
  readonly layout: Base["layout"];
}

const pictureTypes: ReadonlySet<unknown> = new Set(["float32", "float16", "float64", "bfloat16", "uint8"]);

/** The one input of rank 4 that may hold three channels. */
function findPicture(graph: Graph): Picture {
  const inputs = graph.inputs.filter((value) => !graph.initializers.has(value));
  const pictures = inputs.flatMap((value): Picture[] => {
    const layout = pictureTypes.has(value.dtype) ? layoutOf(graph, value) : undefined;
    return layout === undefined ? [] : [{ value, layout }];
  });
  const [picture, second] = pictures;
  if (picture !== undefined && second === undefined) return picture;
  throw new GraftError("model-refused", picture ? "the model takes several pictures" : "the model takes no picture", {
    expected: "one input of floats or bytes with 3 channels: [N, 3, H, W] or [N, H, W, 3]",
    actual: inputs.map((each) => `${each.name} ${showType(each)}`).join(", ") || "no inputs",
  });
}

/** By where the 3 is; where sizes are open, by what first reads the picture. */
function layoutOf(graph: Graph, value: Value): Base["layout"] | undefined {
  const { shape } = value;
  if (shape?.length !== 4) return undefined;
  const [, first, , last] = shape;
  if (first === 3) return "channels_first";
  if (last === 3) return "channels_last";
  const mayBe = (size: Dimension | undefined) => typeof size !== "number";
  const reader = graph.nodes.find((node) => node.inputs[0] === value);
  const isTransposed = reader?.operator === "Transpose";
  if (mayBe(last) && isTransposed) return "channels_last";
  if (mayBe(first) && !isTransposed) return "channels_first";
  return mayBe(last) ? "channels_last" : undefined;
}

function sizeOf({ value, layout }: Picture, asked: number | undefined): readonly [number, number] {
  if (asked !== undefined && !(Number.isSafeInteger(asked) && asked >= 1 && asked <= 4096)) {
    throw new GraftError("usage", "an image size is a whole number of pixels", { actual: `${asked}` });
  }
  const sides = value.shape?.slice(layout === "channels_first" ? 2 : 1).slice(0, 2) ?? [];
  const side = (size: Dimension | undefined) => asked ?? (typeof size === "number" ? size : defaultSide);
  return [side(sides[0]), side(sides[1])];
}

/** The graph typed for pictures of this size and any number of them, or the reason why it takes none such. */
function withSize(
  graph: Graph,
  { value, layout }: Picture,
  [height, width]: readonly [Dimension, Dimension],
  asked?: string,
): Graph {
  const shapeFor = (batch: Dimension): Shape =>
    layout === "channels_first" ? [batch, 3, height, width] : [batch, height, width, 3];
  const infer = (from: Graph, batch: Dimension) => inferShapes(from, { inputs: { [value.name]: shapeFor(batch) } });
  const batch = value.shape?.[0];
  const flexible = typeof batch === "number" ? withOpenBatch(graph, value, batch) : graph;
  try {
    infer(flexible, typeof batch === "number" ? batch : 1);
  } catch (cause) {
    throw asked === undefined ? cause : wrongSize(value, asked, cause);
  }
  try {
    const two = infer(flexible, 2);
    if (two.outputs.every(({ shape }) => shape === undefined || shape[0] !== batch || batch === 2))
      return infer(flexible, "N");
  } catch (cause) {
    throw fixedBatch(value, cause);
  }
  throw fixedBatch(value, undefined);
}

function wrongSize(value: Value, asked: string, cause: unknown): GraftError {
  return new GraftError("usage", `the model does not take pictures of ${asked}`, {
    expected: `input "${value.name}" ${showType(value)}`,
    ...(cause instanceof GraftError ? { actual: cause.message } : {}),
    hint: "leave the image size out: only models without fixed sizes inside take others",
    cause,
  });
}

function fixedBatch(value: Value, cause: unknown): GraftError {
  return new GraftError("model-refused", "the model takes a fixed number of pictures at once", {
    expected: "any number of them",
    actual: `input "${value.name}" ${showType(value)}${cause instanceof GraftError ? `; ${cause.message}` : ""}`,
    hint: "export it with a dynamic batch size",
    cause,
  });
}

/**
 * What an export wrote for a batch of a fixed number, for any: reshapes copy the batch from what they reshape; constants
 * that are joined to each picture's own, such as a class token, are repeated.
 */
function withOpenBatch(graph: Graph, picture: Value, batch: number): Graph {
  const typed = foldConstants(inferShapes(graph));
  const input = typed.inputs.find(({ name }) => name === picture.name) ?? picture;
  const dependent = dependentOn(typed, input);
  const build = newBuilder({ ...typed, nodes: [] });
  build.reserve(typed.nodes.flatMap((node) => definitionsOf(node).map(({ name }) => name)));
  const isOfBatch = (value: Value | undefined) => value?.shape?.[0] === batch;
  for (const node of typed.nodes) {
    const [data, target] = node.inputs;
    const sizes = target && typed.initializers.get(target);
    if (
      node.kind === "operator" &&
      node.operator === "Reshape" &&
      data !== undefined &&
      sizes !== undefined &&
      isOfBatch(data)
    ) {
      const [first, ...rest] = numbersOf(sizes);
      if (first === batch && !rest.includes(0)) {
        const open = build.constant(int64Vector([0, ...rest]), `${node.outputs[0]?.name ?? "reshape"}/shape`);
        build.adopt({ ...node, inputs: [data, open], attributes: { ...node.attributes, allowzero: false } });
        continue;
      }
    }
    const own = node.inputs.find((value) => value !== undefined && dependent.has(value));
    if (node.kind === "operator" && node.operator === "Concat" && node.attributes.axis !== 0 && batch === 1 && own) {
      const inputs = node.inputs.map((value) =>
        value !== undefined && !dependent.has(value) && isOfBatch(value) ? repeated(build, value, own) : value,
      );
      build.adopt({ ...node, inputs });
    } else build.adopt(node);
  }
  return build.graph(typed.outputs);
}

/** A constant `[1, …]` once for each picture of `like`. */
function repeated(build: Builder, value: Value, like: Value): Value {
  const rest = (value.shape ?? []).slice(1).map(() => 1);
  const count = build.apply("Shape", [like], { start: 0, end: 1 });
  return build.expand(value, build.concat([count, build.ints(rest)], 0));
}

/**
 * Tokens `[N, tokens, features]` of a transformer as features of a picture: the class token, which comes first, where
 * there is one token more than patches fill a grid (two, in distilled models); otherwise their mean, which those who
 * read maps take by themselves.
 */
function withoutTokens(graph: Graph, [height, width]: readonly [number, number]): Graph {
  const [output] = graph.outputs;
  const [, tokens, features] = output?.shape ?? [];
  if (output?.shape?.length !== 3 || typeof tokens !== "number" || typeof features !== "number") return graph;
  const isGrid = (count: number) => {
    const patch = Math.sqrt((height * width) / count);
    return Number.isInteger(patch) && height % patch === 0 && width % patch === 0;
  };
  if (isGrid(tokens) || !(isGrid(tokens - 1) || isGrid(tokens - 2))) return graph;
  const build = newBuilder(graph);
  const first = build.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(0n) }, "class_token/index");
  return build.graph([build.gather(output, first, 1)]);
}

/** A float32 input and a float32 output, whatever the model has: it is cast inside. */
function withFloatPorts(graph: Graph): Graph {
  const [input] = graph.inputs;
  const [output] = graph.outputs;
  if (input === undefined || output === undefined) return graph;
  if (input.dtype === "float32" && output.dtype === "float32") return graph;
  if (output.dtype !== undefined && !isFloating(output.dtype)) {
    throw new GraftError("usage", "the features are no floating-point numbers", {
      path: [`value "${output.name}"`],
      actual: output.dtype,
      hint: "cut it elsewhere with --cut",
    });
  }
  const names = new Set(
    graph.nodes.flatMap((node) => [...definitionsOf(node), ...usesOf(node)]).map(({ name }) => name),
  );
  let inner = `${input.name}/cast`;
  while (names.has(inner)) inner += "_";
  const cast: Value = { ...input, name: inner };
  const renamed = mapGraph(graph, (value) => (value === input ? cast : value));
  const build: Builder = newBuilder({ ...renamed, inputs: [], nodes: [] });
  build.reserve([...names, inner]);
  const outer: Value = { ...input, dtype: "float32" };
  build.adoptInput(outer);
  if (input.dtype !== undefined) build.define(cast, "Cast", [outer], { to: input.dtype });
  for (const node of renamed.nodes) build.adopt(mapNode(node, (value) => value));
  const [result = output] = renamed.outputs;
  return build.graph([build.cast(result, "float32")], graph.name);
}

function featuresOf(output: Value | undefined, layout: Base["layout"]): number {
  const shape = output?.shape;
  const isLast = shape?.length === 3 || (shape?.length === 4 && layout === "channels_last" && shape[1] === shape[2]);
  const features = isLast ? shape?.at(-1) : shape?.[1];
  if (shape !== undefined && shape.length >= 2 && shape.length <= 4 && typeof features === "number") return features;
  throw new GraftError("usage", "the value at the cut is no features", {
    path: [`value "${output?.name ?? ""}"`],
    expected: "[N, features], a map or tokens, with known sizes",
    actual: output === undefined ? "nothing" : showType(output),
    hint: "cut it elsewhere with --cut",
  });
}
