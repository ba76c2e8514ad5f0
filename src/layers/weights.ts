/** @file Where a layer's weights come from: by layer, weight and shape, all as Keras names and lays them out. */

/** A weight that a layer has. */
export interface WeightSpec {
  /** The layer's name; of a layer within nested models the names on the way, joined by `/`. */
  readonly layer: string;
  /** Its own name: `kernel`, `bias`, `gamma`, `moving_mean`; within layers of layers with the way there: `forward_lstm/kernel`. */
  readonly weight: string;
  /** Keras's layout: `[height, width, in, out]`, for depthwise kernels `[height, width, in, multiplier]`. */
  readonly shape: readonly number[];
  /**
   * The attributes of the layer that lead to what holds it, as Keras 3's weight files have them: `[]` for the layer
   * itself, `["cell"]` in an LSTM, `["forward_layer", "cell"]` in a Bidirectional one, `["query_dense"]` in attention.
   */
  readonly holder: readonly string[];
  /** How many variables of other layers the holder lists before its own in Keras 3's weight files. Default: 0. */
  readonly after?: number;
  /** False for what gradients never change, such as the moving statistics of batch norm. */
  readonly isTrainable: boolean;
}

/** Gives the elements of a weight, row-major in Keras's layout. Asked once a weight, in Keras's order. */
export type WeightSource = (spec: WeightSpec) => Float32Array;
