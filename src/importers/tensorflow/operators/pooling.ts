/** @file Pools and the neighbourhood normalization that comes with them. */
import type { Call, Lower, OperatorRows } from "./call.ts";
import { inner, mapOf, padsOf, type Window, windowOf } from "./window.ts";

function pool(operator: "MaxPool" | "AveragePool", spatial: number, sizes?: (call: Call) => Sizes): Lower {
  return (call) => {
    const own = windowOf(call, spatial);
    const { kernel, window } = sizes === undefined ? attributeSizes(call, own) : sizesOf(sizes(call), own);
    const { x, wrap } = mapOf(call, 0, window.isFirst);
    const pads = padsOf(call, x.shape?.slice(2) ?? [], kernel, window);
    return wrap(call.apply(operator, [x], { kernelShape: kernel, strides: window.strides, ...pads }));
  };
}

/** Window sizes and strides with an entry an axis, batch and channels included. */
interface Sizes {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
}

function attributeSizes(call: Call, window: Window) {
  const kernel = call.ints("ksize", []);
  const whole = window.isFirst ? kernel.slice(0, 2) : [kernel[0], kernel.at(-1)];
  if (whole.some((side) => side !== 1)) throw call.refused("a pool over the batch or the channels is not supported");
  return { kernel: inner(kernel, window.isFirst), window };
}

function sizesOf({ kernel, strides }: Sizes, own: Window) {
  return { kernel: inner(kernel, own.isFirst), window: { ...own, strides: inner(strides, own.isFirst) } };
}

/** x / (bias + alpha·Σ x²)^beta over neighbouring channels; ONNX divides alpha by the number of neighbours. */
const localResponse: Lower = (call) => {
  const size = 2 * call.int("depth_radius", 5) + 1;
  const { x, wrap } = mapOf(call, 0, false);
  const [bias, alpha, beta] = [call.float("bias", 1), call.float("alpha", 1), call.float("beta", 0.5)];
  return wrap(call.apply("LRN", [x], { size, bias, alpha: alpha * size, beta }));
};

export const poolingRows: OperatorRows = [
  ["AvgPool", pool("AveragePool", 2)],
  ["AvgPool3D", pool("AveragePool", 3)],
  ["LRN", localResponse],
  ["MaxPool", pool("MaxPool", 2)],
  ["MaxPool3D", pool("MaxPool", 3)],
  ["MaxPoolV2", pool("MaxPool", 2, (call) => ({ kernel: call.integers(1), strides: call.integers(2) }))],
];
