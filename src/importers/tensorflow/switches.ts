/** @file Conditions as TensorFlow 1 has them: Switch sends a value one way or the other, Merge takes the one that arrives. */
import { dataInputs, parseReference, type SourceNode } from "./graph-source.ts";
import type { Scope } from "./scope.ts";

/** How many nodes are looked at between a Merge and its Switches. */
const mostVisited = 20_000;

/** A way that a Switch sends values: from output 1 when the predicate holds, else from output 0. */
interface Way {
  readonly predicate: string;
  readonly side: boolean;
}

/** The input of a Merge that arrives, where constants decide it; `undefined` where they do not. */
export function liveInput(scope: Scope, merge: SourceNode, depth: number): string | undefined {
  const inputs = dataInputs(merge);
  const arrivals = inputs.map((input) => {
    const ways = waysTo(scope, input);
    const meets = ways.map(({ predicate, side }) => {
      const condition = scope.condition(predicate, depth + 1);
      return condition === undefined ? undefined : condition === side;
    });
    // What comes from no Switch is where a loop begins.
    return meets.length === 0 || meets.includes(undefined) ? undefined : meets.every((meets) => meets);
  });
  if (arrivals.includes(undefined)) return undefined;
  return arrivals.filter((arrives) => arrives).length === 1 ? inputs[arrivals.indexOf(true)] : undefined;
}

/**
 * What a Merge is that data decide: the predicate, and the inputs that arrive when it holds and when it does not;
 * `undefined` for loops and for what is not a plain condition.
 */
export function choiceOf(
  scope: Scope,
  merge: SourceNode,
): { readonly predicate: string; readonly whenTrue: string; readonly whenFalse: string } | undefined {
  const [first, second, third] = dataInputs(merge);
  if (first === undefined || second === undefined || third !== undefined) return undefined;
  const [a, b] = [onlyWay(scope, first), onlyWay(scope, second)];
  if (a === undefined || b === undefined || a.predicate !== b.predicate || a.side === b.side) return undefined;
  const [whenTrue, whenFalse] = a.side ? [first, second] : [second, first];
  return { predicate: a.predicate, whenTrue, whenFalse };
}

function onlyWay(scope: Scope, reference: string): Way | undefined {
  const ways = waysTo(scope, reference);
  const [way] = ways;
  return ways.every((other) => other.predicate === way?.predicate && other.side === way.side) ? way : undefined;
}

/** The sides of the Switches that a value comes through, with its control inputs, as far back as the Merges before it. */
function waysTo(scope: Scope, reference: string): Way[] {
  const ways: Way[] = [];
  const visited = new Set<string>();
  const waiting = [reference];
  for (let next = waiting.pop(); next !== undefined && visited.size < mostVisited; next = waiting.pop()) {
    if (visited.has(next)) continue;
    visited.add(next);
    const { name, output, index } = parseReference(next.replace(/^\^/, ""), scope.function !== undefined);
    const node = scope.nodes.get(name);
    if (node === undefined || node.op === "Merge" || node.op === "RefMerge") continue;
    if (node.op !== "Switch" && node.op !== "RefSwitch") {
      waiting.push(...node.inputs);
      continue;
    }
    const [data, predicate] = node.inputs;
    if (data === undefined || predicate === undefined) continue;
    const side = output === undefined ? index === 1 : output === "output_true";
    ways.push({ predicate: rootOf(scope, predicate), side });
  }
  return visited.size < mostVisited ? ways : [];
}

/** A predicate reaches its Switches through an Identity of its own. */
function rootOf(scope: Scope, predicate: string): string {
  const node = scope.nodes.get(predicate.replace(/:.*$/, ""));
  return node?.op === "Identity" ? (node.inputs[0] ?? predicate) : predicate;
}
