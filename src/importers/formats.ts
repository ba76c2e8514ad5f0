/** @file The formats that are imported, as messages and docs/support.md name them. */

/** A kind of file or folder that holds a model. */
export interface ImportedFormat {
  readonly name: string;
  /** What it is recognised by; names of files alone never decide where the content can. */
  readonly recognizedBy: string;
  /** Who writes it. */
  readonly writtenBy: string;
  /** What of it is not taken. */
  readonly refused: string;
}

/** In the order in which messages name them. */
export const importedFormats: readonly ImportedFormat[] = [
  {
    name: ".keras",
    recognizedBy: "a zip, or the folder it was unpacked to, with config.json and model.weights.h5",
    writtenBy: "Keras 2.12 and newer, Keras 3",
    refused: "classes that are not Keras's, code (Lambda), quantized layers",
  },
  {
    name: ".h5",
    recognizedBy: "HDF5 with the attribute model_config",
    writtenBy: "Keras 1, 2 and 3",
    refused: "the same; links to other places, weights without an architecture",
  },
  {
    name: "config and weights",
    recognizedBy: "JSON of model.to_json(), with one .weights.h5, .h5 or .weights.json beside it",
    writtenBy: "Keras 1, 2 and 3",
    refused: "the same; more than one file of weights of other names",
  },
  {
    name: "TensorFlow SavedModel",
    recognizedBy: "a folder with saved_model.pb",
    writtenBy: "TensorFlow 1 and 2, Keras's export, tf.Module, Hub modules",
    refused: "operators that are not in the table, SavedModels as text (saved_model.pbtxt)",
  },
  {
    name: "frozen TensorFlow graph",
    recognizedBy: "a GraphDef without variables (.pb)",
    writtenBy: "TensorFlow 1's freeze_graph, TensorFlow 2's frozen functions",
    refused: "operators that are not in the table",
  },
  {
    name: "TensorFlow.js model.json",
    recognizedBy: "JSON with modelTopology, shards beside it; layers and graph models, Teachable Machine",
    writtenBy: "tensorflowjs_converter, TensorFlow.js, Teachable Machine",
    refused: "as Keras's files and SavedModels",
  },
  {
    name: "a zip or tar of these",
    recognizedBy: "zip, tar or tar.gz; the model may lie in a folder within, archives in archives up to three deep",
    writtenBy: "hubs, Teachable Machine",
    refused: "encrypted members, absurd sizes and ratios, several models in one",
  },
];

/** All of them, and ONNX, for messages. */
export const knownFormats: string = `ONNX, ${importedFormats.map(({ name }) => name).join(", ")}`;
