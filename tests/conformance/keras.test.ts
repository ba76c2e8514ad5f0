import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";
import { buildApplication, familyNamed, randomWeights } from "../../src/applications/index.ts";
import {
  type ActivationName,
  BaseModel,
  clearSession,
  type Layer,
  layers,
  type Model,
  sequential,
} from "../../src/keras/index.ts";
import "../../src/node.ts";
import { memoryDataset, subset } from "../../src/data/index.ts";
import { numbersOf, type Tensor, tensorOf } from "../../src/tensor/index.ts";
import { readNpz } from "../../src/testing/index.ts";

/** What Keras says, by make_keras_fixtures.py. */
const folder = new URL("../fixtures/keras/", import.meta.url);
interface Fixture {
  readonly summaries: Readonly<Record<string, string>>;
  readonly cascade: readonly (readonly [string, number, number, number, number])[];
  readonly paths: readonly string[];
  readonly names: readonly string[];
  readonly layers: readonly string[];
}
const fixture = JSON.parse(readFileSync(new URL("keras.json", folder), "utf8")) as Fixture;
const arrays = readNpz(fileURLToPath(new URL("keras.npz", folder)));
const array = (name: string): Tensor => arrays.get(name) ?? expect.fail(`no array ${name}`);
const print = false;

function small(): Model {
  return sequential([
    layers.inputLayer({ shape: [6, 5, 3] }),
    layers.rescaling({ scale: 1 / 127.5, offset: -1 }),
    layers.dense({ units: 4, activation: "relu" }),
    layers.batchNormalization(),
    layers.flatten(),
    layers.dropout({ rate: 0.5 }),
    layers.dense({ units: 7, useBias: false }),
    layers.batchNormalization({ momentum: 0.9, epsilon: 1e-2, scale: false }),
    layers.activation("tanh"),
    layers.dense({ units: 3, activation: "softmax" }),
  ]);
}

function pooled(pooling: Layer, activation: ActivationName): Model {
  return sequential([
    layers.inputLayer({ shape: [6, 5, 3] }),
    layers.rescaling({ scale: [0.01, 0.02, 0.03], offset: [-1, -2, -3] }),
    pooling,
    layers.dense({ units: 4 }),
    layers.activation(activation),
  ]);
}

function tutorial(): { readonly base: BaseModel; readonly model: Model } {
  const base = new BaseModel(
    buildApplication(familyNamed("MobileNetV2"), { inputShape: [160, 160, 3], includeTop: false }, randomWeights()),
  );
  const model = sequential([
    layers.inputLayer({ shape: [160, 160, 3] }),
    layers.rescaling({ scale: 1 / 127.5, offset: -1 }),
    base,
    layers.globalAveragePooling2d(),
    layers.dropout({ rate: 0.2 }),
    layers.dense({ units: 1 }),
  ]);
  return { base, model };
}

beforeEach(clearSession);

describe("summary", () => {
  it("is what Keras prints of layers, at any width, with what is trainable", () => {
    const model = small();
    expect(model.summary({ print })).toBe(fixture.summaries["small"]);
    expect(model.summary({ print, lineLength: 60 })).toBe(fixture.summaries["small_60"]);
    expect(model.summary({ print, showTrainable: true })).toBe(fixture.summaries["small_trainable"]);
  });

  it("is what Keras prints of a model that does not know its input", () => {
    expect(sequential([layers.dropout({ rate: 0.1 }), layers.dense({ units: 2 })]).summary({ print })).toBe(
      fixture.summaries["unbuilt"],
    );
  });

  it("breaks long names as Keras does", () => {
    const name = "a layer whose name is much too long for one line_of_the_table_and_goes_on_and_on_for_ever";
    const model = sequential([layers.inputLayer({ shape: [3] }), layers.dense({ units: 1234567, name })], {
      name: "long",
    });
    expect(model.summary({ print })).toBe(fixture.summaries["long"]);
  });

  it("is what Keras prints of the tutorial's model, trainable, frozen, nested and from layer 100 on", () => {
    const { base, model } = tutorial();
    expect(model.summary({ print })).toBe(fixture.summaries["tutorial_trainable"]);
    base.trainable = false;
    expect(model.summary({ print })).toBe(fixture.summaries["tutorial_frozen"]);
    expect(model.summary({ print, expandNested: true })).toBe(fixture.summaries["tutorial_nested"]);
    base.trainable = true;
    for (const layer of base.layers.slice(0, 100)) layer.trainable = false;
    expect(model.summary({ print })).toBe(fixture.summaries["tutorial_from_100"]);
  });

  it("says what each layer of a base is connected to", () => {
    const { base } = tutorial();
    base.trainable = false;
    expect(base.summary({ print })).toBe(fixture.summaries["base"]);
  });
});

describe("names", () => {
  it("are Keras's, counted by class", () => {
    const made = [
      layers.dense({ units: 2 }),
      layers.dense({ units: 2 }),
      layers.globalAveragePooling2d(),
      layers.batchNormalization(),
      layers.globalMaxPooling2d(),
      layers.inputLayer({ shape: [2] }),
      sequential([]),
      sequential([]),
    ];
    expect(made.map(({ name }) => name)).toEqual(fixture.names);
  });

  it("of MobileNetV2's layers stand in Keras's order", () => {
    expect(tutorial().base.layers.map(({ name }) => name)).toEqual(fixture.layers);
  });
});

