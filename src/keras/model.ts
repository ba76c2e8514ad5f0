/** @file Models as Keras has them: layers that are composed, trained, judged and saved together. */
import type { Dataset, PixelRecipe } from "../data/index.ts";
import type { Provenance } from "../model/index.ts";
import { GraftError, unreachable } from "../tensor/index.ts";
import { Judge, type Loss, type Optimizer } from "../training/index.ts";
import { composeModel, upToLoss, widthOf } from "./compose.ts";
import { engine, printIfPossible } from "./engine.ts";
import { fitModel, type History, type ModelFitOptions } from "./fitting.ts";
import { Layer, type LayerOptions } from "./layer.ts";
import { type LossName, lossOf, type OptimizerName } from "./losses.ts";
import { outputsOf, type PixelSource, pixelsInMemory, pixelsOfDataset } from "./predicting.ts";
import { describeData, type FittedOn, modelBytes } from "./saving.ts";
import type { KerasShape } from "./shape.ts";
import { type SummaryOptions, type SummaryRow, summarize } from "./summary.ts";

export type ModelOptions = LayerOptions;

export interface ModelCompileOptions {
  readonly optimizer?: Optimizer | OptimizerName;
  /** Default: Keras's for the optimizer. */
  readonly learningRate?: number;
  /** Default: by the number of outputs, binary or softmax cross-entropy of logits. */
  readonly loss?: Loss | LossName;
}

/** A base, by name, and where it came from. */
export interface Origin {
  readonly name: string;
  readonly provenance: Provenance;
}

export interface LossAndAccuracy {
  readonly loss: number;
  /** The share that is right; absent where the loss is of no classes. */
  readonly accuracy?: number;
}

export interface BatchOptions {
  /** Default: 32. */
  readonly batchSize?: number;
}

/** Layers that are composed, trained, judged and saved together. Pictures go in as RGB, 0–255. */
export abstract class Model extends Layer {
  #compiled: ModelCompileOptions = {};
  #fittedOn: FittedOn | undefined;

  /** The layers, in order; as in Keras, a sequential model does not count its input layer. */
  abstract get layers(): readonly Layer[];

  /** What goes in, `[null, height, width, channels]`. */
  abstract get inputShape(): KerasShape;

  /** What the summary lists. */
  abstract get summaryRows(): readonly SummaryRow[];

  /** Whether each layer takes the output of the one before. */
  abstract get isChain(): boolean;

  protected override get sublayers(): readonly Layer[] {
    return this.layers;
  }

  /** How pictures become pixels of the model's size: a base's own way where there is one. */
  get recipe(): PixelRecipe {
    const [, height, width] = this.inputShape;
    if (typeof height === "number" && typeof width === "number" && this.inputShape.length === 4) {
      return { height, width, method: "bilinear", aspect: "stretch" };
    }
    throw new GraftError("usage", "the model does not say how large its pictures are", {
      path: [`model "${this.name}"`],
      hint: "begin with layers.inputLayer({ shape: [height, width, 3] }), or give the base an inputShape",
    });
  }

  /** The base inside, where one says where it came from. */
  get origin(): Origin | undefined {
    return this.layers.flatMap((layer) => (layer instanceof Model ? (layer.origin ?? []) : []))[0];
  }

  /** The layer of that name. Throws GraftError `usage`, with the names there are, where there is none. */
  getLayer(name: string): Layer {
    const found = this.layers.find((layer) => layer.name === name);
    if (found !== undefined) return found;
    const names = this.layers.map((layer) => layer.name);
    throw new GraftError("usage", `the model has no layer "${name}"`, {
      path: [`model "${this.name}"`],
      hint: `it has ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}`,
    });
  }

  /** The text that Keras prints: layers, shapes, numbers of parameters. It is also shown to the user. */
  summary(options: SummaryOptions = {}): string {
    const text = summarize(
      {
        name: this.name,
        rows: this.summaryRows,
        isChain: this.isChain,
        trainable: this.trainableVariables,
        frozen: this.nonTrainableVariables,
      },
      options,
    );
    const print = options.print ?? printIfPossible;
    if (print !== false) print(text);
    return text;
  }

  /** What `fit` and `evaluate` take where their own options do not say. */
  compile(options: ModelCompileOptions): void {
    this.#compiled = options;
  }

  /**
   * Trains what is trainable, as Keras's `fit` does: dropout and batch norm behave as in training, and the history of
   * the epochs comes back. Every model that holds the trained layers sees their variables changed.
   *
   * @throws GraftError `usage` where nothing is trainable or an option lies outside its range; `bad-data` for a picture
   *   that does not decode
   */
  async fit(dataset: Dataset, options: ModelFitOptions = {}): Promise<History> {
    const history = await fitModel(this, dataset, { ...this.#compiled, ...options });
    this.#fittedOn = await describeData(dataset, options.validationData);
    return history;
  }

  /** The loss, and the share of examples that are classified right. */
  async evaluate(
    dataset: Dataset,
    options: BatchOptions & { readonly loss?: Loss | LossName } = {},
  ): Promise<LossAndAccuracy> {
    const { runtime } = await engine().platform();
    const { graph } = composeModel(this, "uint8");
    const loss = lossOf(options.loss ?? this.#compiled.loss, widthOf(graph));
    const source = pixelsOfDataset(dataset, this.recipe);
    const outputs = await outputsOf(runtime, upToLoss(graph, loss), source, options.batchSize ?? 32);
    const judge = new Judge(dataset.labels, loss, runtime);
    try {
      const { accuracy, ...judged } = await judge.judge(outputs);
      return { ...judged, ...(accuracy === undefined ? {} : { accuracy }) };
    } finally {
      await judge.close();
    }
  }

  /**
   * What the model says of each example: a row of its output. Pixels are RGB 0–255, `[examples, height, width, 3]`
   * one after another.
   */
  async predict(input: Dataset | Uint8Array | Float32Array, options: BatchOptions = {}): Promise<Float32Array[]> {
    const source = this.#sourceOf(input);
    const { runtime } = await engine().platform();
    const outputs = await outputsOf(runtime, composeModel(this, source.dtype).graph, source, options.batchSize ?? 32);
    const width = outputs.length / Math.max(source.count, 1);
    return Array.from({ length: source.count }, (_, row) => outputs.slice(row * width, (row + 1) * width));
  }

  /**
   * Writes the model as ONNX: input `image`, uint8 `[N, height, width, channels]`, and its output. After `fit`, one that
   * tells classes apart becomes an artifact, which `graft predict` takes: outputs `probabilities` and `logits`.
   */
  async save(path: string): Promise<void> {
    const door = engine();
    const { runtime } = await door.platform();
    const bytes = await modelBytes({
      name: this.name,
      graph: composeModel(this, "uint8").graph,
      recipe: this.recipe,
      base: this.origin,
      fittedOn: this.#fittedOn,
      versions: { graftwork: door.version(), runtime: `${runtime.name} ${runtime.version}` },
    });
    await door.writeFile(path, bytes);
  }

  #sourceOf(input: Dataset | Uint8Array | Float32Array): PixelSource {
    if (!(input instanceof Uint8Array || input instanceof Float32Array)) return pixelsOfDataset(input, this.recipe);
    const sizes = this.inputShape.slice(1).map((size) => size ?? unreachable("an open size"));
    return pixelsInMemory(input, sizes);
  }
}
