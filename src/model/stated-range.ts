/** @file Which values a model takes, as far as its own first operators say: dividing by 255 means that bytes come in. */
import { consumersOf, type Graph, type Node, type Value } from "../graph/index.ts";
import { numbersOf } from "../tensor/index.ts";
import type { ValueRange } from "./base.ts";
import { byteRange } from "./base-ranges.ts";

/** Operators that leave values as they are. */
const passedOver: ReadonlySet<string> = new Set([
  "Cast",
  "CenterCropPad",
  "Concat",
  "Identity",
  "Pad",
  "Reshape",
  "Resize",
  "Slice",
  "Squeeze",
  "Transpose",
  "Unsqueeze",
]);
const mostSteps = 24;

/**
 * The range of a picture's values where the graph begins by making bytes small: a factor below 1/20 before anything else,
 * or deviations above 20 that are divided by. `undefined` where the graph does not say.
 */
export function statedRange(
  graph: Graph,
  picture: Value,
): { readonly range: ValueRange; readonly because: string } | undefined {
  const consumers = consumersOf(graph);
  let value = picture;
  let scale = 1;
  for (let step = 0; step < mostSteps; step++) {
    const readers: readonly Node[] = consumers.get(value) ?? [];
    const [node] = readers;
    const output = node?.outputs[0];
    if (node === undefined || output === undefined || readers.length > 1) break;
    const factor = factorOf(graph, node, value);
    if (factor === undefined) break;
    scale *= factor;
    value = output;
  }
  if (scale > 1 / 20) return undefined;
  return { range: byteRange, because: `it begins by multiplying what comes in by ${Number(scale.toPrecision(3))}` };
}

/** By what a node multiplies the values; 1 where it leaves or only shifts them; `undefined` where it does more. */
function factorOf(graph: Graph, node: Node, value: Value): number | undefined {
  if (node.kind === "foreign") return undefined;
  if (passedOver.has(node.operator)) return node.inputs[0] === value ? 1 : undefined;
  const other = node.inputs.find((input) => input !== undefined && input !== value);
  const tensor = other && graph.initializers.get(other);
  if (tensor === undefined || tensor.dtype === "string" || tensor.data.length > 8) return undefined;
  const numbers = numbersOf(tensor);
  const mean = numbers.reduce((sum, number) => sum + Math.abs(number), 0) / Math.max(1, numbers.length);
  if (node.operator === "Add" || node.operator === "Sub") return 1;
  if (node.operator === "Mul") return mean;
  if (node.operator === "Div" && node.inputs[0] === value && mean > 0) return 1 / mean;
  return undefined;
}
