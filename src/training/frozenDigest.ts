/** @file The proof that what is frozen stayed as it was: a digest of its names and bytes. */
import type { Graph } from "../graph/index.ts";
import { bytesOf, sha256, type Tensor } from "../tensor/index.ts";

/**
 * SHA-256 over the names, types, shapes and bytes of the graph's constants, by name, without those named. `among`: only
 * these are looked at.
 */
export async function frozenDigest(
  graph: Graph,
  without: ReadonlySet<string>,
  among?: ReadonlySet<string>,
): Promise<string> {
  const frozen = [...graph.initializers].filter(
    ([{ name }]) => !without.has(name) && (among === undefined || among.has(name)),
  );
  const lines: string[] = [];
  for (const [{ name }, tensor] of frozen) {
    lines.push(JSON.stringify([name, tensor.dtype, tensor.shape, await sha256(contentOf(tensor))]));
  }
  return sha256(lines.sort().join("\n"));
}

function contentOf(tensor: Tensor): Uint8Array | string {
  return tensor.dtype === "string" ? JSON.stringify(tensor.data.map((bytes) => [...bytes])) : bytesOf(tensor);
}
