/**
 * @file The case study: "Transfer learning and fine-tuning", the official Keras tutorial, step by step, with the figures
 * it prints at each step.
 *
 *     node --import ./scripts/source.js examples/cats-and-dogs-keras.ts [FOLDER] [--epochs 10] [--image-size 160]
 *
 * FOLDER has train/ and validation/ with a folder a class in each; by default the cats and dogs beside this checkout.
 * `--train` and `--validation` name two folders instead, `--weights` an official .h5 file without the top, and `--json`
 * prints one document on standard output and everything else on standard error.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  adam,
  augmented,
  type Callback,
  layers,
  randomFlip,
  randomRotation,
  rmsprop,
  sequential,
  subset,
} from "graftwork";
import { applications, imageFolder } from "graftwork/node";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    train: { type: "string" },
    validation: { type: "string" },
    weights: { type: "string" },
    epochs: { type: "string", default: "10" },
    "image-size": { type: "string", default: "160" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const epochs = Number(options.epochs);
const size = Number(options["image-size"]);
const seed = Number(options.seed);
const batchSize = 32;
const started = performance.now();
const say = (text: string) => (options.json ? process.stderr : process.stdout).write(`${text}\n`);
const digits = (value: number | undefined) => (value ?? Number.NaN).toFixed(4);

// Data: pictures of one size, in batches of 32; of the validation photos a fifth is set aside as the test set.
const folder = positionals[0] ?? here("../../shared/data/cats_and_dogs");
const [trainFolder, validationFolder] = [
  options.train ?? join(folder, "train"),
  options.validation ?? join(folder, "validation"),
];
const whole = { validationFraction: 0, testFraction: 0 };
const photos = await imageFolder(trainFolder, whole);
const others = await imageFolder(validationFolder, whole);
const { classNames } = photos;
const positions = others.train.labels.map((_, index) => index);
const test = subset(
  others.train,
  positions.filter((index) => index % 5 === 0),
);
const validation = subset(
  others.train,
  positions.filter((index) => index % 5 !== 0),
);
for (const [photoFolder, { train }] of [
  [trainFolder, photos],
  [validationFolder, others],
] as const) {
  say(`Found ${train.labels.length} files belonging to ${classNames.length} classes: ${photoFolder}`);
}
say(`Number of validation batches: ${Math.ceil(validation.labels.length / batchSize)}`);
say(`Number of test batches: ${Math.ceil(test.labels.length / batchSize)}`);

// Augmentation: random flips and rotations, while training only.
const train = augmented(photos.train, [randomFlip({ mode: "horizontal" }), randomRotation({ factor: 0.2 })]);

// The base: MobileNetV2 without its top, frozen.
const base = await applications.mobileNetV2({
  inputShape: [size, size, 3],
  includeTop: false,
  weights: options.weights ?? localWeights() ?? "imagenet",
});
base.trainable = false;
say(`Feature batch shape: ${shapeOf(batchSize, base.outputShape(base.inputShape))}`);
say(base.summary({ print: false }));

// The head: pooling, dropout and one dense layer on top of the base in inference mode.
const isBinary = classNames.length === 2;
const model = sequential(
  [
    layers.inputLayer({ shape: [size, size, 3] }),
    layers.rescaling({ scale: 1 / 127.5, offset: -1 }),
    base.call({ training: false }),
    layers.globalAveragePooling2d(),
    layers.dropout({ rate: 0.2 }),
    layers.dense({ units: isBinary ? 1 : classNames.length, activation: isBinary ? "sigmoid" : "softmax" }),
  ],
  { seed },
);
say(model.summary({ print: false }));
say(`Number of trainable variables: ${model.trainableVariables.length}`);

// Before training.
const initial = await model.evaluate(validation);
say(`initial loss: ${initial.loss.toFixed(2)}`);
say(`initial accuracy: ${initial.accuracy?.toFixed(2)}`);

// Feature extraction: the head alone, with Adam.
const baseRate = 1e-4;
const history = await model.fit(train, {
  epochs,
  batchSize,
  optimizer: adam(),
  learningRate: baseRate,
  validationData: validation,
  seed,
  callbacks: [epochLines(epochs)],
});
const frozen = await model.evaluate(others.train);

// Fine-tuning: the layers from 100 on, with RMSprop and a tenth of the rate.
base.trainable = true;
say(`Number of layers in the base model: ${base.layers.length}`);
const fineTuneAt = 100;
for (const layer of base.layers.slice(0, fineTuneAt)) layer.trainable = false;
say(model.summary({ print: false }));
say(`Number of trainable variables: ${model.trainableVariables.length}`);
await model.fit(train, {
  epochs: 2 * epochs,
  initialEpoch: history.epoch.length,
  batchSize,
  optimizer: rmsprop(),
  learningRate: baseRate / 10,
  validationData: validation,
  seed,
  callbacks: [epochLines(2 * epochs)],
});

// Evaluation and prediction.
const { accuracy } = await model.evaluate(others.train);
const tested = await model.evaluate(test);
say(`Test accuracy: ${digits(tested.accuracy)}`);
// Spread over the test set, which stands in the order of its classes.
const stride = Math.max(1, Math.floor(test.labels.length / batchSize));
const batch = subset(test, [...test.labels.keys()].filter((index) => index % stride === 0).slice(0, batchSize));
const outputs = await model.predict(batch);
// A sigmoid's answer is class 1 from one half on; of several outputs the largest counts.
const predicted = outputs.map((row) => (isBinary ? Number((row[0] ?? 0) >= 0.5) : row.indexOf(Math.max(...row))));
say(`Predictions: ${predicted.join(" ")}`);
say(`Labels:      ${batch.labels.join(" ")}`);
await Promise.all([photos.close(), others.close()]);
if (options.json) {
  const seconds = (performance.now() - started) / 1000;
  const figures = { accuracy, frozenAccuracy: frozen.accuracy, testAccuracy: tested.accuracy, initial, seconds };
  process.stdout.write(`${JSON.stringify({ schema: 1, classNames, ...figures })}\n`);
}

/** A line an epoch, as Keras prints it. */
function epochLines(last: number): Callback {
  return {
    onEpochEnd: ({ epoch, seconds, loss, accuracy: share, valLoss, valAccuracy }) => {
      const figures = `accuracy: ${digits(share)} - loss: ${digits(loss)} - val_accuracy: ${digits(valAccuracy)} - val_loss: ${digits(valLoss)}`;
      say(`Epoch ${epoch + 1}/${last} - ${seconds.toFixed(0)}s - ${figures}`);
    },
  };
}

/** `(32, 5, 5, 1280)`. */
function shapeOf(count: number, [, ...sizes]: readonly (number | null)[]): string {
  return `(${[count, ...sizes].join(", ")})`;
}

/** An official file beside the photos, for this size or for 224 px: enough to work without a network. */
function localWeights(): string | undefined {
  const paths = [size, 224].map((rows) =>
    here(
      `../../shared/models/keras_applications/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_${rows}_no_top.h5`,
    ),
  );
  return paths.find((path) => existsSync(path));
}
