/** @file Shape arithmetic: the elements of small arrays of numbers, followed through the operators that compute shapes. */
import type { Node } from "../graph/index.ts";
import { type Dimension, isReadable, numbersOf, type Tensor } from "../tensor/index.ts";
import type { Known } from "./rule.ts";

/** Arrays with more elements are not followed: no shape has as many. */
export const mostElements = 1024;

export function elementsOfTensor(tensor: Tensor): readonly Dimension[] | undefined {
  if (tensor.data.length > mostElements || !isReadable(tensor.dtype)) return undefined;
  return numbersOf(tensor);
}

export function elementsAfter(_node: Node, _known: Known): readonly Dimension[] | undefined {
  return undefined;
}