describe("trainable", () => {
  it("goes from models to layers and variables as in Keras", () => {
    const { base, model } = tutorial();
    const counts: (readonly [string, ...number[]])[] = [];
    const note = (what: string) => {
      const owners = [base, model].flatMap((each) => [
        each.trainableVariables.length,
        each.nonTrainableVariables.length,
      ]);
      counts.push([what, ...owners]);
    };
    note("built");
    base.trainable = false;
    note("base frozen");
    const third = base.layers.at(-3) ?? expect.fail("no layer");
    third.trainable = true;
    note("one layer of the frozen base trainable");
    model.trainable = true;
    note("model trainable");
    for (const layer of base.layers.slice(0, 100)) layer.trainable = false;
    note("layers before 100 frozen");
    model.trainable = false;
    note("model frozen");
    base.trainable = true;
    note("base trainable in a frozen model");
    expect(counts).toEqual(fixture.cascade);
  });

  it("lists variables in Keras's order", () => {
    expect(small().trainableVariables.map(({ path }) => path)).toEqual(fixture.paths);
  });
});

describe("prediction", () => {
  const cases: readonly [string, () => Model][] = [
    ["small", small],
    ["maximum", () => pooled(layers.globalMaxPooling2d(), "linear")],
    ...[...arrays.keys()].flatMap((name): [string, () => Model][] => {
      const activation = /^average_(.*)\/output$/.exec(name)?.[1];
      return activation === undefined
        ? []
        : [[`average_${activation}`, () => pooled(layers.globalAveragePooling2d(), activation as ActivationName)]];
    }),
  ];

  it("covers every activation that Keras was asked for", () => {
    expect(cases.length).toBe(15);
  });

  it.each(cases)("of %s is Keras's", async (name, make) => {
    const model = make();
    for (const variable of model.weights) {
      const { shape, ...tensor } = array(`${name}/${variable.path}`);
      variable.assign(tensorOf("float32", shape, numbersOf({ shape, ...tensor } as Tensor)));
    }
    const rows = await model.predict(Float32Array.from(numbersOf(array("x"))));
    const wanted = numbersOf(array(`${name}/output`));
    const actual = rows.flatMap((row) => [...row]);
    expect(worst(actual, wanted)).toBeLessThanOrEqual(1e-5 * Math.max(1, ...wanted.map(Math.abs)));
  });
});

describe("fit", () => {
  it("trains as Keras does: history, weights and moving statistics, the last batch smaller", async () => {
    const model = sequential([
      layers.inputLayer({ shape: [6, 5, 3] }),
      layers.rescaling({ scale: 1 / 127.5, offset: -1 }),
      layers.dense({ units: 5, name: "wide" }),
      layers.batchNormalization({ name: "norm", momentum: 0.8 }),
      layers.activation("relu"),
      layers.globalAveragePooling2d(),
      layers.dense({ units: 3, activation: "softmax", name: "kinds" }),
    ]);
    const bias = model.weights.find(({ path }) => path === "wide/bias") ?? expect.fail("no bias");
    bias.trainable = false;
    for (const variable of model.weights) {
      const { shape } = variable;
      variable.assign(tensorOf("float32", shape, numbersOf(array(`fit/start/${variable.path}`))));
    }
    const pixels = Uint8Array.from(numbersOf(array("fit/x")));
    const labels = numbersOf(array("fit/labels"));
    const dataset = await memoryDataset(
      labels.map((label, index) => ({ width: 5, height: 6, data: pixels.slice(index * 90, (index + 1) * 90), label })),
      ["a", "b", "c"],
    );
    const { epoch, history, frozenDigest } = await model.fit(dataset, {
      epochs: 5,
      batchSize: 4,
      optimizer: "adam",
      learningRate: 0.01,
      shuffle: false,
      validationData: subset(dataset, [0, 1, 2, 3]),
    });
    expect(epoch).toEqual([0, 1, 2, 3, 4]);
    expect(worst(history.loss ?? [], numbersOf(array("fit/loss")))).toBeLessThan(1e-4);
    expect(worst(history.accuracy ?? [], numbersOf(array("fit/accuracy")))).toBeLessThan(1e-6);
    expect(worst(history.valLoss ?? [], numbersOf(array("fit/val_loss")))).toBeLessThan(1e-4);
    expect(worst(history.valAccuracy ?? [], numbersOf(array("fit/val_accuracy")))).toBeLessThan(1e-6);
    for (const { path, value } of model.weights) {
      expect(worst(numbersOf(value), numbersOf(array(`fit/end/${path}`))), path).toBeLessThan(1e-4);
    }
    expect(frozenDigest.after).toBe(frozenDigest.before);
    const { loss, accuracy } = await model.evaluate(subset(dataset, [0, 1, 2, 3]));
    expect([loss, accuracy]).toEqual([history.valLoss?.at(-1), history.valAccuracy?.at(-1)]);
  });
});

/** The largest difference. */
function worst(actual: readonly number[], wanted: readonly number[]): number {
  if (actual.length !== wanted.length) return Number.POSITIVE_INFINITY;
  return Math.max(...actual.map((value, index) => Math.abs(value - (wanted[index] ?? Number.NaN))));
}
