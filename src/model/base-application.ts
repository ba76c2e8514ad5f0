/** @file From a Keras weights file to the model it belongs to: recognised by layer names and shapes, its weights put in place. */
import { type Family, type FamilyOptions, families } from "../applications/index.ts";
import type { LayeredGraph } from "../graph/index.ts";
import type { KerasWeightFile, StoredLayer } from "../importers/index.ts";
import type { WeightSource, WeightSpec } from "../layers/index.ts";
import { elementCount, GraftError, showShape } from "../tensor/index.ts";

/** A family, and the options under which its weights are those of a file. */
export interface RecognizedApplication {
  readonly family: Family;
  readonly alpha: number;
  readonly includeTop: boolean;
  /** With the top: how many classes it tells apart. */
  readonly classes: number | undefined;
}

/** Widths that nobody publishes are tried in steps of 0.05. */
const otherAlphas = Array.from({ length: 40 }, (_, index) => (index + 1) / 20);

/**
 * Which model of keras.applications the weights belong to, by the number, order and shapes of all of them.
 *
 * @throws GraftError `model-refused` where no family has such weights
 */
export function recognizeApplication({ layers }: KerasWeightFile): RecognizedApplication {
  const weighted = layers.filter(({ weights }) => weights.length > 0);
  const kernel = weighted.at(-1)?.weights.find(({ shape }) => shape.length === 2);
  for (const family of families) {
    for (const alpha of [...family.alphas, ...otherAlphas]) {
      const classes = kernel?.shape[1];
      const options: FamilyOptions = { alpha, includeTop: kernel !== undefined, ...(classes && { classes }) };
      if (fits(family, { ...options, inputShape: [64, 64, 3] }, weighted)) {
        return { family, alpha, includeTop: kernel !== undefined, classes };
      }
    }
  }
  const first = weighted[0]?.weights[0];
  throw new GraftError("model-refused", "the weights are of no model that can be built here", {
    expected: `the weights of ${families.map(({ name }) => name).join(", ")}`,
    actual:
      first === undefined
        ? "no weights"
        : `${weighted.length} layers, the first "${first.name}" ${showShape(first.shape)}`,
    hint: "save the model as .onnx, which any model can be given as",
  });
}

/**
 * The model with the file's weights. Layers are matched by name where all names match, by their order otherwise, as
 * Keras does; shapes are always compared.
 *
 * @throws GraftError `model-invalid`, naming the layer, where the weights do not fit; `usage` for options Keras refuses
 */
export function applicationWithWeights(family: Family, options: FamilyOptions, file: KerasWeightFile): LayeredGraph {
  return family.build(options, weightsInOrder(file.layers.filter(({ weights }) => weights.length > 0)));
}

class Mismatch extends Error {}

function fits(family: Family, options: FamilyOptions, layers: readonly StoredLayer[]): boolean {
  const stored = layers.flatMap(({ weights }) => weights);
  let position = 0;
  try {
    family.build(options, ({ shape }) => {
      const weight = stored[position++];
      if (weight === undefined || !isSameShape(weight.shape, shape)) throw new Mismatch();
      return new Float32Array(elementCount(shape));
    });
  } catch (error) {
    if (error instanceof Mismatch) return false;
    throw error;
  }
  return position === stored.length;
}

/** Gives the weights of the stored layer of that name; of the next, once a name is not found. */
function weightsInOrder(layers: readonly StoredLayer[]): WeightSource {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  let current: { readonly name: string; readonly layer: StoredLayer | undefined } | undefined;
  let asked = 0;
  let position = 0;
  return ({ layer, weight, shape }: WeightSpec) => {
    if (current?.name !== layer) {
      current = { name: layer, layer: byName.get(layer) ?? layers[asked] };
      asked++;
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
