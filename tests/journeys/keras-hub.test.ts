import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { layers, memoryDataset, sequential } from "graftwork";
import { hub, readModelFile } from "graftwork/node";
import { describe, expect, it } from "vitest";

const shared = resolve(import.meta.dirname, "../../../shared/models");
const archive = join(shared, "hub/tf2_mobilenet_v2_100_224_feature_vector.tar.gz");
const pocket = resolve(import.meta.dirname, "../../models/pocket.onnx");

/** Eight pictures of two colours. */
function colours(side: number) {
  const pictures = Array.from({ length: 8 }, (_, index) => {
    const data = new Uint8Array(side * side * 3);
    for (let at = 0; at < data.length; at++) data[at] = at % 3 === index % 2 ? 220 : 20 + index;
    return { height: side, width: side, data, label: index % 2 };
  });
  return pictures;
}

describe("hub.kerasLayer", () => {
  it.skipIf(!existsSync(archive))(
    "makes a layer of a module of the hub, frozen at first, and trains it when it is told to",
    async () => {
      const module = await hub.kerasLayer(archive, { outputShape: [1280], name: "module" });
      expect(module.inputShape).toEqual([null, 224, 224, 3]);
      expect(module.range?.name).toBe("[0, 1]");
      expect(module.trainableVariables).toEqual([]);
      const model = sequential([
        layers.inputLayer({ shape: [224, 224, 3] }),
        layers.rescaling({ scale: 1 / 255 }),
        module,
        layers.dense({ units: 2, activation: "softmax" }),
      ]);
      const text = model.summary({ print: false });
      expect(text).toContain("module (KerasLayer)");
      expect(text).toContain("2,257,984");
      expect(text).toContain("Trainable params: 2,562");
      expect(model.trainableVariables).toHaveLength(2);
      module.trainable = true;
      // The module lists 156 trainable variables; its moving statistics are none of them.
      expect(model.trainableVariables).toHaveLength(158);
      module.trainable = false;
      const pixels = new Uint8Array(224 * 224 * 3).map((_, index) => (index * 7) % 256);
      const [row] = await model.predict(pixels, { batchSize: 1 });
      expect((row?.[0] ?? 0) + (row?.[1] ?? 0)).toBeCloseTo(1, 5);
      const folder = mkdtempSync(join(tmpdir(), "hub-"));
      try {
        await model.save(join(folder, "model.onnx"));
        const { graph } = await readModelFile(join(folder, "model.onnx"));
        expect(graph.inputs[0]?.shape?.slice(1)).toEqual([224, 224, 3]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    120_000,
  );

  it("fits, evaluates and leaves a frozen module as it was", async () => {
    const module = await hub.kerasLayer(pocket, { arguments: { training: false }, inputShape: [96, 96, 3] });
    expect(module.className).toBe("KerasLayer");
    const dataset = await memoryDataset(colours(96), ["red", "green"]);
    const isMap = module.outputShape(module.inputShape).length === 4;
    const model = sequential([
      layers.inputLayer({ shape: [96, 96, 3] }),
      layers.rescaling({ scale: 1 / 127.5, offset: -1 }),
      module,
      ...(isMap ? [layers.globalAveragePooling2d()] : []),
      layers.dense({ units: 2, activation: "softmax" }),
    ]);
    const before = module.weights.map(({ value }) => value);
    await model.fit(dataset, { epochs: 8, batchSize: 8, optimizer: "adam", learningRate: 0.01 });
    expect(module.weights.every(({ value }, index) => value === before[index])).toBe(true);
    expect((await model.evaluate(dataset)).accuracy).toBe(1);
    module.trainable = true;
    await model.fit(dataset, { epochs: 1, batchSize: 8, optimizer: "adam", learningRate: 1e-5 });
    expect(module.weights.some(({ value }, index) => value !== before[index])).toBe(true);
  }, 120_000);

  it("refuses a wrong outputShape, unknown arguments and outputs that are not there", async () => {
    await expect(hub.kerasLayer(pocket, { outputShape: [7] })).rejects.toThrow(/another shape than outputShape/);
    await expect(hub.kerasLayer(pocket, { arguments: { return_maps: true } })).rejects.toThrow(/this argument/);
    await expect(hub.kerasLayer(pocket, { arguments: { training: true } })).rejects.toThrow(/set trainable instead/);
    await expect(hub.kerasLayer(pocket, { outputKey: "logits2" })).rejects.toThrow(/no output "logits2"/);
  });
});
