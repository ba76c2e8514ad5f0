import { describe, expect, it } from "vitest";
import type { Builder, Value } from "../graph/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { float32 } from "../tensor/index.ts";
import { findCut, namedCut } from "./cut-finder.ts";

function weight(b: Builder, name: string, shape: readonly number[]): Value {
  return b.constant(float32(shape, new Float32Array(shape.reduce((a, size) => a * size, 1)).fill(0.5)), name);
}

/** A convolution, a ReLU and average pooling: the body that most classifiers have. `pool` is `[N, 8, 1, 1]`. */
function body() {
  const b = newBuilder();
  const x = b.input("x", "float32", ["N", 3, 16, 16]);
  const conv = b.apply("Conv", [x, weight(b, "conv/kernel", [8, 3, 3, 3])], {}, "conv");
  const relu = b.apply("Relu", [conv], {}, "relu");
  const pool = b.apply("GlobalAveragePool", [relu], {}, "pool");
  return { b, x, relu, pool, flat: () => b.apply("Flatten", [pool], {}, "flat") };
}

function cutOf(b: Builder, x: Value, outputs: readonly Value[]): string {
  return findCut(b.graph(outputs), x).value.name;
}

describe("findCut", () => {
  it("cuts before a dense head", () => {
    const { b, x, flat } = body();
    const logits = b.apply("Gemm", [flat(), weight(b, "k", [8, 5]), weight(b, "c", [5])], {}, "y");
    expect(cutOf(b, x, [logits])).toBe("flat");
  });

  it("cuts before a product, a bias and a softmax, and before the dropout ahead of them", () => {
    const { b, x, flat } = body();
    const dropped = b.apply("Dropout", [flat()], {}, "dropped");
    const product = b.matMul(dropped, weight(b, "k", [8, 5]));
    const logits = b.add(product, weight(b, "c", [5]));
    expect(cutOf(b, x, [b.apply("Softmax", [logits], { axis: 1 }, "y")])).toBe("flat");
  });

  it("cuts a head of two layers before the last", () => {
    const { b, x, flat } = body();
    const hidden = b.apply("Relu", [b.apply("Gemm", [flat(), weight(b, "k1", [8, 6])], {}, "fc1")], {}, "hidden");
    expect(cutOf(b, x, [b.apply("Gemm", [hidden, weight(b, "k2", [6, 5])], {}, "y")])).toBe("hidden");
  });

  it("cuts before a pointwise convolution of what is pooled", () => {
    const { b, x, pool } = body();
    const conv = b.apply("Conv", [pool, weight(b, "k", [5, 8, 1, 1])], {}, "head");
    expect(cutOf(b, x, [b.apply("Flatten", [conv], {}, "y")])).toBe("pool");
  });

  it("cuts before a pointwise convolution whose map is pooled into probabilities, as SqueezeNet's", () => {
    const { b, x, relu } = body();
    const conv = b.apply("Relu", [b.apply("Conv", [relu, weight(b, "k", [5, 8, 1, 1])], {}, "head")]);
    const pooled = b.apply("Flatten", [b.apply("GlobalAveragePool", [conv])]);
    expect(cutOf(b, x, [b.apply("Softmax", [pooled], { axis: 1 }, "y")])).toBe("relu");
  });

  it("takes the pooled map of a pointwise convolution as features where nothing says that they are classes", () => {
    const { b, x, relu } = body();
    const conv = b.apply("Relu", [b.apply("Conv", [relu, weight(b, "k", [5, 8, 1, 1])], {}, "top")]);
    expect(cutOf(b, x, [b.apply("Flatten", [b.apply("GlobalAveragePool", [conv])], {}, "y")])).toBe("y");
  });

  it("takes what ends without a classifier as it is: pooled, or a map", () => {
    const { b, x, relu, flat } = body();
    expect(cutOf(b, x, [flat()])).toBe("flat");
    expect(cutOf(b, x, [relu])).toBe("relu");
    const mixed = b.apply("Conv", [relu, weight(b, "k", [5, 8, 1, 1])], {}, "mixed");
    expect(cutOf(b, x, [mixed])).toBe("mixed");
  });

  it("prefers an output that is named features, wherever it stands, and a vector to a map", () => {
    const { b, x, relu, flat } = body();
    const features = b.apply("Identity", [flat()], {}, "features");
    const logits = b.apply("Gemm", [features, weight(b, "k", [8, 5])], {}, "logits");
    expect(cutOf(b, x, [logits, features])).toBe("features");
    const map = b.apply("Identity", [relu], {}, "feature_map");
    const pooled = b.apply("Identity", [features], {}, "pooler_output");
    expect(cutOf(b, x, [map, pooled])).toBe("pooler_output");
  });

  it("does not take a product of two computed values for a classifier", () => {
    const { b, x, flat } = body();
    const rows = flat();
    const attention = b.matMul(rows, b.transpose(rows, [1, 0]));
    expect(cutOf(b, x, [attention])).toBe(attention.name);
  });

  it("takes the first of two classifiers that are averaged", () => {
    const { b, x, flat, relu } = body();
    const other = b.reduceMean(relu, [2, 3], false);
    const sum = b.add(
      b.apply("Gemm", [flat(), weight(b, "k", [8, 1000])]),
      b.apply("Gemm", [other, weight(b, "l", [8, 1000])]),
    );
    expect(cutOf(b, x, [b.div(sum, b.scalar(2, sum))])).toBe("flat");
  });

  it("says which outputs there are where none comes from the picture", () => {
    const { b, x } = body();
    const other = b.input("other", "float32", ["N", 2]);
    expect(() => cutOf(b, x, [b.neg(other)])).toThrow(/no output.*Neg float32\[N, 2\].*--cut/);
  });
});

describe("namedCut", () => {
  it("finds values, and names the last ones where there is none of that name", () => {
    const { b, x, relu, flat } = body();
    const graph = b.graph([flat()]);
    expect(namedCut(graph, x, "relu").value).toBe(relu);
    expect(() => namedCut(graph, x, "conv/kernel")).toThrow(/no value "conv\/kernel".*relu, pool, flat/);
    expect(() => namedCut(graph, x, "x")).toThrow(/no value "x"/);
  });
});
