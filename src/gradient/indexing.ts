/** @file Derivatives of operators that read or write at indices: reading adds gradients up, writing reads them. */
import {
  type Builder,
  type MovementOperators,
  numericTypeOf,
  type ScatterReduction,
  type Value,
} from "../graph/index.ts";
import { elementCount, GraftError, normalizeAxis, numbersOf, tensorOf, unreachable } from "../tensor/index.ts";
import { addAlong, flattened, putAlong, putAtRuntime, sizeAt, upTo } from "./place.ts";
import { by, type Gradient, type GradientRules, inputAt, notDifferentiable, rankOf, type Step } from "./rule.ts";
import { range, reshapeLike, reshapeTo, type Size, sizesOf } from "./sizes.ts";

type IndexingOperators = Pick<
  MovementOperators,
  "Compress" | "Gather" | "GatherElements" | "GatherND" | "NonZero" | "OneHot" | "ScatterElements" | "ScatterND"
>;

/** How an operator reads elements at its indices, and writes into a tensor there. */
interface Indexed {
  /** The elements of a tensor like the data, in the shape of the updates. */
  read(data: Value): Value;
  write(data: Value, updates: Value, reduction: ScatterReduction): Value;
  /** Zeros like the data, with elements in the shape of the updates added at the indices. */
  add(updates: Value): Value;
}

/** The gradients of data and updates after writing; where several updates meet, PyTorch's `scatter_reduce` decides. */
function writtenGradients(step: Step, { read, write, add }: Indexed, reduction: ScatterReduction): readonly Gradient[] {
  const { build: b, x, y, dy } = step;
  const updates = inputAt(step, 2);
  const where = (condition: Value) => b.castLike(condition, dy);
  switch (reduction) {
    // What is overwritten has no gradient.
    case "none":
      return [() => write(dy, b.zerosLike(updates), "none"), undefined, () => read(dy)];
    case "add":
      return [dy, undefined, () => read(dy)];
    // The gradient of a product is the product of the others: of zeros there may be none among them.
    case "mul":
      return [
        () => b.mul(dy, write(b.onesLike(x), updates, "mul")),
        undefined,
        () => {
          const isZero = b.equal(updates, b.scalar(0, updates));
          const nonZero = b.where(isZero, b.scalar(1, updates), updates);
          const zeros = where(isZero);
          const otherZeros = b.sub(read(add(zeros)), zeros);
          const others = b.div(read(write(x, nonZero, "mul")), nonZero);
          return b.mul(read(dy), b.mul(others, where(b.equal(otherZeros, b.scalar(0, otherZeros)))));
        },
      ];
    // Those that attain the extreme share the gradient evenly.
    case "max":
    case "min": {
      const [kept, won] = [where(b.equal(x, y)), where(b.equal(updates, read(y)))];
      const share = b.div(dy, b.add(kept, add(won)));
      return [() => b.mul(kept, share), undefined, () => b.mul(won, read(share))];
    }
  }
}

/** How many rows x has when its axes before `end` are one. */
function rowCount(build: Builder, x: Value, end: number): Size {
  const sizes = sizesOf(x, 0, end);
  if (sizes.every((size) => typeof size === "number")) return elementCount(sizes);
  return { of: reshapeTo(build, x, [-1, ...sizesOf(x, end)]), axis: 0 };
}

/**
 * Which rows of x, seen as rows over its first axes, the index vectors `[b…, i…, k]` name: ((b·d₁ + i₁)·d₂ + i₂)…,
 * flat. Negative indices count from the end.
 */
function rowNumbers(build: Builder, indices: Value, x: Value, batchDims: number, depth: number): Value {
  const last = rankOf(indices) - 1;
  const free = new Array<number>(last - batchDims).fill(1);
  const batch = () =>
    reshapeTo(build, upTo(build, rowCount(build, x, batchDims)), [...sizesOf(x, 0, batchDims), ...free]);
  const rows = range(depth).reduce<Value | undefined>(
    (outer, axis) => {
      const size = build.sizeOf(x, batchDims + axis);
      const index = build.squeeze(build.cast(build.slice(indices, [axis], [axis + 1], [last]), "int64"), [last]);
      const inner = build.apply("Mod", [index, size]);
      return outer === undefined ? inner : build.add(build.mul(outer, size), inner);
    },
    batchDims > 0 ? batch() : undefined,
  );
  return build.reshape(rows ?? unreachable("index vectors of length 0"), [-1]);
}

