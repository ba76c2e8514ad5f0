/** @file Telling by the names in it what an archive or a folder is, where it is no model that is read. */
import { GraftError } from "../tensor/index.ts";

/** By the name of a file in it: what it is, and what to do. */
export const foreignKinds: readonly (readonly [name: RegExp, what: string, hint: string])[] = [
  [
    /(^|\/)data\.pkl$|^pytorch_model.*\.bin$|\.(pt|pth)$/,
    "a PyTorch model",
    "its file holds Python objects, which are code and are not run: export it with torch.onnx.export in Python",
  ],
  [
    /\.safetensors$/,
    "weights without an architecture (safetensors)",
    "export the model with torch.onnx.export in Python",
  ],
  [/\.tflite$/, "a TensorFlow Lite model", "use the SavedModel or Keras model that it was made of"],
  [/\.npy$/, "arrays of NumPy (.npz)", "save the model itself: model.save('model.keras')"],
  [
    /\.ckpt\.index$|^checkpoint$/,
    "a checkpoint of TensorFlow without its graph",
    "save the model with tf.saved_model.save",
  ],
];

/** The error for files among which there is no model, where it is known what they are. */
export function foreignFiles(names: readonly string[], expected: string): GraftError | undefined {
  for (const [pattern, what, hint] of foreignKinds) {
    const name = names.find((each) => pattern.test(each));
    if (name !== undefined) {
      return new GraftError("model-invalid", `this is ${what}`, { expected, actual: name, hint });
    }
  }
  return undefined;
}
