/** @file What EfficientNet and EfficientNetV2 share: squeeze and excite, the sum around a block, names. */
import type { PoolNames } from "./blocks.ts";
import type { FunctionalModel, KerasTensor, LayerConfig } from "./functional.ts";

/** The share of blocks that training drops, growing from the first block to the last (`drop_connect_rate`). */
export const dropConnectRate = 0.2;

/** The names of a convolution, of its batch norm, and of its swish where it has one. */
interface Step {
  readonly className: "Conv2D" | "DepthwiseConv2D";
  readonly layer: string;
  readonly norm: string;
  readonly activation?: string;
  readonly config: LayerConfig;
}

/** A convolution without bias and its batch norm, and swish where it has a name. */
export function convolved(
  model: FunctionalModel,
  { className, layer, norm, activation, config }: Step,
  momentum: number,
  x: KerasTensor,
): KerasTensor {
  const y = model.layer(className, layer, { padding: "same", ...config, use_bias: false }, x);
  const normalized = model.layer("BatchNormalization", norm, { momentum }, y);
  return activation === undefined
    ? normalized
    : model.layer("Activation", activation, { activation: "swish" }, normalized);
}

/** Squeeze and excite (Hu et al. 2017): every map is weighed by what all maps' averages say. */
export function excited(model: FunctionalModel, name: string, squeezed: number, x: KerasTensor): KerasTensor {
  const convolution = (filters: number, activation: string) => ({
    filters,
    kernel_size: 1,
    padding: "same",
    activation,
  });
  let weights = model.layer("GlobalAveragePooling2D", `${name}se_squeeze`, {}, x);
  weights = model.layer("Reshape", `${name}se_reshape`, { target_shape: [1, 1, x.channels] }, weights);
  weights = model.layer("Conv2D", `${name}se_reduce`, convolution(squeezed, "swish"), weights);
  weights = model.layer("Conv2D", `${name}se_expand`, convolution(x.channels, "sigmoid"), weights);
  return model.layer("Multiply", `${name}se_excite`, {}, x, weights);
}

/** The block's result plus its input; training drops whole results at `rate`. */
export function added(
  model: FunctionalModel,
  name: string,
  rate: number,
  x: KerasTensor,
  input: KerasTensor,
): KerasTensor {
  // Dropped or kept as one for each picture.
  const noise = [null, 1, 1, 1];
  const kept = rate > 0 ? model.layer("Dropout", `${name}drop`, { rate, noise_shape: noise }, x) : x;
  return model.layer("Add", `${name}add`, {}, kept, input);
}

/** How the pools and the classifier's dropout are called. */
export function lastNames(
  dropout: number,
): PoolNames & { readonly dropout: { readonly name: string; readonly rate: number } } {
  return { top: "avg_pool", avg: "avg_pool", max: "max_pool", dropout: { name: "top_dropout", rate: dropout } };
}

/** Convolution `<name>_conv` with batch norm `<name>_bn` and swish `<name>_activation`. */
export function step(name: string, config: LayerConfig): Step {
  return { className: "Conv2D", layer: `${name}_conv`, norm: `${name}_bn`, activation: `${name}_activation`, config };
}

/** Pointwise convolution `<name>project_conv` with batch norm `<name>project_bn`. */
export function projection(name: string, filters: number): Step {
  return {
    className: "Conv2D",
    layer: `${name}project_conv`,
    norm: `${name}project_bn`,
    config: { filters, kernel_size: 1 },
  };
}

/** The name of a stage's `index`-th block: `block2a_`. */
export function blockName(stage: number, index: number): string {
  return `block${stage + 1}${String.fromCharCode("a".charCodeAt(0) + index)}_`;
}
