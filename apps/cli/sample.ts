/** @file `graft sample`: pictures drawn by code, for a first run. */
import { drawSample } from "graftwork/node";

export async function sample(
  folder: string,
  { json, ...options }: { readonly perClass: number; readonly seed: number; readonly json?: boolean },
): Promise<void> {
  const drawn = await drawSample(folder, options);
  const { classNames, pictures } = drawn;
  const text = json
    ? JSON.stringify({ schema: "graftwork/sample/1", ...drawn }, undefined, 2)
    : `${folder}: ${pictures} pictures, ${options.perClass} of each kind: ${classNames.join(", ")}`;
  process.stdout.write(`${text}\n`);
}
