/** @file Which versions of which operator sets a model uses. */
import { GraftError } from "../tensor/index.ts";
import { newestOpset, oldestOpset } from "./model.ts";
import type { OperatorSetIdProto } from "./proto/onnx_pb.ts";

/** Versions by domain; the highest where a domain is named twice. Throws when ONNX's own is too old or too new. */
export function opsetsOf(imports: readonly OperatorSetIdProto[]): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of imports) {
    const key = domain === "ai.onnx" ? "" : domain;
    opsets.set(key, Math.max(opsets.get(key) ?? 0, Number(version)));
  }
  const own = opsets.get("");
  if (own !== undefined && (own < oldestOpset || own > newestOpset)) {
    throw new GraftError("model-refused", `the model uses ONNX operator set ${own}`, {
      expected: `${oldestOpset} to ${newestOpset}`,
      hint: `convert it with Python: onnx.version_converter.convert_version(model, 21)`,
    });
  }
  return opsets;
}
