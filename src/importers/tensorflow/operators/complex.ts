/** @file Complex tensors as pairs of real ones, and Fourier transforms as products with matrices. */
import type { Builder, Value } from "../../../graph/index.ts";
import { float32, type Shape } from "../../../tensor/index.ts";
import type { Call, Lower, OperatorRows, Slot } from "./call.ts";

interface Complex {
  readonly real: Value;
  readonly imaginary: Value;
}

export function eitherComplex(call: Call): boolean {
  return call.inputs.some(({ kind }) => kind === "complex");
}

/** A real tensor counts as a complex one without an imaginary part. */
function complexAt(call: Call, index: number): Complex {
  const slot = call.slot(index);
  if (slot.kind === "complex") return slot;
  const real = call.value(index);
  return { real, imaginary: call.build.zerosLike(real) };
}

/** (a + bi)(c + di) = (ac − bd) + (ad + bc)i. */
export function complexProduct(call: Call): Slot {
  const { build } = call;
  const [x, y] = [complexAt(call, 0), complexAt(call, 1)];
  return {
    kind: "complex",
    real: build.sub(build.mul(x.real, y.real), build.mul(x.imaginary, y.imaginary)),
    imaginary: build.add(build.mul(x.real, y.imaginary), build.mul(x.imaginary, y.real)),
  };
}

/** eᵃ·(cos b + i·sin b). */
export function complexExponential(call: Call): Slot {
  const { build } = call;
  const { real, imaginary } = complexAt(call, 0);
  const size = build.exp(real);
  return {
    kind: "complex",
    real: build.mul(size, build.apply("Cos", [imaginary])),
    imaginary: build.mul(size, build.apply("Sin", [imaginary])),
  };
}

/** The angle of (x, y), in [−π, π]: the arc tangent of y/x, half a turn further where x is negative. */
export function angleOf(call: Call, y: Value, x: Value): Value {
  const { build } = call;
  const zero = build.scalar(0, x);
  const [half, quarter] = [build.scalar(Math.PI, x), build.scalar(Math.PI / 2, x)];
  const isBelow = build.less(y, zero);
  const turned = build.where(isBelow, build.neg(half), half);
  const plain = build.apply("Atan", [build.div(y, x)]);
  const across = build.where(build.less(x, zero), build.add(plain, turned), plain);
  const upright = build.where(build.equal(y, zero), zero, build.where(isBelow, build.neg(quarter), quarter));
  return call.apply("Where", [build.equal(x, zero), upright, across]);
}

/** √(a² + b²). */
function magnitude({ build }: Call, { real, imaginary }: Complex): Value {
  return build.sqrt(build.add(build.square(real), build.square(imaginary)));
}

/** The longest transform that is written as a matrix: its size grows with the square. */
const longestTransform = 4096;

/** The matrix `[from, to]` of cos(2πjk/length)·factor(k) or of the sine. */
function wave(
  build: Builder,
  [from, to]: readonly [number, number],
  length: number,
  term: (angle: number, row: number, column: number) => number,
  name: string,
): Value {
  const data = new Float32Array(from * to);
  for (let row = 0; row < from; row++) {
    for (let column = 0; column < to; column++) {
      // The product is reduced before it becomes an angle: large angles would lose digits.
      data[row * to + column] = term((2 * Math.PI * ((row * column) % length)) / length, row, column);
    }
  }
  return build.constant(float32([from, to], data), name);
}

function lengthOf(call: Call): number {
  const [length = 0, ...others] = call.integers(1);
  if (others.length > 0 || !(length >= 1 && length <= longestTransform)) {
    throw call.refused("the transform has a length that is not supported", String([length, ...others]));
  }
  return length;
}

/** Cuts or fills the last axis to `length` elements. */
function fitted({ build }: Call, x: Value, length: number): Value {
  const rank = x.shape?.length ?? 1;
  const size = x.shape?.at(-1);
  if (size === length) return x;
  const ends = Array.from({ length: rank - 1 }, () => 0);
  const filled =
    typeof size === "number" && size >= length
      ? x
      : build.apply("Pad", [x, build.ints([...ends, 0, ...ends, typeof size === "number" ? length - size : length])]);
  return build.slice(filled, [0], [length], [rank - 1]);
}