/** The adjoint of reading slices of x at index vectors: the slices are added up where they were read. */
function addAtVectors(build: Builder, slices: Value, indices: Value, x: Value, batchDims = 0): Value {
  const depth = indices.shape?.[rankOf(indices) - 1];
  if (typeof depth !== "number") {
    throw new GraftError("not-differentiable", "the length of index vectors must be known", {
      path: [`value "${indices.name}"`],
    });
  }
  const end = batchDims + depth;
  const rows = rowNumbers(build, indices, x, batchDims, depth);
  const flat = reshapeTo(build, slices, [-1, ...sizesOf(x, end)]);
  return reshapeLike(build, addAlong(build, flat, 0, rows, rowCount(build, x, end)), x);
}

/** The adjoint of reading the elements where a condition holds, along one axis. */
function putWhere(build: Builder, dy: Value, axis: number, condition: Value, size: Size): Value {
  const known = build.constantOf(condition);
  if (known === undefined || typeof size !== "number") {
    return putAtRuntime(build, dy, axis, flattened(build, build.apply("NonZero", [condition])), size);
  }
  const positions = numbersOf(known).flatMap((holds, position) => (holds ? [position] : []));
  return putAlong(build, dy, axis, positions, size);
}

export const indexingGradients: GradientRules<IndexingOperators> = {
  // y = x where the condition holds along an axis; without one, of all elements in order
  Compress: by((step) => [
    () => {
      const { build: b, attributes, x, dy } = step;
      const condition = inputAt(step, 1);
      if (attributes.axis === undefined) {
        return reshapeLike(b, putWhere(b, dy, 0, condition, rowCount(b, x, rankOf(x))), x);
      }
      const axis = normalizeAxis(attributes.axis, rankOf(x));
      return putWhere(b, dy, axis, condition, sizeAt(x, axis));
    },
  ]),
  // y[a, i, b] = x[a, indices[i], b]: dx[a, j, b] = Σ of dy[a, i, b] over the i with indices[i] = j
  Gather: by((step) => [
    () => {
      const { build: b, attributes, x, dy } = step;
      const indices = inputAt(step, 1);
      const axis = normalizeAxis(attributes.axis, rankOf(x));
      const size = sizeAt(x, axis);
      const flat = reshapeTo(b, dy, [...sizesOf(x, 0, axis), -1, ...sizesOf(x, axis + 1)]);
      const known = b.constantOf(indices);
      if (known === undefined || typeof size !== "number") return addAlong(b, flat, axis, flattened(b, indices), size);
      const positions = numbersOf(known).map((index) => (index < 0 ? index + size : index));
      return putAlong(b, flat, axis, positions, size);
    },
  ]),
  GatherElements: by((step) => {
    const { build: b, attributes, x, dy } = step;
    const scattered = () =>
      b.apply("ScatterElements", [b.zerosLike(x), step.inputs[1], dy], { ...attributes, reduction: "add" });
    return [scattered];
  }),
  GatherND: by((step) => {
    const { build: b, attributes, x, dy } = step;
    return [() => addAtVectors(b, dy, inputAt(step, 1), x, attributes.batchDims)];
  }),
  NonZero: notDifferentiable("its output is an integer"),
  // y = off + (on − off)·hot, for values [off, on]
  OneHot: by((step) => {
    const { build: b, attributes, inputs, dy } = step;
    const [indices, depth] = inputs;
    return [
      undefined,
      undefined,
      () => {
        const states = b.constant(tensorOf(numericTypeOf(dy), [2], [0, 1]));
        const hot = b.apply("OneHot", [indices, depth, states], attributes);
        const cold = b.sub(b.scalar(1, dy), hot);
        const total = (mask: Value) => b.reshape(b.reduceSum(b.mul(dy, mask), range(rankOf(dy)), false), [1]);
        return b.concat([total(cold), total(hot)], 0);
      },
    ];
  }),
  ScatterElements: by((step) => {
    const { build: b, attributes, inputs, x } = step;
    const { axis, reduction } = attributes;
    const indices = inputs[1];
    const write = (data: Value, updates: Value, how: ScatterReduction) =>
      b.apply("ScatterElements", [data, indices, updates], { axis, reduction: how });
    const indexed: Indexed = {
      read: (data) => b.apply("GatherElements", [data, indices], { axis }),
      write,
      add: (updates) => write(b.zerosLike(x), updates, "add"),
    };
    return writtenGradients(step, indexed, reduction);
  }),
  ScatterND: by((step) => {
    const { build: b, attributes, x } = step;
    const indices = inputAt(step, 1);
    const indexed: Indexed = {
      read: (data) => b.apply("GatherND", [data, indices]),
      write: (data, updates, reduction) => b.apply("ScatterND", [data, indices, updates], { reduction }),
      add: (updates) => addAtVectors(b, updates, indices, x),
    };
    return writtenGradients(step, indexed, attributes.reduction);
  }),
};
