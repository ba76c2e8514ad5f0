/** @file NASNet-A (Zoph et al. 2017) with Keras's layer names: keras.applications.nasnet. */
import { classified, paddingBeforeStride } from "./blocks.ts";
import { type Family, kerasApplications, published } from "./family.ts";
import type { FunctionalModel, KerasTensor, LayerConfig } from "./functional.ts";

/** The paper's "N @ P", and what else tells variants apart. */
interface Architecture {
  /** Normal cells between two reductions: N. */
  readonly blocks: number;
  /** Filters of the last cells' map: P. */
  readonly penultimateFilters: number;
  readonly stemFilters: number;
  /** Whether the cell after a reduction also sees what went into the reduction, not what went into the cell before. */
  readonly skipsReduction: boolean;
}

/** What a cell takes: the map before it, and the one before that. */
interface Cell {
  readonly model: FunctionalModel;
  readonly filters: number;
  readonly id: string;
  readonly input: KerasTensor;
  readonly earlier: KerasTensor | undefined;
}

const normalization = { epsilon: 1e-3, momentum: 0.9997 };

const body =
  ({ blocks, penultimateFilters, stemFilters, skipsReduction }: Architecture): Family["body"] =>
  (model, input, options) => {
    const filters = Math.floor(penultimateFilters / 24);
    const stem = { filters: stemFilters, kernel_size: 3, strides: 2, padding: "valid", use_bias: false };
    let x = model.layer("Conv2D", "stem_conv1", stem, input);
    x = model.layer("BatchNormalization", "stem_bn1", normalization, x);
    let earlier: KerasTensor | undefined;
    const follow = (cell: (of: Cell) => KerasTensor, id: string, width: number): KerasTensor => {
      const before = x;
      x = cell({ model, filters: width, id, input: x, earlier });
      return before;
    };
    earlier = follow(reductionCell, "stem_1", Math.floor(filters / 4));
    earlier = follow(reductionCell, "stem_2", Math.floor(filters / 2));
    for (let stage = 0; stage < 3; stage++) {
      const width = filters * 2 ** stage;
      if (stage > 0) {
        const before = follow(reductionCell, `reduce_${stage * blocks}`, width);
        if (!skipsReduction) earlier = before;
      }
      for (let index = 0; index < blocks; index++) {
        // Keras leaves out a number at each reduction.
        earlier = follow(normalCell, `${stage * blocks + index + Math.min(stage, 1)}`, width);
      }
    }
    x = model.layer("Activation", undefined, { activation: "relu" }, x);
    return classified(model, x, options);
  };

function normalCell({ model, filters, id, input, earlier }: Cell): KerasTensor {
  const p = adjusted({ model, filters, id, input, earlier });
  const h = squeezed(model, input, filters, (part) => `normal_${part}_1_${id}`);
  const block = (from: KerasTensor, side: number, part: string) =>
    separable(model, from, { filters, side, strides: 1, id: `normal_${part}_${id}` });
  const average = (from: KerasTensor, part: string) =>
    model.layer("AveragePooling2D", `normal_${part}_${id}`, { pool_size: 3, strides: 1, padding: "same" }, from);
  const sum = (index: number, a: KerasTensor, b: KerasTensor) =>
    model.layer("Add", `normal_add_${index}_${id}`, {}, a, b);
  const sums = [
    sum(1, block(h, 5, "left1"), block(p, 3, "right1")),
    sum(2, block(p, 5, "left2"), block(p, 3, "right2")),
    sum(3, average(h, "left3"), p),
    sum(4, average(p, "left4"), average(p, "right4")),
    sum(5, block(h, 3, "left5"), h),
  ];
  return model.layer("Concatenate", `normal_concat_${id}`, {}, p, ...sums);
}

function reductionCell({ model, filters, id, input, earlier }: Cell): KerasTensor {
  const p = adjusted({ model, filters, id, input, earlier });
  const h = squeezed(model, input, filters, (part) => `reduction_${part}_1_${id}`);
  const padded = model.layer("ZeroPadding2D", `reduction_pad_1_${id}`, { padding: paddingBeforeStride(h, 3) }, h);
  const block = (from: KerasTensor, side: number, strides: 1 | 2, part: string) =>
    separable(model, from, { filters, side, strides, id: `reduction_${part}_${id}` });
  const pool = (className: string, part: string) =>
    model.layer(className, `reduction_${part}_${id}`, { pool_size: 3, strides: 2, padding: "valid" }, padded);
  const sum = (name: string | undefined, a: KerasTensor, b: KerasTensor) => model.layer("Add", name, {}, a, b);
  const first = sum(`reduction_add_1_${id}`, block(h, 5, 2, "left1"), block(p, 7, 2, "right1"));
  const second = sum(`reduction_add_2_${id}`, pool("MaxPooling2D", "left2"), block(p, 7, 2, "right2"));
  const third = sum(`reduction_add3_${id}`, pool("AveragePooling2D", "left3"), block(p, 5, 2, "right3"));
  const averaged = { pool_size: 3, strides: 1, padding: "same" };
  const fourth = sum(undefined, second, model.layer("AveragePooling2D", `reduction_left4_${id}`, averaged, first));
  const fifth = sum(`reduction_add4_${id}`, block(first, 3, 1, "left4"), pool("MaxPooling2D", "right5"));
  return model.layer("Concatenate", `reduction_concat_${id}`, {}, second, third, fourth, fifth);
}

