/** @file `graft pull`: a model onto this machine, verified. */
import { pullModel } from "graftwork/node";
import { oneLine, print } from "./output.ts";
import { progressOn } from "./progress.ts";

export interface PullCommandOptions {
  readonly offline?: boolean;
  readonly lock?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export async function pull(handle: string, { offline, lock, json, quiet }: PullCommandOptions): Promise<void> {
  const progress = progressOn({ ...(quiet !== undefined && { quiet }) });
  try {
    const pulled = await pullModel(handle, {
      lock,
      ...(offline !== undefined && { offline }),
      onProgress: ({ file, received, total }) => progress.progress(`downloading ${file}`, received, total ?? 0),
    });
    progress.end();
    for (const remark of pulled.remarks) progress.note(oneLine(remark));
    if (json) {
      await print(`${JSON.stringify({ schema: "graftwork/pull/1", ...pulled }, undefined, 2)}\n`);
      return;
    }
    const { path, bytes, format, digest, license, inputs, isLocked } = pulled;
    const lines = [
      `${handle}: ${format}`,
      ...(path === null ? [] : [`at ${path}${bytes === null ? "" : `, ${(bytes / 1e6).toFixed(1)} MB`}`]),
      ...(digest === "" ? [] : [`SHA-256 ${digest}`]),
      `licence: ${license === null ? "not known" : oneLine(license)}`,
      ...inputs.map(
        ({ name, dtype, shape }) =>
          `takes ${oneLine(name)}: ${dtype ?? "?"}[${shape?.map((size) => size ?? "?").join(", ") ?? "?"}]`,
      ),
      ...(isLocked ? ["graft.lock names it"] : []),
    ];
    await print(`${lines.join("\n")}\n`);
  } finally {
    progress.end();
  }
}
