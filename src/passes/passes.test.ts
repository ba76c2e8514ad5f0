import { describe, expect, it } from "vitest";
import { type Builder, findValue, type Graph, printGraph, type Value, verify } from "../graph/index.ts";
import { inferShapes, newBuilder } from "../shapes/index.ts";
import { float32, type Tensor, tensorOf } from "../tensor/index.ts";
import { deviation, randomNumbers, randomTensor, runGraph } from "../testing/index.ts";
import {
  cutAfter,
  cutBefore,
  foldBatchNorm,
  foldConstants,
  removeDeadNodes,
  removeDuplicateNodes,
  runPasses,
  unfoldBatchNorm,
} from "./index.ts";

function graphOf(
  body: (b: Builder, x: Value) => readonly Value[],
  shape: readonly (number | string)[] = ["N", 4],
): Graph {
  const b = newBuilder();
  return b.graph(body(b, b.input("x", "float32", shape)));
}

const random = randomNumbers(5);
const weights = (...shape: number[]): Tensor => randomTensor(random, "float32", shape);

/** The outputs of both graphs on the same input agree. */
async function expectSame(before: Graph, after: Graph, shape: readonly number[]): Promise<void> {
  const x = randomTensor(randomNumbers(9), "float32", shape);
  const [expected, actual] = [await runGraph(before, { x }), await runGraph(after, { x })];
  for (const [name, tensor] of expected) {
    const other = actual.get(name);
    expect(other && deviation(other, tensor)).toBeLessThan(1e-5);
  }
}

describe("removeDeadNodes", () => {
  it("removes what no output needs, and keeps the interface", () => {
    const graph = graphOf((b, x) => {
      b.mul(b.exp(x), b.constant(weights(4), "unused"));
      return [b.apply("Tanh", [x], {}, "y")];
    });
    expect(printGraph(verify(removeDeadNodes(graph)))).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 4]) -> y
        y: float32[N, 4] = Tanh(x)"
    `);
  });
});

describe("removeDuplicateNodes", () => {
  it("computes once what is computed twice, and leaves random numbers alone", () => {
    const graph = graphOf((b, x) => [
      b.apply("Add", [b.exp(x), b.exp(x)], {}, "y"),
      b.apply("Add", [b.apply("RandomNormalLike", [x]), b.apply("RandomNormalLike", [x])], {}, "z"),
    ]);
    expect(printGraph(verify(removeDuplicateNodes(graph)))).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 4]) -> y, z
        Exp: float32[N, 4] = Exp(x)
        y: float32[N, 4] = Add(Exp, Exp)
        RandomNormalLike: float32[N, 4] = RandomNormalLike(x)
        RandomNormalLike_1: float32[N, 4] = RandomNormalLike(x)
        z: float32[N, 4] = Add(RandomNormalLike, RandomNormalLike_1)"
    `);
  });
});

