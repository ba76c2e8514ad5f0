/** @file Tests of whole-graph inference: merging with what is declared, binding sizes, graphs inside graphs, long chains. */
import { describe, expect, test } from "vitest";
import { type Graph, type Node, type OperatorNode, printGraph, type Value, verify } from "../graph/index.ts";
import { type DType, GraftError, type Shape, tensorOf } from "../tensor/index.ts";
import { bindDimensions, inferShapes, newBuilder } from "./index.ts";

const value = (name: string, dtype?: DType, shape?: Shape): Value => ({ name, dtype, shape });

function relu(input: Value, output: Value): Node {
  return { kind: "operator", operator: "Relu", name: "", attributes: {}, inputs: [input], outputs: [output] };
}

function graphOf(inputs: readonly Value[], nodes: readonly Node[], outputs: readonly Value[], name = "test"): Graph {
  return { name, inputs, outputs, initializers: new Map(), nodes };
}

describe("inferShapes", () => {
  test("gives every value a type and leaves the given graph as it is", () => {
    const x = value("x", "float32", ["N", 3]);
    const [a, y] = [value("a"), value("y")];
    const graph = graphOf([x], [relu(x, a), relu(a, y)], [y]);
    expect(printGraph(verify(inferShapes(graph)))).toMatchInlineSnapshot(`
      "graph test(x: float32[N, 3]) -> y
        a: float32[N, 3] = Relu(x)
        y: float32[N, 3] = Relu(a)"
    `);
    expect(y.shape).toBeUndefined();
  });

  test("keeps values and nodes that it has nothing to add to", () => {
    const x = value("x", "float32", ["N", 3]);
    const y = value("y", "float32", ["N", 3]);
    const node = relu(x, y);
    const typed = inferShapes(graphOf([x], [node], [y]));
    expect(typed.nodes[0]).toBe(node);
    expect(typed.outputs[0]).toBe(y);
  });

  test("keeps a declared name or number where inference gives nothing", () => {
    const x = value("x", "float32", [null, null]);
    const y = value("y", "float32", ["batch", 5]);
    expect(inferShapes(graphOf([x], [relu(x, y)], [y])).outputs[0]?.shape).toEqual(["batch", 5]);
  });

  test("believes the inputs where a declared shape contradicts them", () => {
    const x = value("x", "float32", [2, 3]);
    for (const wrong of [[2, 4], ["N"]]) {
      const y = value("y", "float32", wrong);
      expect(inferShapes(graphOf([x], [relu(x, y)], [y])).outputs[0]?.shape).toEqual([2, 3]);
    }
  });

  test("names the node and both types where element types, or in strict mode shapes, contradict", () => {
    const x = value("x", "float32", [2, 3]);
    const [y, z] = [value("y", "float32", [2, 4]), value("z", "int64", [2, 3])];
    expect(() => inferShapes(graphOf([x], [relu(x, z)], [z]))).toThrow(`Relu "z": value "z": the declared type`);
    expect(() => inferShapes(graphOf([x], [relu(x, y)], [y]), { strict: true })).toThrowErrorMatchingInlineSnapshot(
      `[GraftError: Relu "y": value "y": the declared type contradicts the inputs; expected float32[2, 3], found float32[2, 4]]`,
    );
  });

  test("puts numbers in place of names", () => {
    const builder = newBuilder();
    const x = builder.input("x", "float32", ["N", 2, 4]);
    const y = builder.reshape(x, [-1, 8]);
    const graph = builder.graph([y]);
    expect(y.shape).toEqual(["N", 8]);
    expect(bindDimensions(graph, { N: 32 }).outputs[0]?.shape).toEqual([32, 8]);
    expect(() => bindDimensions(graph, { N: 1.5 })).toThrow(`the size of "N" is no whole number`);
  });

  test("takes another shape for an input, whatever is declared behind it", () => {
    const x = value("x", "float32", [1, 3]);
    const y = value("y", "float32", [1, 3]);
    const graph = graphOf([x], [relu(x, y)], [y]);
    expect(inferShapes(graph, { inputs: { x: ["N", 7] } }).outputs[0]?.shape).toEqual(["N", 7]);
    expect(() => inferShapes(graph, { inputs: { z: [1] } })).toThrow(`the graph has no input "z"`);
  });

  test("walks a chain of 300,000 nodes without recursion", () => {
    let last = value("x0", "float32", ["N"]);
    const first = last;
    const nodes: Node[] = [];
    for (let index = 1; index <= 300_000; index++) {
      const next = value(`x${index}`);
      nodes.push(relu(last, next));
      last = next;
    }
    expect(inferShapes(graphOf([first], nodes, [last])).outputs[0]?.shape).toEqual(["N"]);
  });
});

