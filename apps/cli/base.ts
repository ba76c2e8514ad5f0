/** @file `graft base list`: the models on this machine. */
import { availableBases } from "graftwork/node";
import { oneLine, print } from "./output.ts";
import { table } from "./table.ts";

export async function baseList({ json }: { readonly json?: boolean }): Promise<void> {
  const bases = await availableBases();
  if (json) {
    await print(`${JSON.stringify({ schema: "graftwork/base-list/1", bases }, undefined, 2)}\n`);
    return;
  }
  const rows = bases.map(({ handle, cache, bytes, imageSize, range, license }) => [
    oneLine(handle),
    `${(bytes / 1e6).toFixed(1)} MB`,
    imageSize === null
      ? "graft inspect says what it takes"
      : `takes ${imageSize}×${imageSize}${range === null ? "" : `, ${range}`}`,
    license ?? "",
    `in ${cache === "graftwork" ? "graftwork itself" : `${cache}'s cache`}`,
  ]);
  await print(`${table(rows)}\n`);
}