describe("foldConstants", () => {
  it("folds shape arithmetic and what changes nothing", () => {
    const graph = graphOf((b, x) => {
      const rows = b.apply("Gather", [b.apply("Shape", [x]), b.ints([1])], {});
      const target = b.concat([b.ints([-1]), b.mul(rows, b.ints([2]))], 0);
      const same = b.apply("Identity", [b.apply("Dropout", [x])]);
      return [b.apply("Reshape", [same, target], {}, "y")];
    });
    expect(printGraph(verify(foldConstants(inferShapes(graph))))).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 4]) -> y
        Concat: int64[2] = [-1, 8]
        y: float32[?, 8] = Reshape(x, Concat)"
    `);
  });

  it("takes the branch of an If whose condition is known", () => {
    const graph = graphOf((b, x) => {
      const branch = (operator: "Exp" | "Log", name: string) => {
        const inner = newBuilder();
        return inner.graph([inner.apply(operator, [x], {}, name)], name);
      };
      const condition = b.constant(tensorOf("bool", [], [0]), "condition");
      const attributes = { thenBranch: branch("Exp", "a"), elseBranch: branch("Log", "c") };
      return [b.apply("Neg", [b.apply("If", [condition], attributes)], {}, "y")];
    });
    expect(printGraph(verify(foldConstants(inferShapes(graph))))).toMatchInlineSnapshot(`
      "graph graph(x: float32[N, 4]) -> y
        c: float32[N, 4] = Log(x)
        y: float32[N, 4] = Neg(c)"
    `);
  });

  it("does not fold what is to be trained, however small", () => {
    const graph = graphOf((b, x) => {
      const scale = b.constant(tensorOf("float32", [], [2]), "scale");
      return [b.apply("Mul", [x, b.apply("Mul", [scale, scale], {}, "squared")], {}, "y")];
    });
    const keep = [findValue(graph, "scale")];
    expect(printGraph(foldConstants(graph, { keep }))).toContain("squared: float32[] = Mul(scale, scale)");
  });
});

describe("cutting", () => {
  const graph = graphOf((b, x) => {
    const hidden = b.apply("MatMul", [x, b.constant(weights(4, 3), "w1")], {}, "hidden");
    const features = b.apply("Relu", [hidden], {}, "features");
    return [b.apply("MatMul", [features, b.constant(weights(3, 2), "w2")], {}, "logits")];
  });

  it("gives the part that computes a value, and the part that goes on from it", async () => {
    const features = findValue(graph, "features");
    const [below, above] = [verify(cutAfter(graph, [features])), verify(cutBefore(graph, [features]))];
    expect(below.outputs.map(({ name }) => name)).toEqual(["features"]);
    expect([...below.initializers.keys()].map(({ name }) => name)).toEqual(["w1"]);
    expect(above.inputs.map(({ name }) => name)).toEqual(["features"]);
    const x = randomTensor(randomNumbers(1), "float32", [2, 4]);
    const middle = (await runGraph(below, { x })).get("features") as Tensor;
    const [whole, joined] = [await runGraph(graph, { x }), await runGraph(above, { features: middle })];
    expect(joined.get("logits")).toEqual(whole.get("logits"));
  });

  it("refuses a cut that a path goes around", () => {
    const around = graphOf((b, x) => [b.add(x, b.apply("Exp", [x], {}, "inner"))]);
    expect(() => cutBefore(around, [findValue(around, "inner")])).toThrow(/a path from input "x" around it/);
  });
});

describe("batch norm in inference mode", () => {
  const norm = (b: Builder, x: Value, channels: number) => {
    const vector = (name: string) => b.constant(weights(channels), name);
    const variance = b.constant(
      float32(
        [channels],
        Float32Array.from({ length: channels }, (_, i) => 0.5 + i),
      ),
      "variance",
    );
    return b.apply("BatchNormalization", [x, vector("gamma"), vector("beta"), vector("mean"), variance], {}, "y");
  };
  const forms: Readonly<Record<string, (b: Builder, x: Value) => Value>> = {
    "a convolution": (b, x) => b.apply("Conv", [x, b.constant(weights(6, 4, 3, 3)), b.constant(weights(6))]),
    "a convolution in groups": (b, x) => b.apply("Conv", [x, b.constant(weights(6, 2, 1, 1))], { group: 2 }),
    "a transposed convolution": (b, x) => b.apply("ConvTranspose", [x, b.constant(weights(4, 6, 2, 2))]),
    "a transposed convolution in groups": (b, x) =>
      b.apply("ConvTranspose", [x, b.constant(weights(4, 3, 2, 2)), b.constant(weights(6))], { group: 2 }),
  };

  it.each(Object.keys(forms))("folds into %s", async (form) => {
    const graph = graphOf((b, x) => [norm(b, forms[form]?.(b, x) ?? x, 6)], [2, 4, 5, 5]);
    const folded = runPasses(graph, [foldBatchNorm], { checked: true });
    expect(printGraph(folded)).not.toContain("BatchNormalization");
    await expectSame(graph, folded, [2, 4, 5, 5]);
  });

  it("stays where the convolution has other readers", () => {
    const graph = graphOf(
      (b, x) => {
        const map = b.apply("Conv", [x, b.constant(weights(4, 4, 1, 1))]);
        return [norm(b, map, 4), b.exp(map)];
      },
      [2, 4, 5, 5],
    );
    expect(printGraph(foldBatchNorm(graph))).toContain("BatchNormalization");
  });

  it("is written out as a product and a sum", async () => {
    const graph = graphOf((b, x) => [norm(b, x, 4)], [2, 4, 5, 5]);
    const unfolded = verify(unfoldBatchNorm(graph));
    expect(printGraph(unfolded)).not.toContain("BatchNormalization");
    await expectSame(graph, unfolded, [2, 4, 5, 5]);
  });
});
