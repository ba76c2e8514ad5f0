/** @file Telling by content what a file is that is not ONNX. */

const signatures: readonly (readonly [name: string, offset: number, bytes: string])[] = [
  ["a zip archive (a .keras model, a PyTorch .pt file or an .npz file)", 0, "PK\u0003\u0004"],
  ["an HDF5 file (a Keras .h5 model)", 0, "\u0089HDF\r\n\u001a\n"],
  ["a TensorFlow Lite model", 4, "TFL3"],
  ["ONNX Runtime's own .ort format, not ONNX", 4, "ORTM"],
  ["a Git LFS pointer; the model itself was not downloaded", 0, "version https://git-lfs"],
  ["a gzip archive", 0, "\u001f\u008b"],
  ["a PNG picture", 0, "\u0089PNG"],
  ["a JPEG picture", 0, "\u00ff\u00d8\u00ff"],
  ["a PDF document", 0, "%PDF"],
  ["a GGUF model", 0, "GGUF"],
  ["a NumPy .npy array", 0, "\u0093NUMPY"],
  ["a SQLite database", 0, "SQLite format 3"],
  ["a tar archive", 257, "ustar"],
];

/** What the bytes are, if they are something else that we know; `undefined` when they may be ONNX. */
export function recognizeOther(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "an empty file";
  const head = String.fromCharCode(...bytes.subarray(0, 300));
  const known = signatures.find(([, offset, signature]) => head.startsWith(signature, offset));
  if (known !== undefined) return known[0];
  const text = head.trimStart().toLowerCase();
  if (text.startsWith("<!doctype html") || text.startsWith("<html")) return "an HTML page";
  if (text.startsWith("<?xml") || text.startsWith("<svg")) return "an XML document";
  if (/^\{\s*"/.test(text)) return "a JSON document";
  if (/^[\s\S]{8}\{\s*"/.test(head)) return "a safetensors file";
  // Pickle's PROTO opcode with protocols 2 to 5: PyTorch's older .pt and .pth files.
  if (bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5) return "a Python pickle (an old PyTorch file)";
  if (bytes.every((byte, index) => index >= 4096 || byte === 0)) return "a file of zeros";
  return undefined;
}
