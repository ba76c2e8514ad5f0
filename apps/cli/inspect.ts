/** @file `graft inspect`: what goes into a model, what comes out, what is inside, and how deep gradients reach. */
import { describeModel, type ModelDescription } from "graftwork";
import { readModelFile } from "graftwork/node";

export async function inspect(
  path: string,
  options: { readonly output?: string; readonly json?: boolean },
): Promise<void> {
  const model = await readModelFile(path);
  const { output } = options;
  const description = describeModel(model, output === undefined ? {} : { output });
  const text = options.json
    ? JSON.stringify({ schema: "graftwork/inspect/1", file: path, ...description }, undefined, 2)
    : asText(path, description);
  process.stdout.write(`${text}\n`);
}

function asText(path: string, description: ModelDescription): string {
  const { inputs, outputs, operators, parameters, foreignOperators, gradients } = description;
  const count = (number: number) => number.toLocaleString("en-US");
  const values = (heading: string, list: ModelDescription["inputs"]) => [
    heading,
    ...list.map(({ name, type }) => `  ${name}: ${type}`),
  ];
  const lines = [
    `${path}: ONNX, IR ${description.irVersion}, opset ${description.opset}${description.producer && `, by ${description.producer}`}`,
    ...values("inputs", inputs),
    ...values("outputs", outputs),
    `parameters: ${count(parameters.elements)} in ${count(parameters.tensors)} tensors (${megabytes(parameters.bytes)})`,
    `operators: ${operators.map(({ operator, nodes }) => `${operator} ${count(nodes)}`).join(", ")}`,
  ];
  if (foreignOperators.length > 0) {
    lines.push("foreign operators (they run, frozen):");
    for (const { domain, operator, nodes } of foreignOperators) {
      lines.push(`  ${domain === "" ? "" : `${domain}::`}${operator} ${count(nodes)}`);
    }
  }
  for (const { output, parameters: reached, reachesInputs, barriers } of gradients) {
    lines.push(
      `gradients of ${output} reach ${count(reached.elements)} parameters in ${count(reached.tensors)} of ${count(parameters.tensors)} tensors` +
        (reachesInputs.length > 0 ? `, down to ${reachesInputs.join(", ")}` : ""),
    );
    for (const { node, reason } of barriers) lines.push(`  stopped by ${node}: ${reason}`);
  }
  return lines.join("\n");
}

function megabytes(bytes: number): string {
  return bytes < 1e5 ? `${bytes} bytes` : `${(bytes / 1e6).toFixed(1)} MB`;
}
