/** @file Derivatives of pointwise operators. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Builder, Operator, OperatorAttributes, PointwiseOperators, Value } from "../graph/index.ts";
import { printGraph } from "../graph/index.ts";
import { removeDeadNodes } from "../passes/index.ts";
import { newBuilder } from "../shapes/index.ts";
import { tensorOf } from "../tensor/index.ts";
import { checkGradient, expectClose, randomNumbers, randomTensor, runGraph } from "../testing/index.ts";
import { withGradients } from "./gradients.ts";
import { pointwiseGradients } from "./pointwise.ts";

type DType = "float32" | "float64";
type Pointwise = keyof PointwiseOperators & Operator;

/** Where a function of one argument is checked: in ranges without kinks, and whether ONNX Runtime has it for float64. */
interface Domain {
  readonly ranges?: readonly (readonly [number, number])[];
  readonly dtype?: DType;
  readonly attributes?: Partial<OperatorAttributes[Pointwise]>;
}

const everywhere: readonly [number, number] = [-2, 2];
const smooth: Domain = {};
const kinked: Domain = {
  ranges: [
    [-2, -0.1],
    [0.1, 2],
  ],
};
const single: Domain = { dtype: "float32" };

const unary: { readonly [K in Pointwise]?: readonly Domain[] } = {
  Abs: [kinked],
  Acos: [{ ranges: [[-0.9, 0.9]], dtype: "float32" }],
  Acosh: [{ ranges: [[1.2, 3]], dtype: "float32" }],
  Asin: [{ ranges: [[-0.9, 0.9]], dtype: "float32" }],
  Asinh: [single],
  Atan: [single],
  Atanh: [{ ranges: [[-0.9, 0.9]], dtype: "float32" }],
  Ceil: [{ ranges: [[0.1, 0.9]] }],
  Celu: [{ dtype: "float32", attributes: { alpha: 0.7 } }],
  Cos: [smooth],
  Cosh: [single],
  Elu: [{ dtype: "float32", attributes: { alpha: 0.7 }, ranges: kinked.ranges ?? [] }],
  Erf: [single],
  Exp: [smooth],
  Floor: [{ ranges: [[0.1, 0.9]] }],
  Gelu: [single, { dtype: "float32", attributes: { approximate: "tanh" } }],
  HardSigmoid: [
    {
      dtype: "float32",
      attributes: { alpha: 0.25, beta: 0.4 },
      ranges: [
        [-4, -2],
        [-1, 2],
        [3, 5],
      ],
    },
  ],
  HardSwish: [
    {
      dtype: "float32",
      ranges: [
        [-5, -3.1],
        [-2.9, 2.9],
        [3.1, 5],
      ],
    },
  ],
  Identity: [smooth],
  LeakyRelu: [{ ...kinked, dtype: "float32", attributes: { alpha: 0.3 } }],
  Log: [{ ranges: [[0.2, 2]] }],
  Mish: [single],
  Neg: [smooth],
  Reciprocal: [kinked],
  Relu: [kinked],
  Round: [{ ranges: [[0.6, 1.4]] }],
  Selu: [{ ...kinked, dtype: "float32" }],
  Shrink: [
    {
      dtype: "float32",
      ranges: [
        [-2, -0.6],
        [-0.4, 0.4],
        [0.6, 2],
      ],
      attributes: { lambd: 0.5, bias: 0.2 },
    },
  ],
  Sigmoid: [smooth],
  Sign: [kinked],
  Sin: [smooth],
  Sinh: [single],
  Softplus: [single],
  Softsign: [single],
  Sqrt: [{ ranges: [[0.2, 2]] }],
  Swish: [{ dtype: "float32", attributes: { alpha: 1.3 } }],
  Tan: [single],
  Tanh: [smooth],
  ThresholdedRelu: [
    {
      dtype: "float32",
      attributes: { alpha: 0.5 },
      ranges: [
        [-2, 0.4],
        [0.6, 2],
      ],
    },
  ],
};

