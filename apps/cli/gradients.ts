/** @file `graft gradients`: a model with its derivatives, for any ONNX runtime. */
import { modelWithGradients } from "graftwork";
import { readModelFile, writeModelFile } from "graftwork/node";

export async function gradients(
  path: string,
  out: string,
  { output, wrt }: { readonly output: string; readonly wrt: readonly string[] },
): Promise<void> {
  await writeModelFile(out, modelWithGradients(await readModelFile(path), { output, wanted: wrt }));
}
