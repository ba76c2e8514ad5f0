/** @file `graft convert`: any model in, ONNX out. */
import { convertModel } from "graftwork/node";
import { oneLine } from "./output.ts";
import { progressOn } from "./progress.ts";

export interface ConvertOptions {
  readonly offline?: boolean;
  readonly quiet?: boolean;
}

export async function convert(handle: string, out: string, { offline, quiet }: ConvertOptions): Promise<void> {
  const progress = progressOn({ ...(quiet !== undefined && { quiet }) });
  try {
    const { remarks } = await convertModel(handle, out, {
      ...(offline !== undefined && { offline }),
      onProgress: ({ file, received, total }) => progress.progress(`downloading ${file}`, received, total ?? 0),
    });
    for (const remark of remarks) progress.note(oneLine(remark));
  } finally {
    progress.end();
  }
}