for (const [operator, domains] of Object.entries(unary)) {
  describe(operator, () => {
    for (const { ranges = [everywhere], dtype = "float64", attributes = {} } of domains) {
      for (const range of ranges) {
        it(`derives between ${range.join(" and ")} ${JSON.stringify(attributes)}`, () =>
          checkGradient(
            { x: { tensor: randomTensor(randomNumbers(4), dtype, [3, 5], range) } },
            // The key is an operator, and the attributes are its own.
            (b, { x }) => b.apply(operator as "Celu", [x], attributes as Partial<OperatorAttributes["Celu"]>),
            { dtype },
          ));
      }
    }
  });
}

const between = (low: number, high: number) => (shape: readonly number[]) => ({
  tensor: randomTensor(randomNumbers(shape.length + 1), "float64", shape, [low, high]),
});
const [negative, positive] = [between(-2, -1), between(0.5, 2)];

describe("operators of several inputs", () => {
  const binary: readonly (readonly [string, (b: Builder, x: Value, z: Value) => Value])[] = [
    ["Add", (b, x, z) => b.add(x, z)],
    ["Sub", (b, x, z) => b.sub(x, z)],
    ["Mul", (b, x, z) => b.mul(x, z)],
    ["Div", (b, x, z) => b.div(x, z)],
    ["Pow", (b, x, z) => b.pow(x, z)],
    ["Max", (b, x, z) => b.apply("Max", [x, z, b.mul(x, z)])],
    ["Min", (b, x, z) => b.apply("Min", [x, z])],
    ["Sum", (b, x, z) => b.apply("Sum", [x, z, x])],
    ["Mean", (b, x, z) => b.apply("Mean", [x, z, z])],
    ["Mod", (b, x, z) => b.apply("Mod", [x, z], { fmod: true })],
    ["Where", (b, x, z) => b.where(b.greater(x, b.scalar(1, x)), x, z)],
    ["PRelu", (b, x, z) => b.apply("PRelu", [b.sub(x, b.scalar(1.2, x)), z])],
  ];
  for (const [name, define] of binary) {
    for (const [left, right] of [
      [
        [2, 3],
        [2, 3],
      ],
      [[2, 3], [3]],
      [
        [4, 2, 3],
        [2, 1],
      ],
      [[2, 3], []],
    ] as const) {
      // These two have no float64 kernel.
      const dtype: DType = name === "Mean" || name === "PRelu" ? "float32" : "float64";
      it(`derives ${name} of [${left}] and [${right}]`, () => {
        const random = randomNumbers(left.length * 10 + right.length);
        const input = (shape: readonly number[]) => ({ tensor: randomTensor(random, dtype, shape, [0.5, 2]) });
        return checkGradient({ x: input(left), z: input(right) }, (b, { x, z }) => define(b, x, z), { dtype });
      });
    }
  }

  it("agree with differences for random broadcasts in both directions", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom("left", "right", "both")), { maxLength: 4 }),
        fc.constantFrom(...binary.filter(([name]) => ["Mul", "Div", "Max", "Where"].includes(name))),
        fc.nat(3),
        async (axes, [, define], dropped) => {
          const side = (own: string) => axes.map(([size, who]) => (who === own || who === "both" ? size : 1));
          const left = side("left");
          const right = side("right").slice(Math.min(dropped, axes.length));
          await checkGradient({ x: positive(left), z: between(0.6, 1.9)(right) }, (b, { x, z }) => define(b, x, z));
        },
      ),
      { seed: 2, numRuns: 30 },
    ));

  it("derive a power of a negative base by the base", () =>
    checkGradient({ x: negative([2, 3]) }, (b, { x }) => b.pow(x, b.scalar(3, x))));

  it("derive Clip inside and outside its bounds, and by the bounds", () =>
    checkGradient(
      {
        x: { tensor: tensorOf("float64", [5], [-2, -0.5, 0.1, 0.6, 3]) },
        low: between(-1, -0.9)([]),
        high: positive([]),
      },
      (b, { x, low, high }) => b.apply("Clip", [x, low, high]),
    ));

  it("derive Clip without one bound or the other", async () => {
    await checkGradient({ x: [6], high: positive([]) }, (b, { x, high }) => b.apply("Clip", [x, undefined, high]));
    await checkGradient({ x: [6] }, (b, { x }) => b.apply("Clip", [x]));
  });

  it("change the gradient's type back through Cast", () =>
    checkGradient({ x: [2, 3] }, (b, { x }) => b.cast(b.exp(b.cast(x, "float64")), "float32"), { dtype: "float32" }));
});

