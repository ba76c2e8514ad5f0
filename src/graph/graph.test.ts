import { describe, expect, it } from "vitest";
import { float32, tensorOf } from "../tensor/index.ts";
import {
  Builder,
  capturesOf,
  consumersOf,
  type Graph,
  mapGraph,
  type Node,
  operators,
  printGraph,
  schemaOf,
  type Typing,
  usesOf,
  type Value,
  verify,
} from "./index.ts";

/** Types nothing: what the graph room does must not depend on inference. */
const untyped: Typing = {
  declare: () => undefined,
  infer: () => [],
  observe: () => undefined,
  constantOf: () => undefined,
};

function linear(): { readonly graph: Graph; readonly x: Value; readonly w: Value; readonly y: Value } {
  const build = new Builder(untyped);
  const x = build.input("x", "float32", ["N", 4]);
  const w = build.constant(float32([4, 2], new Float32Array(8)), "w");
  const y = build.apply("Gemm", [x, w], { alpha: 2, transA: false }, "y");
  return { graph: build.graph([y], "main"), x, w, y };
}

/** if (condition) then x + 1 else x, where both branches capture x. */
function conditional(): { readonly graph: Graph; readonly x: Value; readonly branchOf: () => Graph } {
  const outer = new Builder(untyped);
  const condition = outer.input("condition", "bool", []);
  const x = outer.input("x", "float32", [2]);
  const inner = new Builder(untyped);
  const one = inner.constant(float32([], Float32Array.of(1)), "one");
  const thenBranch = inner.graph([inner.apply("Add", [x, one], {}, "sum")], "then");
  const other = new Builder(untyped);
  const elseBranch = other.graph([other.apply("Identity", [x], {}, "same")], "else");
  const y = outer.apply("If", [condition], { thenBranch, elseBranch }, "y");
  return { graph: outer.graph([y], "main"), x, branchOf: () => thenBranch };
}

describe("graphs", () => {
  it("print a line a value, attributes where they differ from ONNX's defaults", () => {
    expect(printGraph(linear().graph)).toMatchInlineSnapshot(`
      "graph main(x: float32[N, 4]) -> y
        w: float32[4, 2] = [0, 0, 0, 0, 0, 0, 0, 0]
        y: ?[…] = Gemm(x, w) {alpha: 2}"
    `);
  });

  it("print their subgraphs indented", () => {
    expect(printGraph(conditional().graph)).toMatchInlineSnapshot(`
      "graph main(condition: bool[], x: float32[2]) -> y
        y: ?[…] = If(condition)
          graph then() -> sum
            one: float32[] = 1
            sum: ?[…] = Add(x, one)
          graph else() -> same
            same: ?[…] = Identity(x)"
    `);
  });

  it("know what their subgraphs capture", () => {
    const { graph, x, branchOf } = conditional();
    expect([...capturesOf(branchOf())]).toEqual([x]);
    expect(usesOf(graph.nodes[0] as Node).map(({ name }) => name)).toEqual(["condition", "x", "x"]);
    expect(consumersOf(graph).get(x)).toEqual(graph.nodes);
  });

  it("are mapped with their subgraphs", () => {
    const { graph, x } = conditional();
    const z: Value = { ...x, name: "z" };
    const mapped = mapGraph(graph, (value) => (value === x ? z : value));
    expect(verify(mapped).inputs[1]).toBe(z);
    expect(printGraph(mapped)).toContain("Add(z, one)");
    expect(printGraph(graph)).toContain("Add(x, one)");
  });

  it("name new values apart, also from those in subgraphs", () => {
    const build = new Builder(untyped, conditional().graph);
    expect(build.unused("sum")).toBe("sum_1");
    expect(build.unused("fresh")).toBe("fresh");
  });

  it("share small equal constants, and tell 0 from -0", () => {
    const build = new Builder(untyped);
    const x = build.input("x", "float32", []);
    expect(build.scalar(1, x)).toBe(build.scalar(1, x));
    expect(build.scalar(0, x)).not.toBe(build.scalar(-0, x));
    expect(build.ints([1])).not.toBe(build.constant(tensorOf("int32", [1], [1])));
  });
});

describe("verify", () => {
  const broken = (change: (parts: ReturnType<typeof linear>) => Partial<Graph>): (() => Graph) => {
    const parts = linear();
    return () => verify({ ...parts.graph, ...change(parts) });
  };

  it("accepts well-formed graphs", () => {
    expect(verify(linear().graph).nodes.length).toBe(1);
    expect(verify(conditional().graph).nodes.length).toBe(1);
  });

  it("refuses a value used before it is defined", () => {
    expect(broken(() => ({ inputs: [] }))).toThrowErrorMatchingInlineSnapshot(
      `[GraftError: graph "main": Gemm "y": value "x": the value is used before it is defined]`,
    );
  });

  it("refuses a value defined twice, and two values of one name", () => {
    expect(broken(({ graph }) => ({ nodes: [...graph.nodes, ...graph.nodes] }))).toThrow(/defined twice/);
    expect(broken(({ graph, x }) => ({ inputs: [...graph.inputs, { ...x }] }))).toThrow(/two values have one name/);
  });

  it("refuses an initializer that is not of its value's type", () => {
    expect(broken(({ w }) => ({ initializers: new Map([[w, float32([3], new Float32Array(3))]]) }))).toThrow(
      /expected float32\[4, 2\], found float32\[3\]/,
    );
  });

  it("refuses the wrong number of inputs", () => {
    expect(
      broken(({ graph, x }) => ({ nodes: graph.nodes.map((node) => ({ ...node, inputs: [x] })) })),
    ).toThrowErrorMatchingInlineSnapshot(
      `[GraftError: graph "main": Gemm "y": the operator has the wrong number of inputs; expected 2 to 3, found 1]`,
    );
  });
});

describe("the vocabulary", () => {
  it("gives every attribute one name in ONNX", () => {
    for (const operator of operators) {
      const names = Object.values<{ name: string }>(schemaOf(operator).attributes).map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});
