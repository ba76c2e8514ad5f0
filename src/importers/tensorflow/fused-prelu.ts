/** @file A mistake of TensorFlow.js's converter: it fuses PReLU into the product before it, though others read the product. */
import type { FrozenGraph, TfAttribute, TfNode } from "./graph-def.ts";

/**
 * Takes PReLU out of the fused operators that it was put into by mistake. The converter (fuse_prelu.py) does not look
 * whether the product has other readers, which then get what PReLU gives. That this happened shows where one node joins the
 * fused operator to itself, or adds it: the value from before PReLU, and PReLU's. Which of the two is which is not stored; Keras
 * makes layers in the order in which they are applied, so the last is taken to be PReLU's. All other readers had the value
 * from before.
 */
export function withoutFusedPrelu(frozen: FrozenGraph): FrozenGraph {
  const twice = takenTwice(frozen.nodes);
  const mistaken = frozen.nodes.filter((node) => twice.has(node.name) && endsInPrelu(node));
  if (mistaken.length === 0) return frozen;
  const names = new Set(frozen.nodes.map(({ name }) => name));
  const moved = new Map<string, string>();
  for (const { name } of mistaken) {
    let free = `${name}/Prelu`;
    while (names.has(free)) free += "_1";
    names.add(free);
    moved.set(name, free);
  }
  const nodes = frozen.nodes.flatMap((node): TfNode[] => {
    const prelu = moved.get(node.name);
    if (prelu === undefined) return [{ ...node, inputs: redirected(node.inputs, moved) }];
    const alpha = node.inputs.at(-1) ?? "";
    return [
      { ...node, inputs: node.inputs.slice(0, -1), attributes: withoutLastFused(node) },
      { name: prelu, op: "Prelu", inputs: [node.name, alpha], attributes: new Map() },
    ];
  });
  const list = mistaken.map(({ name }) => name).join(", ");
  const remark = `TensorFlow.js's converter fused PReLU into operators that others read as well; here it stands apart: ${list}.`;
  return { ...frozen, nodes, remarks: [...frozen.remarks, remark] };
}

/** Nobody joins a value to itself, or adds it to itself; products with itself are squares. */
const joining: ReadonlySet<string> = new Set(["ConcatV2", "Add", "AddV2"]);

/** What some node joins to itself. */
function takenTwice(nodes: readonly TfNode[]): ReadonlySet<string> {
  const twice = new Set<string>();
  for (const { op, inputs } of nodes) {
    if (!joining.has(op)) continue;
    const seen = new Set<string>();
    for (const input of inputs) {
      if (seen.has(input)) twice.add(input);
      seen.add(input);
    }
  }
  return twice;
}

/** Of inputs that are there twice, the last leads to PReLU. */
function redirected(inputs: readonly string[], moved: ReadonlyMap<string, string>): readonly string[] {
  return inputs.map((input, index) => {
    const prelu = moved.get(input);
    const isLast = inputs.indexOf(input) < index && inputs.lastIndexOf(input) === index;
    return prelu !== undefined && isLast ? prelu : input;
  });
}

function fusedOf(node: TfNode): readonly TfAttribute[] {
  const fused = node.attributes.get("fused_ops");
  return fused?.kind === "list" ? fused.values : [];
}

function endsInPrelu(node: TfNode): boolean {
  const last = fusedOf(node).at(-1);
  return last?.kind === "bytes" && new TextDecoder().decode(last.value) === "Prelu";
}

function withoutLastFused(node: TfNode): ReadonlyMap<string, TfAttribute> {
  const values = fusedOf(node).slice(0, -1);
  return new Map<string, TfAttribute>([...node.attributes, ["fused_ops", { kind: "list", values }]]);
}