/** The map before the last, brought to the size and the channels of the cell. */
function adjusted({ model, filters, id, input, earlier }: Cell): KerasTensor {
  if (earlier === undefined) return input;
  const [, width, channels] = earlier.shape;
  if (width !== input.shape[1]) return halved(model, earlier, filters, id);
  if (channels === filters) return earlier;
  const rectified = model.layer("Activation", undefined, { activation: "relu" }, earlier);
  const projected = model.layer("Conv2D", `adjust_conv_projection_${id}`, pointwise(filters), rectified);
  return model.layer("BatchNormalization", `adjust_bn_${id}`, normalization, projected);
}

/** Every second element, half of the channels each from the even and the odd places. */
function halved(model: FunctionalModel, input: KerasTensor, filters: number, id: string): KerasTensor {
  const rectified = model.layer("Activation", `adjust_relu_1_${id}`, { activation: "relu" }, input);
  const half = (index: number, from: KerasTensor) => {
    const every = { pool_size: 1, strides: 2, padding: "valid" };
    const picked = model.layer("AveragePooling2D", `adjust_avg_pool_${index}_${id}`, every, from);
    return model.layer("Conv2D", `adjust_conv_${index}_${id}`, pointwise(Math.floor(filters / 2)), picked);
  };
  const even = half(1, rectified);
  const ends = (begin: number, end: number) => [
    [begin, end],
    [begin, end],
  ];
  const padded = model.layer("ZeroPadding2D", undefined, { padding: ends(0, 1) }, rectified);
  const odd = half(2, model.layer("Cropping2D", undefined, { cropping: ends(1, 0) }, padded));
  const both = model.layer("Concatenate", undefined, {}, even, odd);
  return model.layer("BatchNormalization", `adjust_bn_${id}`, normalization, both);
}

function squeezed(
  model: FunctionalModel,
  input: KerasTensor,
  filters: number,
  name: (part: "conv" | "bn") => string,
): KerasTensor {
  const rectified = model.layer("Activation", undefined, { activation: "relu" }, input);
  const h = model.layer("Conv2D", name("conv"), pointwise(filters), rectified);
  return model.layer("BatchNormalization", name("bn"), normalization, h);
}

/** Twice rectifier, separable convolution and batch norm; the first takes the strides. */
function separable(
  model: FunctionalModel,
  input: KerasTensor,
  {
    filters,
    side,
    strides,
    id,
  }: { readonly filters: number; readonly side: number; readonly strides: 1 | 2; readonly id: string },
): KerasTensor {
  const config = { filters, kernel_size: side, use_bias: false };
  let x = model.layer("Activation", undefined, { activation: "relu" }, input);
  if (strides === 2) {
    x = model.layer("ZeroPadding2D", `separable_conv_1_pad_${id}`, { padding: paddingBeforeStride(x, side) }, x);
  }
  const padding = strides === 2 ? "valid" : "same";
  x = model.layer("SeparableConv2D", `separable_conv_1_${id}`, { ...config, strides, padding }, x);
  x = model.layer("BatchNormalization", `separable_conv_1_bn_${id}`, normalization, x);
  x = model.layer("Activation", undefined, { activation: "relu" }, x);
  x = model.layer("SeparableConv2D", `separable_conv_2_${id}`, { ...config, padding: "same" }, x);
  return model.layer("BatchNormalization", `separable_conv_2_bn_${id}`, normalization, x);
}

function pointwise(filters: number): LayerConfig {
  return { filters, kernel_size: 1, padding: "same", use_bias: false };
}

const folder = `${kerasApplications}nasnet/`;

/** What both variants have in common. Whether a cell halves the map before the last is told from the sizes. */
const common = {
  options: [],
  preprocessing: "tf",
  smallestSide: 32,
  isOfKnownSize: true,
  license: "Apache-2.0",
} as const;

export const nasNetFamilies: readonly Family[] = [
  {
    ...common,
    name: "NASNetMobile",
    modelName: () => "nasnet_mobile",
    body: body({ blocks: 4, penultimateFilters: 1056, stemFilters: 32, skipsReduction: false }),
    defaultSize: 224,
    published: published(
      folder,
      ["nasnet_mobile.h5", "020fb642bf7360b370c678b08e0adf61", "NASNet-mobile.h5"],
      ["nasnet_mobile_no_top.h5", "1ed92395b5b598bdda52abe5c0dbfd63", "NASNet-mobile-no-top.h5"],
    ),
    accuracy: 0.744,
    parameters: 5_326_716,
  },
  {
    ...common,
    name: "NASNetLarge",
    modelName: () => "nasnet_large",
    body: body({ blocks: 6, penultimateFilters: 4032, stemFilters: 96, skipsReduction: true }),
    defaultSize: 331,
    published: published(
      folder,
      ["nasnet_large.h5", "11577c9a518f0070763c2b964a382f17", "NASNet-large.h5"],
      ["nasnet_large_no_top.h5", "d81d89dc07e6e56530c4e77faddd61b5", "NASNet-large-no-top.h5"],
    ),
    accuracy: 0.825,
    parameters: 88_949_818,
  },
];
