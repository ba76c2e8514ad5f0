/** @file The form a model takes while it is trained: dropout draws, and batch norm normalizes by its batch. */
import { allNodes, type Builder, definitionsOf, type Graph, type OperatorNode, type Value } from "../graph/index.ts";
import { inferShapes, inputAt, newBuilder } from "../shapes/index.ts";
import { GraftError, numbersOf, type Shape, unreachable } from "../tensor/index.ts";
import { removeDeadNodes } from "./prune.ts";

/** The random numbers that one dropout takes in every step. */
export interface DropoutMask {
  /** The name of the graph's input. */
  readonly input: string;
  /** The share of elements that are dropped, in (0, 1). */
  readonly rate: number;
  /** Of the input: that of what is dropped from. */
  readonly shape: Shape;
}

/** A constant that every step replaces by a value of the graph. */
export interface StatisticUpdate {
  /** The name of the initializer. */
  readonly parameter: string;
  /** The name of the value it takes next. */
  readonly next: string;
}

export interface TrainingForm {
  /** After the outputs it had come the next values of `updates`, in their order; after its inputs the masks. */
  readonly graph: Graph;
  readonly masks: readonly DropoutMask[];
  readonly updates: readonly StatisticUpdate[];
}

/**
 * The graph as it computes in training. `nodes` names the first outputs of the Dropout and BatchNormalization nodes
 * that behave so; all others stay as they are.
 *
 * Dropout becomes x·mask, with the mask an input `<name>/mask`, float32 of x's shape, whose elements the caller draws:
 * 0 with probability `rate`, else 1/(1 − rate). Batch norm takes mean μ and biased variance σ² over all axes but the
 * channels', y = γ·(x − μ)/√(σ² + ε) + β, and its statistics move: s ← m·s + (1 − m)·(μ or σ²), with its attribute
 * `momentum` as m (Ioffe and Szegedy, arXiv:1502.03167; Keras's BatchNormalization).
 *
 * @throws GraftError `usage` for a name that is not the first output of such a node, and for a rate or statistics that are
 *   not constants
 */
export function trainingForm(graph: Graph, nodes: ReadonlySet<string>): TrainingForm {
  const typed = inferShapes(graph);
  const build = newBuilder({ ...typed, nodes: [] });
  for (const node of allNodes(typed)) build.reserve(definitionsOf(node).map(({ name }) => name));
  const masks: DropoutMask[] = [];
  const moved = new Map<Value, Value>();
  const missing = new Set(nodes);
  for (const node of typed.nodes) {
    const [output] = node.outputs;
    if (output === undefined || !missing.delete(output.name)) build.adopt(node);
    else if (node.operator === "Dropout" && node.kind === "operator") dropOut(node, output, masks, build);
    else if (node.operator === "BatchNormalization" && node.kind === "operator") {
      normalizeByBatch(node, output, moved, build);
    } else throw notTrainable(output.name, node.operator);
  }
  for (const name of missing) throw notTrainable(name, undefined);
  return {
    graph: removeDeadNodes({
      ...build.graph([...typed.outputs, ...moved.values()]),
      ...(graph.extras && { extras: graph.extras }),
    }),
    masks,
    updates: [...moved].map(([parameter, next]) => ({ parameter: parameter.name, next: next.name })),
  };
}

function dropOut(node: OperatorNode<"Dropout">, output: Value, masks: DropoutMask[], build: Builder): void {
  const x = inputAt(node, 0);
  const ratio = node.inputs[1];
  const known = build.constantOf(ratio);
  const place = { path: [`value "${output.name}"`] };
  if (ratio !== undefined && known === undefined)
    throw new GraftError("usage", "the rate of a dropout must be a constant", place);
  if (node.outputs[1] !== undefined)
    throw new GraftError("usage", "a dropout whose mask is read cannot be trained", place);
  if (x.shape === undefined) throw new GraftError("usage", "a dropout must know the rank of its input", place);
  // ONNX drops half where no ratio is given.
  const rate = known === undefined ? 0.5 : (numbersOf(known)[0] ?? 0);
  if (rate === 0) {
    build.define(output, "Identity", [x]);
    return;
  }
  const mask = build.input(`${output.name}/mask`, "float32", x.shape);
  masks.push({ input: mask.name, rate, shape: x.shape });
  build.define(output, "Mul", [x, build.castLike(mask, x)]);
}

function normalizeByBatch(
  node: OperatorNode<"BatchNormalization">,
  output: Value,
  moved: Map<Value, Value>,
  build: Builder,
): void {
  const [x, gamma, beta, mean, variance] = [0, 1, 2, 3, 4].map((index) => inputAt(node, index)) as FiveValues;
  const { epsilon, momentum } = node.attributes;
  const rank = x.shape?.length ?? unreachable("batch norm of unknown rank");
  const axes = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => axis !== 1);
  const spatial = axes.slice(1).map((axis) => axis - 1);
  const batchMean = build.reduceMean(x, axes);
  const centered = build.sub(x, batchMean);
  const batchVariance = build.reduceMean(build.square(centered), axes);
  const deviation = build.sqrt(build.shift(batchVariance, epsilon));
  const scale = build.div(build.unsqueeze(gamma, spatial), deviation);
  build.define(output, "Add", [build.mul(centered, scale), build.unsqueeze(beta, spatial)]);
  // A layer that is called twice moves its statistics twice, one time after the other.
  const move = (statistic: Value, ofBatch: Value) => {
    if (build.constantOf(statistic) === undefined) {
      throw new GraftError("usage", "the statistics of a batch norm must be constants", {
        path: [`value "${output.name}"`],
      });
    }
    const before = build.scale(moved.get(statistic) ?? statistic, momentum);
    const step = build.scale(build.squeeze(ofBatch, axes), 1 - momentum);
    moved.set(statistic, build.apply("Add", [before, step], {}, `${statistic.name}/next`));
  };
  move(mean, batchMean);
  move(variance, batchVariance);
}

type FiveValues = [Value, Value, Value, Value, Value];

function notTrainable(name: string, operator: string | undefined): GraftError {
  return new GraftError("usage", "only dropout and batch norm behave otherwise in training", {
    path: [`value "${name}"`],
    expected: "the first output of a Dropout or BatchNormalization node",
    actual: operator === undefined ? "no node's first output" : `${operator}`,
  });
}
