/** @file The grammar of graphs: what must hold after every pass, whatever the operators mean. */
import { areCompatible, GraftError, showShape } from "../tensor/index.ts";
import { describeNode, type Graph, type Node, type Value } from "./graph.ts";
import { schemaOf } from "./operators.ts";
import type { Arity } from "./schema.ts";
import { definitionsOf, subgraphsOf } from "./visit.ts";

/**
 * Throws when the graph is not well formed: a value defined twice or used before its definition, two values of one name,
 * an operator with too few or too many inputs or outputs, an initializer that is not of its value's type.
 * Returns the graph, so that passes can end with it.
 */
export function verify(graph: Graph): Graph {
  verifyScope(graph, new Map());
  return graph;
}

/** `scope` holds the values of the graphs around, and again only those afterwards: a copy each would make it quadratic. */
function verifyScope(graph: Graph, scope: Map<string, Value>): void {
  const own: string[] = [];
  const define = (value: Value, where: string) => {
    const known = scope.get(value.name);
    if (known !== undefined) {
      throw invalid(graph, where, known === value ? "the value is defined twice" : "two values have one name", value);
    }
    scope.set(value.name, value);
    own.push(value.name);
  };
  const use = (value: Value, where: string) => {
    if (scope.get(value.name) !== value) throw invalid(graph, where, "the value is used before it is defined", value);
  };

  const inputs = new Set(graph.inputs);
  for (const input of inputs) define(input, "inputs");
  for (const [value, tensor] of graph.initializers) {
    // An initializer may give a graph input its default.
    if (!inputs.has(value)) define(value, "initializers");
    if (value.dtype !== tensor.dtype || !areCompatible(value.shape ?? tensor.shape, tensor.shape)) {
      throw new GraftError("model-invalid", "the initializer is not of its value's type", {
        path: [`graph "${graph.name}"`, `value "${value.name}"`],
        expected: `${value.dtype}${showShape(value.shape)}`,
        actual: `${tensor.dtype}${showShape(tensor.shape)}`,
      });
    }
  }
  for (const node of graph.nodes) {
    const where = describeNode(node);
    verifyArity(graph, node, where);
    for (const input of node.inputs) if (input !== undefined) use(input, where);
    for (const subgraph of subgraphsOf(node)) verifyScope(subgraph, scope);
    for (const output of definitionsOf(node)) define(output, where);
  }
  for (const output of graph.outputs) use(output, "outputs");
  for (const name of own) scope.delete(name);
}

function verifyArity(graph: Graph, node: Node, where: string): void {
  if (node.kind === "foreign") return;
  const { inputs, outputs } = schemaOf(node.operator);
  check("inputs", node.inputs, inputs);
  check("outputs", node.outputs, outputs);
  for (let index = 0; index < inputs[0]; index++) {
    if (node.inputs[index] === undefined && !mayOmit(node)) {
      throw new GraftError("model-invalid", `input ${index} is missing`, { path: [`graph "${graph.name}"`, where] });
    }
  }

  function check(what: string, values: readonly unknown[], [minimum, maximum]: Arity): void {
    if (values.length >= minimum && values.length <= maximum) return;
    throw new GraftError("model-invalid", `the operator has the wrong number of ${what}`, {
      path: [`graph "${graph.name}"`, where],
      expected: minimum === maximum ? `${minimum}` : `${minimum} to ${maximum}`,
      actual: `${values.length}`,
    });
  }
}

/** Loop's trip count and condition may be left out although inputs follow them. */
function mayOmit(node: Node): boolean {
  return subgraphsOf(node).length > 0;
}

function invalid(graph: Graph, where: string, reason: string, value: Value): GraftError {
  return new GraftError("model-invalid", reason, { path: [`graph "${graph.name}"`, where, `value "${value.name}"`] });
}
