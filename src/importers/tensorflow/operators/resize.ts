/** @file Resizing of maps. */
import type { CoordinateMode, NearestMode, OperatorAttributes } from "../../../graph/index.ts";
import { bicubicWeights } from "./bicubic.ts";
import type { Call, Lower, OperatorRows } from "./call.ts";
import { laidOut } from "./weight.ts";

function coordinates(call: Call): CoordinateMode {
  if (call.bool("align_corners", false)) return "align_corners";
  return call.bool("half_pixel_centers", false) ? "half_pixel" : "asymmetric";
}

/** `[N, H, W, C]` to the sizes that the second input holds. */
function resize(
  settings: (call: Call, mode: CoordinateMode) => Partial<OperatorAttributes["Resize"]>,
  isFloat: boolean,
): Lower {
  return (call) => {
    const { build } = call;
    const mode = coordinates(call);
    call.rank(0);
    const data = call.oriented(0);
    const x = isFloat ? build.cast(data.first(), "float32") : data.first();
    const attributes = { ...settings(call, mode), coordinateTransformationMode: mode };
    const known = call.knownIntegers(1);
    const [, , height, width] = x.shape ?? [];
    if (known !== undefined && known[0] === height && known[1] === width) return call.first(x);
    // ONNX Runtime 1.30 does not resize two axes alone where the batch is open.
    const target = known === undefined ? call.int64(1) : build.ints(known);
    const sizes = build.concat([build.sizeOf(x, 0), build.sizeOf(x, 1), target], 0);
    return call.first(call.apply("Resize", [x, undefined, undefined, sizes], attributes));
  };
}

/** The largest matrix that resizes an axis. */
const mostWeights = 2 ** 24;

/** Two products with matrices, which have TensorFlow's own weights; where sizes are open, ONNX's exact ones. */
const bicubic: Lower = (call) => {
  const { build } = call;
  const x = build.cast(call.oriented(0).first(), "float32");
  const [, , height, width] = x.shape ?? [];
  const [rows, columns] = call.knownIntegers(1) ?? [];
  if (typeof height !== "number" || typeof width !== "number" || rows === undefined || columns === undefined) {
    return openBicubic(call);
  }
  if (!(rows > 0 && columns > 0 && Math.max(rows * height, columns * width) <= mostWeights)) {
    throw call.refused("the sizes of a bicubic resizing are not supported", `${rows}x${columns}`);
  }
  const settings = {
    alignCorners: call.bool("align_corners", false),
    halfPixelCenters: call.bool("half_pixel_centers", false),
  };
  const down = build.constant(bicubicWeights(height, rows, settings), `${call.name}/rows`);
  const across = build.constant(
    laidOut(bicubicWeights(width, columns, settings), { shape: [columns, width], perm: [1, 0] }),
    `${call.name}/columns`,
  );
  return call.first(call.apply("MatMul", [down, build.matMul(x, across)]));
};

/** With the middle of pixels Keys's kernel has a = -0.5 and forgets what lies outside; else it is -0.75. */
const openBicubic = resize(
  (_, mode) => ({
    mode: "cubic",
    cubicCoeffA: mode === "half_pixel" ? -0.5 : -0.75,
    excludeOutside: mode === "half_pixel",
  }),
  true,
);

/** TensorFlow rounds down, or at the middle of pixels and of corners half up. */
const nearestModes: ReadonlyMap<CoordinateMode, NearestMode> = new Map([
  ["asymmetric", "floor"],
  ["half_pixel", "round_prefer_ceil"],
  ["align_corners", "round_prefer_ceil"],
]);

export const resizeRows: OperatorRows = [
  ["ResizeBicubic", bicubic],
  ["ResizeBilinear", resize(() => ({ mode: "linear" }), true)],
  [
    "ResizeNearestNeighbor",
    resize((_, mode) => ({ mode: "nearest", nearestMode: nearestModes.get(mode) ?? "floor" }), false),
  ],
];
