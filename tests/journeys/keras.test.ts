import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { attachHead, BaseModel, concatenate, layers, type Model, sequential } from "graftwork";
import { applications, drawSample, imageFolder, loadBase, loadModel } from "graftwork/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const weights = join(
  root,
  "../shared/models/keras_applications/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
);

let folder = "";
let photos: Awaited<ReturnType<typeof imageFolder>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "graft keras ✂ "));
  process.env["GRAFT_CACHE"] = join(folder, "cache");
  await drawSample(join(folder, "photos"), { perClass: 16 });
  photos = await imageFolder(join(folder, "photos"), { validationFraction: 0.25, testFraction: 0 });
});

afterAll(async () => {
  await photos.close();
  delete process.env["GRAFT_CACHE"];
  rmSync(folder, { recursive: true, force: true });
});

const weightsOf = (model: Model) => Buffer.concat(model.weights.map(({ value: { data } }) => Buffer.from(data.buffer)));

describe("a head on a base, by the Keras interface", () => {
  it("learns, says what it learnt, and goes on as an artifact that says the same", async () => {
    const base = new BaseModel(await loadBase("pocket"));
    base.trainable = false;
    const model = attachHead(base, { classes: 3, dropout: 0.1 });
    const before = weightsOf(base);
    const { history, frozenDigest } = await model.fit(photos.train, {
      epochs: 12,
      optimizer: "adam",
      learningRate: 0.003,
      validationData: photos.validation,
    });
    expect(history.loss?.length).toBe(12);
    expect(history.loss?.at(-1)).toBeLessThan(history.loss?.[0] ?? 0);
    expect(frozenDigest.after).toBe(frozenDigest.before);
    expect(weightsOf(base).equals(before)).toBe(true);
    const judged = await model.evaluate(photos.validation);
    expect(judged.accuracy).toBeGreaterThan(0.6);
    const path = join(folder, "head.onnx");
    await model.save(path);
    const saved = readFileSync(path);
    await model.save(path);
    expect(readFileSync(path).equals(saved)).toBe(true);
    const classifier = await loadModel(path);
    expect(classifier.classNames).toEqual(photos.classNames);
    expect((await classifier.evaluate(photos.validation)).accuracy).toBeCloseTo(judged.accuracy ?? Number.NaN, 10);
    await classifier.close();
  });

  it("tunes a base whose batch norms follow its batches, and the base is changed for every model", async () => {
    const base = await applications.mobileNetV2({
      inputShape: [32, 32, 3],
      alpha: 0.35,
      includeTop: false,
      weights: null,
    });
    for (const layer of base.layers.slice(0, 130)) layer.trainable = false;
    const head = () => [
      layers.inputLayer({ shape: [32, 32, 3] }),
      layers.rescaling({ scale: 1 / 127.5, offset: -1 }),
      base,
      layers.globalAveragePooling2d(),
      layers.dense({ units: 3 }),
    ];
    const [model, other] = [sequential(head(), { seed: 1 }), sequential(head(), { seed: 1 })];
    const start = await other.predict(photos.validation);
    const moving = base.weights.find(({ path }) => path === "Conv_1_bn/moving_mean") ?? expect.fail("no statistics");
    const mean = [...moving.value.data];
    await model.fit(concatenate([photos.train]), { epochs: 1, batchSize: 12, optimizer: "sgd" });
    expect([...moving.value.data]).not.toEqual(mean);
    expect(await other.predict(photos.validation)).not.toEqual(start);
  });

  it("one output for two classes becomes an artifact of two", async () => {
    const two = {
      ...photos.train,
      classNames: ["no", "yes"],
      labels: photos.train.labels.map((label) => Number(label === 0)),
    };
    const model = sequential([
      layers.inputLayer({ shape: [16, 16, 3] }),
      layers.rescaling({ scale: 1 / 255 }),
      layers.flatten(),
      layers.dense({ units: 1, activation: "sigmoid" }),
    ]);
    await model.fit(two, { epochs: 1 });
    const path = join(folder, "two.onnx");
    await model.save(path);
    const classifier = await loadModel(path);
    const logits = await classifier.logits(two);
    const yes = await model.predict(two);
    yes.forEach(([probability = Number.NaN], row) => {
      const [no = 0, logit = 0] = logits.subarray(row * 2, row * 2 + 2);
      expect(1 / (1 + Math.exp(no - logit))).toBeCloseTo(probability, 5);
    });
    await classifier.close();
  });
});

describe("the case study", () => {
  it.skipIf(!existsSync(weights))("runs on any folder, from the base to a prediction", async () => {
    const script = join(root, "examples/cats-and-dogs-keras.ts");
    const data = join(folder, "photos");
    const args = [
      "--train",
      data,
      "--validation",
      data,
      "--weights",
      weights,
      "--epochs",
      "1",
      "--image-size",
      "64",
      "--json",
    ];
    const source = ["--import", join(root, "scripts/source.js")];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [...source, script, ...args], {
      maxBuffer: 2 ** 24,
    });
    const { accuracy, classNames } = JSON.parse(stdout) as { accuracy: number; classNames: string[] };
    expect(classNames).toEqual(photos.classNames);
    expect(accuracy).toBeGreaterThan(0.3);
    for (const line of [
      "Found 48 files belonging to 3 classes",
      "Feature batch shape: (32, 2, 2, 1280)",
      "Number of trainable variables: 2\n",
      "Number of layers in the base model: 154",
      "Number of trainable variables: 56\n",
      "Epoch 1/1",
      "Epoch 2/2",
      "Test accuracy: ",
    ]) {
      expect(stderr).toContain(line);
    }
  });
});
