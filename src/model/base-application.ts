/** @file From a Keras weights file to the model it belongs to: recognised by the shapes of its weights, which are then put in place. */
import {
  type ApplicationLayout,
  buildApplication,
  type Family,
  type FamilyOptions,
  families,
} from "../applications/index.ts";
import type { LayeredGraph } from "../graph/index.ts";
import type { KerasWeightFile, StoredLayer } from "../importers/index.ts";
import type { WeightSource, WeightSpec } from "../layers/index.ts";
import { elementCount, GraftError, showShape } from "../tensor/index.ts";

/** A family, and the options under which its weights are those of a file. */
export interface RecognizedApplication {
  readonly family: Family;
  /** What a model with these weights is built with, as far as the weights tell: any size of pictures may be added. */
  readonly options: FamilyOptions;
}

type Layers = readonly StoredLayer[];

function publishedAlphas({ published }: Family): ReadonlySet<number> {
  return new Set(published.map(({ alpha = 1 }) => alpha));
}

/** In steps of 0.05. */
function otherAlphas({ options }: Family): readonly number[] {
  return options.includes("alpha") ? Array.from({ length: 40 }, (_, index) => (index + 1) / 20) : [];
}

/**
 * Which model of keras.applications the weights belong to, by the number, order and shapes of all of them.
 *
 * @throws GraftError `model-refused` where no family has such weights
 */
export function recognizeApplication({ layers }: KerasWeightFile): RecognizedApplication {
  const weighted = layers.filter(({ weights }) => weights.length > 0);
  // What is published comes first: of the many other widths there are few files.
  for (const alphasOf of [publishedAlphas, otherAlphas]) {
    for (const family of families) {
      for (const options of candidates(family, alphasOf(family), weighted)) {
        if (!fits(family, options, weighted)) continue;
        const { inputShape: _, ...variant } = options;
        return { family, options: { ...variant, ...imageNetOnly(weighted) } };
      }
    }
  }
  const first = weighted[0]?.weights[0];
  throw new GraftError("model-refused", "the weights are of no model of keras.applications", {
    expected: `the weights of ${families.map(({ name }) => name).join(", ")}`,
    actual:
      first === undefined
        ? "no weights"
        : `${weighted.length} layers, the first "${first.name}" ${showShape(first.shape)}`,
    hint: "give the whole model, with its architecture: model.save('model.keras')",
  });
}

/**
 * The model with the file's weights. Layers are matched by name where all names are there, by their order otherwise, as
 * Keras does; shapes are always compared.
 *
 * @throws GraftError `model-invalid`, naming the layer, where the weights do not fit; `usage` for options Keras refuses
 */
export function applicationWithWeights(
  family: Family,
  options: FamilyOptions,
  file: KerasWeightFile,
  layout?: ApplicationLayout,
): LayeredGraph {
  const weighted = file.layers.filter(({ weights }) => weights.length > 0);
  try {
    return buildApplication(family, options, weightsByName(weighted), layout);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    return buildApplication(family, options, weightsInOrder(weighted), layout);
  }
}

class Mismatch extends Error {}

/** The options under which a family could have such weights. */
function* candidates(family: Family, alphas: Iterable<number>, layers: Layers): Generator<FamilyOptions> {
  const classes = classesOf(layers);
  const side = Math.max(64, family.smallestSide);
  for (const alpha of alphas) {
    for (const minimalistic of family.options.includes("minimalistic") ? [false, true] : [false]) {
      const variant = { ...(alpha !== 1 && { alpha }), ...(minimalistic && { minimalistic }) };
      // The weights of a top may depend on the size of pictures, which is then the default.
      if (classes !== undefined) yield { ...variant, includeTop: true, classes };
      else yield { ...variant, includeTop: false, inputShape: [side, side, 3] };
    }
  }
}

/** How many classes the weights tell apart: a top ends with a dense layer or a convolution of 1×1, which no map does. */
function classesOf(layers: Layers): number | undefined {
  const [kernel = [], bias = [], ...others] = layers.at(-1)?.weights.map(({ shape }) => shape) ?? [];
  const isPointwise = kernel.length >= 2 && kernel.slice(0, -2).every((side) => side === 1);
  return isPointwise && bias.length === 1 && others.length === 0 ? bias[0] : undefined;
}

function fits(family: Family, options: FamilyOptions, layers: Layers): boolean {
  const stored = layers.flatMap(({ weights }) => weights);
  let zeros = new Float32Array(2 ** 16);
  let position = 0;
  try {
    buildApplication(family, options, ({ shape }) => {
      const weight = stored[position++];
      if (weight === undefined || !isSameShape(weight.shape, shape)) throw new Mismatch();
      const count = elementCount(shape);
      if (zeros.length < count) zeros = new Float32Array(count);
      return zeros.subarray(0, count);
    });
  } catch (error) {
    if (error instanceof Mismatch) return false;
    throw error;
  }
  return position === stored.length;
}

const imageNetDeviation = [0.229, 0.224, 0.225];

/**
 * EfficientNet's published weights keep deviations of ImageNet where its Normalization has variances, for which Keras scales
 * once more, only for them. Weights trained on from there keep these numbers; weights made otherwise do not have them.
 */
function imageNetOnly(layers: Layers): Pick<FamilyOptions, "weights"> {
  const statistics = layers[0]?.weights ?? [];
  if (statistics.length !== 3) return {};
  const variance = statistics[1]?.read() ?? [];
  const isImageNet = imageNetDeviation.every((value, channel) => Math.abs(value - (variance[channel] ?? 0)) < 1e-4);
  return isImageNet ? { weights: "imagenet" } : {};
}

function weightsByName(layers: Layers): WeightSource {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  return placed((name) => {
    const found = byName.get(name);
    if (found === undefined) throw new Mismatch();
    return found;
  });
}

function weightsInOrder(layers: Layers): WeightSource {
  let asked = 0;
  return placed(() => layers[asked++]);
}

/** Gives the weights of the stored layers that `layerOf` finds for the model's, one after the other. */
function placed(layerOf: (name: string) => StoredLayer | undefined): WeightSource {
  let current: { readonly name: string; readonly layer: StoredLayer | undefined } | undefined;
  let position = 0;
  return ({ layer, weight, shape }: WeightSpec) => {
    // A nested model is one layer in files, with the weights of all inside.
    const [name = ""] = layer.split("/");
    if (current?.name !== name) {
      current = { name, layer: layerOf(name) };
      position = 0;
    }
    const stored = current.layer?.weights[position++];
    if (stored === undefined || !isSameShape(stored.shape, shape)) {
      throw new GraftError("model-invalid", "the file's weights do not fit the model", {
        path: [`layer "${layer}"`, weight],
        expected: showShape(shape),
        actual: stored === undefined ? "nothing" : `"${stored.name}" ${showShape(stored.shape)}`,
      });
    }
    return stored.read();
  };
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
