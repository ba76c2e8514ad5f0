/** @file The walk: which paths are followed, what adds up, and what stops it. */
import { describe, expect, it } from "vitest";
import { type Builder, type ForeignNode, type Graph, type Node, printGraph, type Value } from "../graph/index.ts";
import { removeDeadNodes } from "../passes/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { type NumericTensor, tensorOf } from "../tensor/index.ts";
import { checkGradient, expectClose, runGraph } from "../testing/index.ts";
import { withGradients } from "./gradients.ts";

const vector = (...numbers: number[]): NumericTensor => tensorOf("float32", [numbers.length], numbers);

/** The graph of y = define(x), x a vector of three. */
function graphOf(define: (b: Builder, x: Value) => Value): Graph {
  const b = newBuilder();
  return b.graph([b.apply("Identity", [define(b, b.input("x", "float32", [3]))], {}, "y")]);
}

async function gradientOf(define: (b: Builder, x: Value) => Value, x: NumericTensor): Promise<NumericTensor> {
  const graph = withGradients(graphOf(define), { output: "y", wanted: ["x"] });
  const gradient = (await runGraph(graph, { x, dy: vector(1, 10, 100) })).get("grad:x");
  if (gradient === undefined || gradient.dtype === "string") throw new Error("grad:x is missing");
  return gradient;
}

/** A node of an operator nobody knows, with one output. */
function foreign(b: Builder, input: Value, dtype: Value["dtype"] = "float32"): Value {
  const output: Value = { name: b.unused("z"), dtype, shape: dtype && [3] };
  const node: ForeignNode = {
    kind: "foreign",
    domain: "com.example",
    operator: "Mystery",
    name: "riddle",
    attributes: [],
    inputs: [input],
    outputs: [output],
  };
  b.adopt(node satisfies Node);
  return output;
}

describe("accumulation", () => {
  it("adds what arrives from several uses", async () => {
    const gradient = await gradientOf((b, x) => b.add(b.mul(x, b.scalar(2, x)), b.exp(x)), vector(0, 0, 0));
    expectClose(gradient, vector(3, 30, 300), 1e-6, "grad:x");
  });

  it("adds both gradients of a value used twice by one node", async () => {
    expectClose(await gradientOf((b, x) => b.mul(x, x), vector(1, 2, 3)), vector(2, 40, 600), 1e-6, "grad:x");
  });

  it("adds up once where a decomposed operator takes a value twice", () =>
    checkGradient({ x: [3, 2, 2], w: [1, 2, 2] }, (b, { x, w }) => b.apply("RNN", [x, w, w], { hiddenSize: 2 }), {
      dtype: "float32",
    }));

  it("gives the cotangent itself for the output itself", async () => {
    const graph = withGradients(
      graphOf((_, x) => x),
      { output: "y", wanted: ["y", "x"] },
    );
    const results = await runGraph(graph, { x: vector(1, 2, 3), dy: vector(4, 5, 6) });
    expectClose(results.get("grad:y"), vector(4, 5, 6), 0, "grad:y");
    expectClose(results.get("grad:x"), vector(4, 5, 6), 0, "grad:x");
  });
});

