/** @file Shape arithmetic: the elements of small arrays, followed through the operators that compute shapes. */
import type { Node, Operator, OperatorNode, ReduceAttributes, ReductionOperators } from "../graph/index.ts";
import type { Dimension } from "../tensor/index.ts";
import { arithmetic } from "./arithmetic.ts";
import { filled, type KnownArray } from "./arrays.ts";
import { addDimensions, multiplyDimensions } from "./dimension.ts";
import { groupsAlong, rearrangement } from "./rearrangement.ts";
import { reducedShape } from "./reduction.ts";
import { integersOf, type Known } from "./rule.ts";

/** The outputs' elements, in order, `undefined` or left out where they are not known. */
export type ElementRule<K extends Operator> = (
  node: OperatorNode<K>,
  known: Known,
) => readonly (KnownArray | undefined)[];

/** Rules for some operators of a family; the others compute no shapes. */
export type ElementRules<Family> = { readonly [K in keyof Family & Operator]?: ElementRule<K> };

/** Reduces integers; a single element on its own is the result. */
function reduction<K extends "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceSum">(
  combine: (a: Dimension, b: Dimension) => Dimension,
): ElementRule<K> {
  return (node, known) => {
    const x = known.arrayOf(node.inputs[0]);
    const given = node.inputs[1] === undefined ? [] : integersOf(node.inputs[1], known);
    if (x === undefined || given === undefined || (x.dtype !== "int64" && x.dtype !== "int32")) return [];
    // The four share their attributes, which a generic operator does not show.
    const { keepdims, noopWithEmptyAxes }: ReduceAttributes = node.attributes as ReductionOperators["ReduceSum"];
    if (given.length === 0 && noopWithEmptyAxes) return [x];
    const axes = given.length === 0 ? [...x.shape.keys()] : given;
    const groups = groupsAlong(x, axes);
    return [
      filled(x.dtype, reducedShape(x.shape, axes, keepdims), (index) => {
        const [first = null, ...others] = groups?.[index] ?? [];
        return others.reduce(combine, first);
      }),
    ];
  };
}

const extreme = (choose: (a: number, b: number) => number) => (a: Dimension, b: Dimension) =>
  typeof a === "number" && typeof b === "number" ? choose(a, b) : a === b ? a : null;

const elementRules: { readonly [K in Operator]?: ElementRule<K> } = {
  ...arithmetic,
  ...rearrangement,
  ReduceMax: reduction(extreme(Math.max)),
  ReduceMin: reduction(extreme(Math.min)),
  ReduceProd: reduction(multiplyDimensions),
  ReduceSum: reduction(addDimensions),
};

/** The elements of a node's outputs, as far as they follow from what is known of its inputs. */
export function elementsAfter(node: Node, known: Known): readonly (KnownArray | undefined)[] {
  return node.kind === "foreign" ? [] : evaluate(node, known);
}

function evaluate<K extends Operator>(node: OperatorNode<K>, known: Known): readonly (KnownArray | undefined)[] {
  const rule: ElementRule<K> | undefined = elementRules[node.operator];
  return rule?.(node, known) ?? [];
}
