/** @file Attributes that operators gained after the canonical operator set. */
import type { Operator } from "../../graph/index.ts";
import type { AttributeProto } from "../proto/onnx_pb.ts";

/** By operator and attribute: whether the value is the default, which says what the older form says. */
const defaults: { readonly [K in Operator]?: Readonly<Record<string, (proto: AttributeProto) => boolean>> } = {
  // Cast 24: how float8e8m0 rounds; the default is the older rounding.
  Cast: { round_mode: isUp },
  CastLike: { round_mode: isUp },
};

function isUp({ s }: AttributeProto): boolean {
  return new TextDecoder().decode(s) === "up";
}

/** Whether an attribute the vocabulary does not have says nothing beyond it. */
export function isIgnorable(operator: Operator, name: string, proto: AttributeProto): boolean {
  return defaults[operator]?.[name]?.(proto) ?? false;
}
