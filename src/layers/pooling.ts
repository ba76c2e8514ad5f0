/** @file Pools: windows of a map reduced to one element, and whole maps. */
import type { Value } from "../graph/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { Flow, LayerCall, LayerDefinition, LowerLayer } from "./layer.ts";
import { asLast, expectRank, floatAt, fromMaps, mapsOf } from "./orient.ts";
import { padsOf, windowOf } from "./windows.ts";

/** Keras leaves padding out of the mean, and below every maximum, as ONNX does. */
function pool(operator: "MaxPool" | "AveragePool", rank: number): LowerLayer {
  return (inputs, call) => {
    const input = floatAt(inputs, call);
    expectRank(input, rank + 2);
    const x = mapsOf(input, call);
    const window = windowOf(call, rank, "pool_size");
    const attributes = { kernelShape: [...window.kernel], strides: [...window.strides], ...padsOf(x, window) };
    return fromMaps(call, call.build.apply(operator, [x], attributes, call.name));
  };
}

function globalPool(operator: "GlobalAveragePool" | "GlobalMaxPool", rank: number): LowerLayer {
  return (inputs, call) => {
    const { build, config, name } = call;
    const input = floatAt(inputs, call);
    expectRank(input, rank + 2);
    const keepsAxes = config.boolean("keepdims", false);
    if (operator === "GlobalAveragePool" && rank === 1 && input.mask !== undefined) {
      return maskedMean(input, input.mask, call, keepsAxes);
    }
    const x = mapsOf(input, call);
    if (keepsAxes) return fromMaps(call, build.apply(operator, [x], {}, name));
    return asLast(call, build.apply("Flatten", [build.apply(operator, [x], {}, `${name}/pool`)], {}, name));
  };
}

/** The mean over the steps that count: GlobalAveragePooling1D with a mask `[N, time]`. */
function maskedMean(input: Flow, mask: Value, call: LayerCall, keepsAxes: boolean): Flow {
  const { build, config, name } = call;
  const isFirst = config.get("data_format") === "channels_first";
  const axis = isFirst ? 2 : 1;
  const weights = build.unsqueeze(build.cast(mask, "float32"), [isFirst ? 1 : 2]);
  const sum = build.reduceSum(build.mul(input.data.last(), weights), [axis], keepsAxes);
  const count = build.reduceSum(weights, [axis], keepsAxes);
  return asLast(call, build.apply("Div", [sum, count], {}, name));
}

/** Windows that share a map out evenly: output i looks at ⌊i·size / count⌋ to ⌈(i + 1)·size / count⌉. */
function adaptivePool(operator: "ReduceMax" | "ReduceMean", rank: number): LowerLayer {
  return (inputs, call) => {
    const { build, config, name } = call;
    const input = floatAt(inputs, call);
    expectRank(input, rank + 2);
    const counts = config.counts("output_size", rank);
    const pooled = counts.reduce(
      (x, count, index) => {
        const axis = index + 2;
        const size = x.shape?.[axis];
        if (typeof size !== "number" || count < 1 || count > mostWindows) {
          throw new GraftError("model-refused", "it can share out only a map of a known size", {
            actual: `${count} windows`,
          });
        }
        const parts = Array.from({ length: count }, (_, part) => {
          const [start, end] = [Math.floor((part * size) / count), Math.ceil(((part + 1) * size) / count)];
          return build.apply(operator, [build.slice(x, [start], [end], [axis]), build.ints([axis])]);
        });
        return build.apply("Concat", parts, { axis }, index === rank - 1 ? name : "Concat");
      },
      mapsOf(input, call),
    );
    return fromMaps(call, pooled);
  };
}

/** The most windows an axis is shared out to. */
const mostWindows = 1024;

const ranks = [1, 2, 3] as const;

export const poolingLayers: readonly (readonly [string, LayerDefinition])[] = ranks.flatMap((rank) => [
  [`MaxPooling${rank}D`, { lower: pool("MaxPool", rank) }],
  [`AveragePooling${rank}D`, { lower: pool("AveragePool", rank) }],
  [`GlobalAveragePooling${rank}D`, { lower: globalPool("GlobalAveragePool", rank) }],
  [`AdaptiveMaxPooling${rank}D`, { lower: adaptivePool("ReduceMax", rank) }],
  [`AdaptiveAveragePooling${rank}D`, { lower: adaptivePool("ReduceMean", rank) }],
  [`GlobalMaxPooling${rank}D`, { lower: globalPool("GlobalMaxPool", rank) }],
]);
