/** @file `hub.kerasLayer(handle)`: any model from a hub or a file as a layer, as TensorFlow Hub's users write it. */
import type { Graph } from "../graph/index.ts";
import { wholeModel } from "../model/index.ts";
import { type OpenOptions, openModel } from "../model/open-model-node.ts";
import { cutAfter } from "../passes/index.ts";
import { GraftError } from "../tensor/index.ts";
import type { BaseModel } from "./base-model.ts";
import { HubLayer, type HubLayerOptions } from "./hub-layer.ts";

export interface KerasLayerOptions
  extends Pick<HubLayerOptions, "outputShape" | "arguments" | "name">,
    Pick<OpenOptions, "offline" | "onProgress" | "signal" | "customLayers" | "limits"> {
  /** Whether `fit` trains what the module lists as trainable. Default: false, as in TensorFlow Hub. May be set later. */
  readonly trainable?: boolean;
  /** Of a SavedModel: the signature, or the function of its root, that is run. Default: the root itself. */
  readonly signature?: string;
  /** The name of the output that is taken. Needed where there are several. */
  readonly outputKey?: string;
  /** `[height, width, channels]`, for modules that take pictures of any size. Default: the module's own. */
  readonly inputShape?: readonly [number, number, number];
}

export interface Hub {
  /**
   * A whole module as a layer of `sequential`: a SavedModel (TensorFlow Hub's, Kaggle's), ONNX, Keras or TensorFlow.js
   * model, by handle, address or path. Pictures go in as the module wants them: most image modules of TensorFlow Hub take
   * [0, 1], which `layers.rescaling({ scale: 1 / 255 })` in front makes.
   *
   * @throws GraftError as `openModel`; `usage` for options that do not fit the module; `model-refused` where it takes more
   *   than one input
   */
  kerasLayer(handle: string, options?: KerasLayerOptions): Promise<BaseModel>;
}

export const hub: Hub = {
  kerasLayer: async (handle, options = {}) => {
    const { trainable = false, signature, outputKey, inputShape, name, outputShape, ...others } = options;
    const model = await openModel(handle, { ...others, ...(signature && { callable: signature }) });
    const place = model.provenance.source;
    try {
      const graph = withOneOutput(model.graph, outputKey);
      const [height, width] = inputShape ?? [];
      const size = height === undefined || width === undefined ? undefined : ([height, width] as const);
      const whole = wholeModel({ graph, layers: model.layers }, size);
      const layer = new HubLayer(whole, {
        trainable,
        outputShape,
        arguments: others.arguments,
        provenance: model.provenance,
        ...(name && { name }),
        ...(model.range && { range: model.range.range }),
      });
      return layer;
    } catch (error) {
      throw error instanceof GraftError ? error.at(place) : error;
    }
  },
};

/** The graph up to the output of that name, or the only one. */
function withOneOutput(graph: Graph, key: string | undefined): Graph {
  const { outputs } = graph;
  const output = key === undefined && outputs.length === 1 ? outputs[0] : outputs.find(({ name }) => name === key);
  if (output !== undefined) return outputs.length === 1 ? graph : cutAfter(graph, [output]);
  throw new GraftError(
    "usage",
    key === undefined ? "the module gives several outputs" : `it gives no output "${key}"`,
    {
      actual: outputs.map(({ name }) => name).join(", "),
      hint: "outputKey says which is taken",
    },
  );
}
