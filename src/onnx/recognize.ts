/** @file Telling by content what a file is that is not ONNX, and what to do with it. */

/** A kind of file, and what leads from it to a model; `undefined` where nothing does. */
type Kind = readonly [what: string, advice?: string | undefined];

const exportToOnnx = "export the model with torch.onnx.export in Python";
const download = "download the model's own file again";

export const signatures: readonly (readonly [offset: number, bytes: string, ...kind: Kind])[] = [
  [0, "PK\u0003\u0004", "a zip archive (a .keras model, a PyTorch .pt file or an .npz file)"],
  [0, "\u0089HDF\r\n\u001a\n", "an HDF5 file (a Keras .h5 model)"],
  [4, "TFL3", "a TensorFlow Lite model", "use the SavedModel or Keras model that it was made of"],
  [4, "ORTM", "ONNX Runtime's own .ort format, not ONNX", "use the .onnx file that it was made of"],
  [
    0,
    "version https://git-lfs",
    "a Git LFS pointer; the model itself was not downloaded",
    "run git lfs pull in its folder",
  ],
  [0, "\u001f\u008b", "a gzip archive"],
  [0, "\u0089PNG", "a PNG picture"],
  [0, "\u00ff\u00d8\u00ff", "a JPEG picture"],
  [0, "%PDF", "a PDF document"],
  [0, "GGUF", "a GGUF model", "models of words in this form are not taken"],
  [0, "\u0093NUMPY", "a NumPy .npy array"],
  [0, "SQLite format 3", "a SQLite database"],
  [257, "ustar", "a tar archive"],
];

/** What the bytes are, if they are something else that we know; `undefined` when they may be ONNX. */
export function recognizeOther(bytes: Uint8Array): string | undefined {
  return kindOf(bytes)?.[0];
}

/** What to do with such a file. */
export function adviceOn(bytes: Uint8Array): string | undefined {
  return kindOf(bytes)?.[1];
}

function kindOf(bytes: Uint8Array): Kind | undefined {
  if (bytes.length === 0) return ["an empty file", download];
  const head = String.fromCharCode(...bytes.subarray(0, 300));
  const known = signatures.find(([offset, signature]) => head.startsWith(signature, offset));
  if (known !== undefined) return [known[2], known[3]];
  const text = head.trimStart().toLowerCase();
  if (text.startsWith("<!doctype html") || text.startsWith("<html")) {
    return [
      "an HTML page",
      `it came in place of the model: ${download}, by the address of the file and not of its page`,
    ];
  }
  if (text.startsWith("<?xml") || text.startsWith("<svg")) return ["an XML document", download];
  if (/^\{\s*"/.test(text)) return ["a JSON document"];
  if (/^[\s\S]{8}\{\s*"/.test(head)) {
    return ["a safetensors file", `it has weights and no architecture: ${exportToOnnx}`];
  }
  // Pickle's PROTO opcode with protocols 2 to 5: PyTorch's older .pt and .pth files.
  if (bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5) {
    return ["a Python pickle (an old PyTorch file)", `pickles are code and are not run: ${exportToOnnx}`];
  }
  if (bytes.every((byte, index) => index >= 4096 || byte === 0)) return ["a file of zeros", download];
  return undefined;
}