describe("graphs inside graphs", () => {
  const condition = value("c", "bool", []);
  const branch = (input: Value, name: string, nodes = 1): Graph => {
    const outputs = Array.from({ length: nodes }, (_, index) => value(`${name}${index}`));
    return graphOf(
      [],
      outputs.map((output, index) => relu(outputs[index - 1] ?? input, output)),
      outputs.slice(-1),
      name,
    );
  };
  const choose = (test: Value, thenBranch: Graph, elseBranch: Graph, output: Value): OperatorNode<"If"> => ({
    kind: "operator",
    operator: "If",
    name: "",
    attributes: { thenBranch, elseBranch },
    inputs: [test],
    outputs: [output],
  });

  test("an If has what its branches have in common", () => {
    const [a, b, y] = [value("a", "float32", [2, 3]), value("b", "float32", [2, 4]), value("y")];
    const graph = graphOf([condition, a, b], [choose(condition, branch(a, "p"), branch(b, "q", 2), y)], [y]);
    expect(printGraph(verify(inferShapes(graph)))).toMatchInlineSnapshot(`
      "graph test(c: bool[], a: float32[2, 3], b: float32[2, 4]) -> y
        y: float32[2, ?] = If(c)
          graph p() -> p0
            p0: float32[2, 3] = Relu(a)
          graph q() -> q1
            q0: float32[2, 4] = Relu(b)
            q1: float32[2, 4] = Relu(q0)"
    `);
  });

  test("a branch that never runs may be nonsense", () => {
    const [a, sizes, bad, y] = [value("a", "float32", [2, 3]), value("s", "int64", [1]), value("bad"), value("y")];
    const never = value("never", "bool", []);
    const nonsense: Node = {
      kind: "operator",
      operator: "Expand",
      name: "",
      attributes: {},
      inputs: [a, sizes],
      outputs: [bad],
    };
    const graph: Graph = {
      ...graphOf([a], [choose(never, graphOf([], [nonsense], [bad], "p"), branch(a, "q"), y)], [y]),
      initializers: new Map([
        [never, tensorOf("bool", [], [0])],
        [sizes, tensorOf("int64", [1], [-7])],
      ]),
    };
    expect(inferShapes(graph).outputs[0]?.shape).toEqual([2, 3]);
  });

  const loop = (body: Graph, inputs: readonly (Value | undefined)[], outputs: readonly Value[]): Node => ({
    kind: "operator",
    operator: "Loop",
    name: "",
    attributes: { body },
    inputs,
    outputs,
  });

  function loopGraph(next: (state: Value, output: Value) => Node): Graph {
    const [iteration, goOn, state] = [value("i"), value("go"), value("state")];
    const [after, trips, x] = [value("after"), value("trips", "int64", []), value("x", "float32", ["N", 3])];
    const body = graphOf([iteration, goOn, state], [next(state, after)], [goOn, after, after], "body");
    const [last, rows] = [value("last"), value("rows")];
    return {
      ...graphOf([x], [loop(body, [trips, undefined, x], [last, rows])], [last, rows]),
      initializers: new Map([[trips, tensorOf("int64", [], [4])]]),
    };
  }

  test("a Loop keeps the shape of a state that stays, and gathers a row each iteration", () => {
    expect(printGraph(verify(inferShapes(loopGraph(relu))))).toMatchInlineSnapshot(`
      "graph test(x: float32[N, 3]) -> last, rows
        trips: int64[] = 4
        last: float32[N, 3], rows: float32[4, N, 3] = Loop(trips, _, x)
          graph body(i: int64[…], go: bool[…], state: float32[N, 3]) -> go, after, after
            after: float32[N, 3] = Relu(state)"
    `);
  });

  test("a Loop forgets the sizes of a state that grows", () => {
    const growing = (state: Value, output: Value): Node => ({
      kind: "operator",
      operator: "Concat",
      name: "",
      attributes: { axis: 1 },
      inputs: [state, state],
      outputs: [output],
    });
    const [last, rows] = inferShapes(loopGraph(growing)).outputs;
    expect(last?.shape).toEqual(["N", null]);
    expect(rows?.shape).toEqual([4, "N", null]);
  });

  test("a Scan goes along an axis of its inputs", () => {
    const [sum, row, next] = [value("sum"), value("row"), value("next")];
    const add: Node = {
      kind: "operator",
      operator: "Add",
      name: "",
      attributes: {},
      inputs: [sum, row],
      outputs: [next],
    };
    const [start, x] = [value("start", "float32", [3]), value("x", "float32", [3, "T"])];
    const [last, sums] = [value("last"), value("sums")];
    const scan: Node = {
      kind: "operator",
      operator: "Scan",
      name: "",
      attributes: {
        body: graphOf([sum, row], [add], [next, next], "body"),
        numScanInputs: 1,
        scanInputAxes: [1],
        scanInputDirections: undefined,
        scanOutputAxes: [-1],
        scanOutputDirections: undefined,
      },
      inputs: [start, x],
      outputs: [last, sums],
    };
    const typed = inferShapes(graphOf([start, x], [scan], [last, sums]));
    expect(typed.outputs.map(({ shape }) => shape)).toEqual([[3], [3, "T"]]);
  });

  test("an error inside names every node around it", () => {
    const [a, y] = [value("a", "float32", [2, 3]), value("y")];
    const wrong = branch(value("z", "float32", [1]), "p");
    const bad: Graph = { ...wrong, nodes: wrong.nodes.map((node) => ({ ...node, inputs: [] }) as Node) };
    const run = () => inferShapes(graphOf([condition, a], [choose(condition, bad, branch(a, "q"), y)], [y]));
    expect(run).toThrow(GraftError);
    expect(run).toThrow(`If "y": Relu "p0": input 0 is missing`);
  });
});
