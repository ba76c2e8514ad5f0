/** @file Resizing of maps. */
import type { CoordinateMode, NearestMode, OperatorAttributes } from "../../../graph/index.ts";
import type { Call, Lower, OperatorRows } from "./call.ts";

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
    // ONNX Runtime resizes maps of four axes fastest when all four sizes are given; two axes leave the batch open.
    const sizes = known === undefined ? call.int64(1) : build.ints(known);
    return call.first(call.apply("Resize", [x, undefined, undefined, sizes], { ...attributes, axes: [2, 3] }));
  };
}

/** TensorFlow rounds down, or at the middle of pixels and of corners half up. */
const nearestModes: ReadonlyMap<CoordinateMode, NearestMode> = new Map([
  ["asymmetric", "floor"],
  ["half_pixel", "round_prefer_ceil"],
  ["align_corners", "round_prefer_ceil"],
]);

export const resizeRows: OperatorRows = [
  // With the middle of pixels Keys's kernel has a = -0.5 and forgets what lies outside; else it is -0.75 and repeats edges.
  [
    "ResizeBicubic",
    resize(
      (_, mode) => ({
        mode: "cubic",
        cubicCoeffA: mode === "half_pixel" ? -0.5 : -0.75,
        excludeOutside: mode === "half_pixel",
      }),
      true,
    ),
  ],
  ["ResizeBilinear", resize(() => ({ mode: "linear" }), true)],
  [
    "ResizeNearestNeighbor",
    resize((_, mode) => ({ mode: "nearest", nearestMode: nearestModes.get(mode) ?? "floor" }), false),
  ],
];
