/** @file The arguments of applications: Keras's defaults and checks (`obtain_input_shape`), for every family alike. */
import { GraftError } from "../tensor/index.ts";
import type { Family, FamilyOptions, InputShape, OwnOption, PublishedWeights, SettledOptions } from "./family.ts";

const ownDefaults = {
  alpha: 1,
  depthMultiplier: 1,
  dropout: 1e-3,
  dropoutRate: 0.2,
  minimalistic: false,
  includePreprocessing: true,
} as const satisfies { readonly [Name in OwnOption]: number | boolean };

/** The options with Keras's defaults. Throws GraftError `usage` where Keras refuses them, or where the family has no such option. */
export function settledOptions(family: Family, options: FamilyOptions): SettledOptions {
  const { includeTop = true, pooling = null, classes = 1000, classifierActivation = "softmax" } = options;
  const isImageNet = options.weights === "imagenet";
  for (const name of Object.keys(ownDefaults) as OwnOption[]) {
    if (options[name] !== undefined && !family.options.includes(name)) {
      refuse(family, `${family.name} has no option ${name}`, String(options[name]));
    }
  }
  const own = { ...ownDefaults, ...definedOnly(options) };
  const { alpha, depthMultiplier, dropout, dropoutRate } = own;
  if (!(alpha > 0 && Number.isFinite(alpha))) refuse(family, "alpha is a positive number", `${alpha}`);
  if (!isCount(depthMultiplier)) refuse(family, "depthMultiplier is a positive whole number", `${depthMultiplier}`);
  for (const rate of [dropout, dropoutRate]) {
    if (!(rate >= 0 && rate < 1)) refuse(family, "a dropout is a number from 0 to below 1", `${rate}`);
  }
  if (!isCount(classes)) refuse(family, "classes is a positive whole number", `${classes}`);
  if (pooling !== null && pooling !== "avg" && pooling !== "max") {
    refuse(family, 'pooling is "avg", "max" or null', String(pooling));
  }
  if (isImageNet && includeTop && classes !== 1000) {
    refuse(family, "with published weights the top has 1000 classes", `${classes}`);
  }
  if (isImageNet && includeTop && classifierActivation !== null && classifierActivation !== "softmax") {
    refuse(family, 'with published weights classifierActivation is "softmax" or null', classifierActivation);
  }
  const settled = {
    ...own,
    inputShape: inputShapeOf(family, options),
    includeTop,
    pooling,
    classes,
    classifierActivation,
    isImageNet,
  };
  return { ...settled, name: options.name ?? family.modelName(settled) };
}

/** Keras's rule: square pictures of a published size have weights of their own; all others take the default's. */
export function publishedSize(
  { published, defaultSize }: Family,
  [height, width]: readonly [number | null, number | null, ...unknown[]],
): number {
  return height !== null && height === width && published.some(({ size }) => size === height) ? height : defaultSize;
}

/**
 * The published weights that belong to the options, those for the size of its pictures.
 *
 * @throws GraftError `usage` where Keras publishes none for such options
 */
export function publishedFor(family: Family, options: FamilyOptions): PublishedWeights {
  const { alpha, minimalistic, depthMultiplier, includeTop, inputShape } = settledOptions(family, {
    ...options,
    weights: "imagenet",
  });
  if (depthMultiplier !== 1) {
    refuse(family, "weights are published for depthMultiplier 1", `${depthMultiplier}`);
  }
  const alike = family.published.filter((each) => (each.minimalistic ?? false) === minimalistic);
  const ofWidth = alike.filter((each) => (each.alpha ?? 1) === alpha);
  if (ofWidth.length === 0) {
    const alphas = [...new Set(alike.map((each) => each.alpha ?? 1))].sort((a, b) => a - b);
    refuse(family, `weights are published for alpha ${alphas.join(", ")}`, `${alpha}`);
  }
  const size = publishedSize(family, inputShape);
  const found = ofWidth.find((each) => each.includeTop === includeTop && (each.size ?? size) === size);
  return found ?? refuse(family, "there are published weights for every size", `${size}`);
}

function inputShapeOf(family: Family, { inputShape, includeTop = true, weights }: FamilyOptions): InputShape {
  const { defaultSize, smallestSide, isTopOfAnySize = false, isOfKnownSize = false } = family;
  const isTopOfOneSize = includeTop && !isTopOfAnySize;
  const needsSizes = isTopOfOneSize || isOfKnownSize;
  const shape: InputShape = inputShape ?? (needsSizes ? [defaultSize, defaultSize, 3] : [null, null, 3]);
  const [height, width, channels] = shape;
  if (shape.length !== 3 || !isCount(channels)) refuse(family, "inputShape is [height, width, channels]", show(shape));
  for (const side of [height, width]) {
    if (side === null && needsSizes) {
      const where = isOfKnownSize ? "" : "with the top, ";
      refuse(family, `${where}every size of inputShape is a number`, show(shape));
    }
    if (side !== null && !(isCount(side) && side >= smallestSide)) {
      refuse(family, `pictures are at least ${smallestSide}×${smallestSide}`, show(shape));
    }
  }
  if (weights === "imagenet") {
    if (channels !== 3) refuse(family, "published weights take pictures of 3 channels", show(shape));
    const size = publishedSize(family, shape);
    if (isTopOfOneSize && (height !== size || width !== size)) {
      refuse(family, `with the top, published weights take pictures of ${size}×${size}`, show(shape));
    }
  }
  return [height, width, channels];
}

/** The family's own options that were given. */
function definedOnly(options: FamilyOptions): Partial<Pick<SettledOptions, OwnOption>> {
  const names = (Object.keys(ownDefaults) as OwnOption[]).filter((name) => options[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, options[name]]));
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

function show(shape: readonly (number | null)[]): string {
  return `[${shape.map((size) => size ?? "null").join(", ")}]`;
}

function refuse(family: Family, expected: string, actual: string): never {
  throw new GraftError("usage", expected, { path: [family.name], actual });
}
