/** @file `graft convert`: any model in, ONNX out. */
import { readModelFile, writeModelFile } from "graftwork/node";

export async function convert(path: string, out: string): Promise<void> {
  const model = await readModelFile(path);
  await writeModelFile(out, model);
}
