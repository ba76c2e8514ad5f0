/**
 * @file "Transfer learning with TensorFlow Hub", as a layer: a feature vector of the hub, frozen, under one dense layer;
 * then its last layers are tuned.
 *
 *     node --import ./scripts/source.js examples/cats-and-dogs-hub.ts [FOLDER] [--epochs 5] [--from block_16_expand]
 *
 * FOLDER has train/ and validation/ with a folder a class in each; by default the cats and dogs beside this checkout.
 * `--module` is any handle: an address on tfhub.dev or Kaggle, a folder, an archive. `--from` names the part of the module
 * that fine-tuning begins at (`--from all`: the whole of it). `--photos` takes no more than that many of each folder.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { adam, type Callback, layers, sequential, subset } from "graftwork";
import { hub, imageFolder } from "graftwork/node";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    module: { type: "string", default: here("../../shared/models/hub/tf2_mobilenet_v2_100_224_feature_vector.tar.gz") },
    epochs: { type: "string", default: "5" },
    from: { type: "string", default: "block_16_expand" },
    photos: { type: "string" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const epochs = Number(options.epochs);
const seed = Number(options.seed);
const say = (text: string) => (options.json ? process.stderr : process.stdout).write(`${text}\n`);

// Data: photos in a folder a class.
const folder = positionals[0] ?? here("../../shared/data/cats_and_dogs");
const whole = { validationFraction: 0, testFraction: 0 };
const photos = await imageFolder(`${folder}/train`, whole);
const others = await imageFolder(`${folder}/validation`, whole);
const { classNames } = photos;
const train = some(photos.train);
const validation = some(others.train);
say(`${train.labels.length} photos to learn from, ${validation.labels.length} to judge by: ${classNames.join(", ")}`);

// The module, frozen, under one dense layer. Image modules of the hub take [0, 1].
const module = await hub.kerasLayer(options.module, { trainable: false });
const model = sequential(
  [
    layers.inputLayer({ shape: module.inputShape.slice(1) }),
    layers.rescaling({ scale: 1 / 255 }),
    module.call({ training: false }),
    layers.dropout({ rate: 0.2 }),
    layers.dense({ units: classNames.length, activation: "softmax" }),
  ],
  { seed },
);
model.summary({ print: say });
const fitting = { epochs, validationData: validation, seed, callbacks: [epochLines(epochs)] };
const history = await model.fit(train, { ...fitting, optimizer: adam(), learningRate: 1e-3 });
const frozen = await model.evaluate(validation);
say(`Frozen: accuracy ${frozen.accuracy?.toFixed(4)}, loss ${frozen.loss.toFixed(4)}`);

// Fine-tuning: the module is trainable from a layer on, with a hundredth of the rate.
module.trainable = true;
const start = options.from === "all" ? 0 : module.layers.findIndex(({ name }) => name.includes(options.from));
if (start < 0) throw new RangeError(`the module has no layer called ${options.from}`);
for (const layer of module.layers.slice(0, start)) layer.trainable = false;
say(`Number of trainable variables: ${model.trainableVariables.length}`);
await model.fit(train, {
  ...fitting,
  epochs: 2 * epochs,
  callbacks: [epochLines(2 * epochs)],
  initialEpoch: history.epoch.length,
  optimizer: adam(),
  learningRate: 1e-5,
});
const tuned = await model.evaluate(validation);
say(`Fine-tuned: accuracy ${tuned.accuracy?.toFixed(4)}, loss ${tuned.loss.toFixed(4)}`);
await Promise.all([photos.close(), others.close()]);
if (options.json) {
  const figures = { accuracy: tuned.accuracy, frozenAccuracy: frozen.accuracy };
  process.stdout.write(`${JSON.stringify({ schema: 1, classNames, ...figures })}\n`);
}

/** A line an epoch. */
function epochLines(last: number): Callback {
  return {
    onEpochEnd: ({ epoch, seconds, loss, valLoss, valAccuracy = Number.NaN }) => {
      const judged = `val_accuracy: ${valAccuracy.toFixed(4)} - val_loss: ${valLoss?.toFixed(4)}`;
      say(`Epoch ${epoch + 1}/${last} - ${seconds.toFixed(0)}s - loss: ${loss.toFixed(4)} - ${judged}`);
    },
  };
}

/** As many of the photos as `--photos` says, evenly among them. */
function some(dataset: typeof photos.train): typeof photos.train {
  const count = dataset.labels.length;
  const kept = Math.min(count, Number(options.photos ?? count));
  return subset(
    dataset,
    Array.from({ length: kept }, (_, index) => Math.floor((index * count) / kept)),
  );
}
