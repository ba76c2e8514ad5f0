/** @file Forms of one operator side by side, by shape: `npm run bench:kernels`. What chooses a lowering is measured here. */
import { type Builder, newBuilder, onnxModelOf, type Tensor, type Value, writeModel } from "graftwork";
import { nodeRuntime } from "graftwork/node";

type Input = (name: string, shape: readonly number[]) => Value;
type Form = (build: Builder, input: Input) => Value;

interface Comparison {
  readonly kernel: string;
  readonly shape: string;
  /** Pictures a run, so that forms are compared a picture. */
  readonly batch: number;
  readonly forms: Readonly<Record<string, Form>>;
}

/** Channels, map size, pictures: depthwise 3×3, stride 1, as they occur in MobileNetV2 at 160 px. */
const depthwiseShapes = [
  [960, 5, 32],
  [960, 5, 8],
  [576, 10, 32],
  [384, 10, 8],
  [192, 20, 32],
  [144, 40, 8],
  [32, 80, 8],
] as const;

const comparisons: readonly Comparison[] = [
  ...depthwiseShapes.map(
    ([c, size, n]): Comparison => ({
      kernel: "depthwise 3x3, forward",
      shape: `${c}@${size}, ${n} pictures`,
      batch: n,
      forms: {
        grouped: (b, input) => {
          const kernel = b.expand(b.reshape(input("w", [c, 9]), [c, 1, 9]), b.ints([c, n, 9]));
          const x = input("x", [1, c * n, size, size]);
          return b.apply("Conv", [x, b.reshape(kernel, [c * n, 1, 3, 3])], { group: c * n, pads: [1, 1, 1, 1] });
        },
        batched: (b, input) =>
          b.apply("Conv", [input("x", [n, c, size, size]), input("w", [c, 1, 3, 3])], { group: c, pads: [1, 1, 1, 1] }),
        ...(size <= 10 && {
          toeplitz: (b: Builder, input: Input) => {
            const pixels = size * size;
            const matrix = b.matMul(input("w", [c, 9]), input("selection", [9, pixels * pixels]));
            return b.matMul(input("x", [c, n, pixels]), b.reshape(matrix, [c, pixels, pixels]));
          },
        }),
      },
    }),
  ),
  ...(
    [
      [96, 40],
      [576, 10],
    ] as const
  ).map(
    ([c, size]): Comparison => ({
      kernel: "mask of ReLU6, backward",
      shape: `${c}@${size}, 32 pictures`,
      batch: 32,
      forms: Object.fromEntries(
        (["cast", "where", "sign"] as const).map((form) => [form, maskForm(form, [c, 32 * size * size])]),
      ),
    }),
  ),
  ...(
    [
      [576, 96, 10],
      [960, 160, 5],
    ] as const
  ).map(
    ([m, k, size]): Comparison => ({
      kernel: "pointwise, weight gradient",
      shape: `${m}x${k}@${size}, 32 pictures`,
      batch: 32,
      forms: {
        "one product": (b, input) =>
          b.apply("Gemm", [input("dy", [m, 32 * size * size]), input("x", [k, 32 * size * size])], { transB: true }),
        "product a picture": (b, input) => {
          const x = b.transpose(input("x", [32, k, size * size]), [0, 2, 1]);
          return b.reduceSum(b.matMul(input("dy", [32, m, size * size]), x), [0], false);
        },
      },
    }),
  ),
];

function maskForm(form: "cast" | "where" | "sign", shape: readonly number[]): Form {
  return (b, input) => {
    const [y, dy] = [input("y", shape), input("dy", shape)];
    const [zero, six] = [b.scalar(0, y), b.scalar(6, y)];
    if (form === "sign") return b.mul(dy, b.sign(b.mul(y, b.sub(six, y))));
    const inside = b.and(b.greater(y, zero), b.less(y, six));
    return form === "where" ? b.where(inside, dy, zero) : b.mul(dy, b.cast(inside, "float32"));
  };
}

const runtime = await nodeRuntime();
for (const { kernel, shape, batch, forms } of comparisons) {
  const runs = new Map<string, () => Promise<unknown>>();
  for (const [name, form] of Object.entries(forms)) runs.set(name, await compile(form));
  // Alternating, so that what else the machine does meets every form alike.
  const times = new Map([...runs.keys()].map((name) => [name, [] as number[]]));
  for (let round = 0; round < 11; round++) {
    for (const [name, run] of runs) {
      const started = performance.now();
      await run();
      times.get(name)?.push((performance.now() - started) / batch);
    }
  }
  const figures = [...times].map(([name, list]) => `${name} ${median(list).toFixed(3)}`);
  process.stdout.write(`${kernel.padEnd(28)}${shape.padEnd(26)}${figures.join("   ")}  ms a picture\n`);
}

async function compile(form: Form): Promise<() => Promise<unknown>> {
  const build = newBuilder();
  const feeds: Record<string, Tensor> = {};
  const result = form(build, (name, shape) => {
    const data = Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      (_, index) => ((index * 7919) % 13) / 6 - 1,
    );
    feeds[name] = { dtype: "float32", shape, data };
    return build.input(name, "float32", shape);
  });
  // Only a number comes back: copying the result would be part of the time.
  const sum = build.apply("ReduceSum", [result], { keepdims: false });
  const executable = await runtime.compile(writeModel(onnxModelOf(build.graph([sum]))));
  await executable.run(feeds);
  return () => executable.run(feeds);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
