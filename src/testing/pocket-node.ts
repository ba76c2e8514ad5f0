/** @file The base that comes along, in tests: from pixels to features. */
import { readFileSync } from "node:fs";
import { type Builder, definitionsOf, type Value } from "../graph/index.ts";
import { readModel } from "../onnx/index.ts";
import { newBuilder } from "../shapes/index.ts";

/** A graph under construction that takes `image`, uint8 `[N, 128, 128, 3]`, and has pocket's features, `[N, 1280]`. */
export function pocketBuilder(): { readonly build: Builder; readonly features: Value } {
  const { graph } = readModel(readFileSync(new URL("../../models/pocket.onnx", import.meta.url)));
  const build = newBuilder();
  build.reserve([...graph.inputs, ...graph.initializers.keys(), ...graph.nodes.flatMap(definitionsOf)].map(nameOf));
  const [x, features] = [graph.inputs[0], graph.outputs[0]];
  if (x === undefined || features === undefined) throw new Error("pocket.onnx takes or gives nothing");
  const image = build.input("image", "uint8", ["N", 128, 128, 3]);
  const scaled = build.shift(build.scale(build.cast(image, "float32"), 1 / 127.5), -1);
  build.define(x, "Transpose", [scaled], { perm: [0, 3, 1, 2] });
  for (const [value, tensor] of graph.initializers) build.adoptConstant(value, tensor);
  for (const node of graph.nodes) build.adopt(node);
  return { build, features };
}

function nameOf({ name }: Value): string {
  return name;
}