describe("at kinks", () => {
  const slope = async (define: (b: Builder, x: Value) => Value, at: readonly number[], expected: readonly number[]) => {
    const b = newBuilder();
    const x = b.input("x", "float32", [at.length]);
    const graph = b.graph([b.apply("Identity", [define(b, x)], {}, "y")]);
    const feeds = {
      x: tensorOf("float32", [at.length], at),
      dy: tensorOf(
        "float32",
        [at.length],
        at.map(() => 1),
      ),
    };
    const results = await runGraph(withGradients(graph, { output: "y", wanted: ["x"] }), feeds);
    expectClose(results.get("grad:x"), tensorOf("float32", [at.length], expected), 1e-6, "grad:x");
  };

  it("takes 0 for Relu and Abs at 0", async () => {
    await slope((b, x) => b.apply("Relu", [x]), [-1, 0, 1], [0, 0, 1]);
    await slope((b, x) => b.apply("Abs", [x]), [-1, 0, 1], [-1, 0, 1]);
  });

  it("counts the bounds of Clip to the inside", () =>
    slope((b, x) => b.apply("Clip", [x, b.scalar(-1, x), b.scalar(1, x)]), [-2, -1, 0, 1, 2], [0, 1, 1, 1, 0]));

  it("shares the gradient of Max among equal inputs", () =>
    slope((b, x) => b.apply("Max", [x, b.scalar(1, x)]), [0, 1, 2], [0, 0.5, 1]));

  it("takes 0 for x⁰, also at 0", () => slope((b, x) => b.pow(x, b.scalar(0, x)), [0, 2], [0, 0]));

  it("takes 2x for x², also at 0 and below", () => slope((b, x) => b.pow(x, b.scalar(2, x)), [-1, 0, 2], [-2, 0, 4]));
});

describe("Dropout", () => {
  const graph = (outputs: number) => {
    const b = newBuilder();
    const x = b.input("x", "float32", [2]);
    const inputs = [x, b.scalar(0.5, x), b.constant(tensorOf("bool", [], [1]))];
    const [y = x] = b.applyAll("Dropout", inputs, outputs, { seed: 1 }, "y");
    return b.graph([y]);
  };

  it("passes on by the mask of the forward run", () => {
    const derived = withGradients(graph(2), { output: "y", wanted: ["x"] });
    expect(printGraph(removeDeadNodes(derived))).toMatchInlineSnapshot(`
      "graph graph(x: float32[2], dy: float32[2]) -> y, grad:x
        constant: float32[] = 0.5
        constant_1: bool[] = 1
        constant_2: float32[] = 1
        y: float32[2], y_1: bool[2] = Dropout(x, constant, constant_1) {seed: 1}
        Sub: float32[] = Sub(constant_2, constant)
        Cast: float32[2] = Cast(y_1) {to: float32}
        Mul: float32[2] = Mul(dy, Cast)
        Div: float32[2] = Div(Mul, Sub)
        grad:x: float32[2] = Identity(Div)"
    `);
  });

  it("asks for the mask in training", () => {
    expect(() => withGradients(graph(1), { output: "y", wanted: ["x"] })).toThrow("must give its mask");
  });
});

it("every operator that has a derivative is checked above", () => {
  const checked = new Set(Object.keys(unary));
  const others = ["Add", "Cast", "CastLike", "Clip", "Div", "Dropout", "Max", "Mean", "Min", "Mod", "Mul", "PRelu"];
  const more = ["Pow", "Sub", "Sum", "Where"];
  const missing = Object.entries(pointwiseGradients).filter(
    ([operator, rule]) => rule.differentiable && !checked.has(operator) && ![...others, ...more].includes(operator),
  );
  expect(missing.map(([operator]) => operator)).toEqual([]);
});
