/** @file Transposed convolutions: Keras's sizes and paddings, as ONNX says them. */
import { GraftError } from "../tensor/index.ts";
import { activated, isLinear } from "./activations.ts";
import { permuted } from "./kernels.ts";
import type { LayerDefinition, LowerLayer } from "./layer.ts";
import { channelAxis, expectRank, floatAt, fromMaps, mapsOf, sizeAt } from "./orient.ts";
import { windowOf } from "./windows.ts";

interface Sizes {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: string;
  readonly outputPadding: number | undefined;
}

/**
 * What is cut off at the begin and at the end of the full result, (size − 1)·stride + reach long; negative where it is
 * lengthened. Source: keras/src/backend/common/backend_utils.py and TensorFlow's gradient of a convolution.
 */
function cutOf({ kernel, stride, dilation, padding, outputPadding }: Sizes): readonly [begin: number, end: number] {
  const reach = (kernel - 1) * dilation + 1;
  if (padding === "valid") {
    // size·stride + max(reach − stride, 0) come out, unless the padding says otherwise.
    const extra = outputPadding ?? Math.max(stride - reach, 0);
    return [0, -extra];
  }
  if (padding !== "same") throw new GraftError("model-refused", "the padding is not known", { actual: padding });
  // size·stride come out, or (size − 1)·stride + reach − 2·⌊reach / 2⌋ + padding.
  const total = outputPadding === undefined ? reach - stride : 2 * Math.floor(reach / 2) - outputPadding;
  const begin = Math.max(0, Math.floor(total / 2));
  return [begin, total - begin];
}

function transposedConvolution(rank: number): LowerLayer {
  return (inputs, call) => {
    const { build, config, name } = call;
    const input = floatAt(inputs, call);
    expectRank(input, rank + 2);
    const channels = sizeAt(input, channelAxis(call));
    const filters = config.count("filters");
    const window = windowOf(call, rank, "kernel_size");
    const given = config.has("output_padding") ? config.counts("output_padding", rank) : undefined;
    // […spatial, out, in] to [in, out, …spatial].
    const spatial = window.kernel.map((_, axis) => axis);
    const kernel = call.weight("kernel", [...window.kernel, filters, channels], {
      toOnnx: permuted([rank + 1, rank, ...spatial]),
    });
    const bias = config.boolean("use_bias", true) ? call.weight("bias", [filters]) : undefined;
    const cuts = spatial.map((axis) =>
      cutOf({
        kernel: window.kernel[axis] ?? 1,
        stride: window.strides[axis] ?? 1,
        dilation: window.dilations[axis] ?? 1,
        padding: window.padding,
        outputPadding: given?.[axis],
      }),
    );
    const attributes = {
      strides: [...window.strides],
      dilations: [...window.dilations],
      kernelShape: [...window.kernel],
      pads: [...cuts.map(([begin]) => begin), ...cuts.map(([, end]) => Math.max(0, end))],
      outputPadding: cuts.map(([, end]) => Math.max(0, -end)),
    };
    const activation = config.get("activation");
    const own = isLinear(activation) ? name : `${name}/convolution`;
    const operands = [mapsOf(input, call), kernel, ...(bias === undefined ? [] : [bias])];
    return activated(fromMaps(call, build.apply("ConvTranspose", operands, attributes, own)), call, activation);
  };
}

export const transposedConvolutionLayers: readonly (readonly [string, LayerDefinition])[] = [
  ["Conv1DTranspose", { lower: transposedConvolution(1) }],
  ["Conv2DTranspose", { lower: transposedConvolution(2) }],
  ["Conv3DTranspose", { lower: transposedConvolution(3) }],
];