/** Xₖ = Σ xⱼ·(cos(2πjk/n) − i·sin(2πjk/n)) for k up to n/2. */
const realTransform: Lower = (call) => {
  const length = lengthOf(call);
  const bins = Math.floor(length / 2) + 1;
  const x = fitted(call, call.value(0), length);
  const of = (term: (angle: number) => number, name: string) =>
    call.build.matMul(x, wave(call.build, [length, bins], length, term, `${call.name}/${name}`));
  return {
    kind: "complex",
    real: of(Math.cos, "cosines"),
    imaginary: of((angle) => -Math.sin(angle), "sines"),
  };
};

/** xⱼ = (1/n)·Σ wₖ·(Re Xₖ·cos − Im Xₖ·sin), where every bin but the first and the middle one counts twice. */
const inverseRealTransform: Lower = (call) => {
  const length = lengthOf(call);
  const bins = Math.floor(length / 2) + 1;
  const { real, imaginary } = complexAt(call, 0);
  const { build } = call;
  const weight = (bin: number) => (bin === 0 || 2 * bin === length ? 1 : 2) / length;
  const of = (x: Value, term: (angle: number, bin: number) => number, name: string) =>
    build.matMul(fitted(call, x, bins), wave(build, [bins, length], length, term, `${call.name}/${name}`));
  return build.add(
    of(real, (angle, bin) => Math.cos(angle) * weight(bin), "cosines"),
    of(imaginary, (angle, bin) => -Math.sin(angle) * weight(bin), "sines"),
  );
};

/** The whole transform of a complex signal of known length, or its inverse. */
function transform(sign: 1 | -1): Lower {
  return (call) => {
    const { build } = call;
    const { real, imaginary } = complexAt(call, 0);
    const length = knownSize(call, real.shape);
    const scale = sign === 1 ? 1 / length : 1;
    const cosines = wave(build, [length, length], length, (angle) => Math.cos(angle) * scale, `${call.name}/cosines`);
    const sines = wave(
      build,
      [length, length],
      length,
      (angle) => sign * Math.sin(angle) * scale,
      `${call.name}/sines`,
    );
    return {
      kind: "complex",
      real: build.sub(build.matMul(real, cosines), build.matMul(imaginary, sines)),
      imaginary: build.add(build.matMul(real, sines), build.matMul(imaginary, cosines)),
    };
  };
}

function knownSize(call: Call, shape: Shape | undefined): number {
  const size = shape?.at(-1);
  if (typeof size === "number" && size >= 1 && size <= longestTransform) return size;
  throw call.refused("the length of a transform must be known", `${size ?? "unknown"}`);
}

export const complexRows: OperatorRows = [
  [
    "Angle",
    (call) => {
      const { real, imaginary } = complexAt(call, 0);
      return angleOf(call, imaginary, real);
    },
  ],
  ["Complex", (call) => ({ kind: "complex", real: call.value(0), imaginary: call.value(1) })],
  ["ComplexAbs", (call) => magnitude(call, complexAt(call, 0))],
  [
    "Conj",
    (call) => {
      const slot = call.slot(0);
      return slot.kind === "complex" ? { ...slot, imaginary: call.build.neg(slot.imaginary) } : slot;
    },
  ],
  ["FFT", transform(-1)],
  ["IFFT", transform(1)],
  ["IRFFT", inverseRealTransform],
  ["Imag", (call) => complexAt(call, 0).imaginary],
  ["RFFT", realTransform],
  ["Real", (call) => complexAt(call, 0).real],
];

/** Operators that do to a complex tensor what they do to both its parts. */
export const partByPart: ReadonlySet<string> = new Set([
  "AddN",
  "Add",
  "AddV2",
  "ConcatV2",
  "ExpandDims",
  "GatherV2",
  "Identity",
  "Mean",
  "Neg",
  "Pack",
  "Pad",
  "Reshape",
  "ReverseV2",
  "Slice",
  "Split",
  "SplitV",
  "Squeeze",
  "StridedSlice",
  "Sub",
  "Sum",
  "Tile",
  "Transpose",
  "Unpack",
]);
