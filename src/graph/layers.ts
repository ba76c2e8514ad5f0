/** @file Layers: named scopes of a graph. Everything is addressed by names, which are unique in a graph and outlive passes. */
import type { Graph } from "./graph.ts";

/** A tensor that belongs to a layer: an initializer of the graph. */
export interface LayerWeight {
  /** The initializer's name: `<layer>/<weight>`, such as `Conv1/kernel`, wherever the layer was built here. */
  readonly name: string;
  /** False for what gradients never change: the moving statistics of batch norm. */
  readonly isTrainable: boolean;
}

/** A named scope of a graph: the nodes between its inputs and its output, and the weights they read. */
export interface LayerScope {
  readonly name: string;
  /** Keras's class (`Conv2D`, `BatchNormalization`, `ReLU`), or the ONNX operator in a graph that came without layers. */
  readonly className: string;
  /** The names of the layers, or of the graph's inputs, whose outputs it takes. */
  readonly inputs: readonly string[];
  /** The name of the value it computes. */
  readonly output: string;
  /** What Keras would call its output shape, batch first and channels last: `[null, 80, 80, 32]`. */
  readonly outputShape: readonly (number | null)[] | undefined;
  /** The names of the values its nodes define. */
  readonly values: readonly string[];
  /** In Keras's order. */
  readonly weights: readonly LayerWeight[];
  /** Whether the file it came from trains it. Default: true. */
  readonly trainable?: boolean;
}

/** A graph whose nodes are grouped into layers, in an order in which they can run. */
export interface LayeredGraph {
  readonly graph: Graph;
  readonly layers: readonly LayerScope[];
}