describe("paths", () => {
  it("are followed only where they lead to a wanted value", () => {
    const b = newBuilder();
    const [x, w, v] = ["x", "w", "v"].map((name) => b.input(name, "float32", [2, 2])) as [Value, Value, Value];
    const hidden = b.apply("Relu", [b.apply("MatMul", [x, w], {}, "xw")], {}, "hidden");
    const graph = b.graph([b.apply("MatMul", [hidden, v], {}, "y")]);
    expect(printGraph(removeDeadNodes(withGradients(graph, { output: "y", wanted: ["v"] })))).toMatchInlineSnapshot(`
      "graph graph(x: float32[2, 2], w: float32[2, 2], v: float32[2, 2], dy: float32[2, 2]) -> y, grad:v
        xw: float32[2, 2] = MatMul(x, w)
        hidden: float32[2, 2] = Relu(xw)
        y: float32[2, 2] = MatMul(hidden, v)
        Gemm: float32[2, 2] = Gemm(hidden, dy) {transA: true}
        grad:v: float32[2, 2] = Identity(Gemm)"
    `);
    expect(printGraph(removeDeadNodes(withGradients(graph, { output: "y", wanted: ["w"] })))).toMatchInlineSnapshot(`
      "graph graph(x: float32[2, 2], w: float32[2, 2], v: float32[2, 2], dy: float32[2, 2]) -> y, grad:w
        constant: float32[] = 0
        xw: float32[2, 2] = MatMul(x, w)
        hidden: float32[2, 2] = Relu(xw)
        y: float32[2, 2] = MatMul(hidden, v)
        Gemm: float32[2, 2] = Gemm(dy, v) {transB: true}
        Greater: bool[2, 2] = Greater(hidden, constant)
        Cast: float32[2, 2] = Cast(Greater) {to: float32}
        Mul: float32[2, 2] = Mul(Gemm, Cast)
        Gemm_1: float32[2, 2] = Gemm(x, Mul) {transA: true}
        grad:w: float32[2, 2] = Identity(Gemm_1)"
    `);
  });

  it("may end at intermediate values, and go on to what they depend on", async () => {
    const graph = withGradients(
      graphOf((b, x) => b.exp(b.apply("Mul", [x, x], {}, "square"))),
      { output: "y", wanted: ["square", "x"] },
    );
    const results = await runGraph(graph, { x: vector(0, 0.5, 1), dy: vector(1, 1, 1) });
    const slopes = [0, 0.5, 1].map((x) => Math.exp(x * x));
    expectClose(results.get("grad:square"), vector(...slopes), 1e-6, "grad:square");
    expectClose(results.get("grad:x"), vector(...slopes.map((slope, i) => slope * i)), 1e-6, "grad:x");
  });

  it("pass by operators without a derivative that lie beside them", () => {
    const graph = graphOf((b, x) => b.mul(x, b.castLike(b.greater(x, b.scalar(0, x)), x)));
    expect(() => withGradients(graph, { output: "y", wanted: ["x"] })).not.toThrow();
  });

  it("give zeros where only operators of zero derivative lead on", async () => {
    expectClose(await gradientOf((b, x) => b.sign(x), vector(1, -2, 3)), vector(0, 0, 0), 0, "grad:x");
  });

  it("give zeros by the shape that a run knows", () =>
    checkGradient(
      { x: { tensor: tensorOf("float64", [2, 2], [0.2, 1.4, 2.6, 3.3]), declared: ["N", 2] } },
      (b, { x }) => b.apply("Floor", [x]),
    ));
});

describe("errors", () => {
  it("name the operator that stops the walk, and the path to it", () => {
    const graph = graphOf((b, x) => b.exp(foreign(b, b.apply("Relu", [x], {}, "hidden"))));
    expect(() => withGradients(graph, { output: "y", wanted: ["x"] })).toThrowErrorMatchingInlineSnapshot(
      `[GraftError: Mystery "riddle": Mystery has no derivative: the operator is unknown here; found it on the path x → Relu "hidden" → Mystery "riddle"; ask for gradients of values after it, or replace the operator]`,
    );
  });

  it("name it too where its output's type is unknown", () => {
    const graph = graphOf((b, x) => b.castLike(b.apply("Exp", [foreign(b, x, undefined)]), x));
    expect(() => withGradients(graph, { output: "y", wanted: ["x"] })).toThrow(/Mystery/);
  });

  it("say that nothing leads to a value", () => {
    const b = newBuilder();
    const [x] = [b.input("x", "float32", [3]), b.input("other", "float32", [3])];
    const graph = b.graph([b.apply("Exp", [x], {}, "y")]);
    expect(() => withGradients(graph, { output: "y", wanted: ["other"] })).toThrowErrorMatchingInlineSnapshot(
      `[GraftError: value "other": "y" does not depend on it through differentiable operators; \`graft inspect\` shows how deep gradients reach]`,
    );
  });
});

describe("size", () => {
  it("walks a chain of fifty thousand nodes in one pass", () => {
    const graph = graphOf((b, x) => {
      let value = x;
      for (let index = 0; index < 50_000; index++) value = b.neg(value);
      return value;
    });
    expect(withGradients(graph, { output: "y", wanted: ["x"] }).nodes.length).toBeGreaterThan(100_000);
  });
});
