/** @file Finding where the features of a pre-trained model are: the value before its classifier. */
import {
  definitionsOf,
  describeNode,
  type Graph,
  type Node,
  producersOf,
  showType,
  usesOf,
  type Value,
} from "../graph/index.ts";
import { elementCount, GraftError, isFloating } from "../tensor/index.ts";

/** Where a model is cut, and why, for people. */
export interface Cut {
  readonly value: Value;
  /** What the features are, for people: `what goes into Gemm "classifier"`, `the output "features"`. */
  readonly reason: string;
}

/** What a features output is called. */
const featureNames =
  /(^|[^a-z])(features?|embeddings?|embeds|pooler|pooled|pre_?logits|penultimate|avg_?pool)([^a-z]|$)/i;
const classifierNames = /logit|prob|softmax|class|score|predict/i;
/** ImageNet with and without a background class, ImageNet-21k and its cleaned form. */
const usualClassCounts: ReadonlySet<unknown> = new Set([1000, 1001, 21841, 21843, 11221]);

/** What may stand between a classifier's product and the output without being a layer of its own. */
const passedAfter: ReadonlySet<string> = new Set([
  "Cast",
  "Dropout",
  "Flatten",
  "Identity",
  "LogSoftmax",
  "Reshape",
  "Sigmoid",
  "Softmax",
  "Squeeze",
  "Unsqueeze",
]);
/** Those that take a constant beside what they pass on: a bias, a temperature. */
const passedWithConstant: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div", "Clip"]);
const ofProbabilities: ReadonlySet<string> = new Set(["Softmax", "LogSoftmax", "Sigmoid"]);
const pooling: ReadonlySet<string> = new Set(["GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax"]);
const activations: ReadonlySet<string> = new Set(["Relu", "Clip", "LeakyRelu", "PRelu"]);

/**
 * The value of that name: of a value, of a node, or of a layer that these stand for.
 *
 * @throws GraftError `usage` where there is none, or where it does not depend on the picture
 */
export function namedCut(graph: Graph, picture: Value, name: string): Cut {
  const dependent = dependentOn(graph, picture);
  const value =
    [...dependent].find((each) => each.name === name) ?? graph.nodes.find((node) => node.name === name)?.outputs[0];
  if (value !== undefined && value !== picture && dependent.has(value))
    return { value, reason: `the value "${value.name}", as asked` };
  const last = graph.nodes.flatMap((node) => definitionsOf(node).filter((each) => dependent.has(each))).slice(-8);
  throw new GraftError("usage", `the model computes no value "${name}" from the picture`, {
    hint: `its last values are ${last.map((each) => each.name).join(", ")}`,
  });
}

/**
 * Where the features are: an output that is named so; else what goes into the last product with constant weights on the
 * way to the output (`Gemm`, `MatMul`, a 1×1 `Conv`), past what only reshapes, adds a bias or makes probabilities; else,
 * where there is no classifier, the output itself.
 *
 * @throws GraftError `usage` where no output depends on the picture
 */
export function findCut(graph: Graph, picture: Value): Cut {
  const dependent = dependentOn(graph, picture);
  const outputs = graph.outputs.filter(
    (output) => dependent.has(output) && output !== picture && (output.dtype === undefined || isFloating(output.dtype)),
  );
  const pooledFirst = [...outputs].sort((a, b) => (a.shape?.length ?? 9) - (b.shape?.length ?? 9));
  const named = pooledFirst.find(({ name }) => featureNames.test(name) && !classifierNames.test(name));
  if (named !== undefined) return { value: named, reason: `the output "${named.name}"` };
  const output = outputs.find(({ name }) => classifierNames.test(name)) ?? outputs[0];
  if (output === undefined) {
    throw new GraftError("usage", "no output of the model is computed from the picture as floating-point numbers", {
      actual: graph.outputs.map((each) => `${each.name} ${showType(each)}`).join(", ") || "no outputs",
      hint: "say where to cut it with --cut",
    });
  }
  const classifier = classifierBefore(graph, output, dependent);
  if (classifier === undefined)
    return { value: output, reason: `the output "${output.name}", which no classifier precedes` };
  const value = withoutDropout(graph, classifier.input);
  if (value === picture) return { value: output, reason: `the output "${output.name}": there is one layer only` };
  return { value, reason: `what goes into ${describeNode(classifier.node)}` };
}

/** Every value computed from the picture, and the picture. */
export function dependentOn(graph: Graph, picture: Value): ReadonlySet<Value> {
  const dependent = new Set<Value>([picture]);
  for (const node of graph.nodes) {
    if (usesOf(node).some((value) => dependent.has(value)))
      for (const value of definitionsOf(node)) dependent.add(value);
  }
  return dependent;
}

interface Classifier {
  readonly node: Node;
  readonly input: Value;
}

/** The product whose result, but for reshaping, a bias and a softmax, is the output. */
function classifierBefore(graph: Graph, output: Value, dependent: ReadonlySet<Value>): Classifier | undefined {
  const producers = producersOf(graph);
  let isClassifier = classifierNames.test(output.name) || usualClassCounts.has(output.shape?.[1]);
  let isPooled = false;
  let value = output;
  // Pooled maps are features unless something says that they are classes.
  const classifierOfMap = (found: Classifier) => (isPooled && isClassifier ? found : undefined);
  for (let node = producers.get(value); node !== undefined; node = producers.get(value)) {
    const data = node.inputs.filter((each) => each !== undefined).filter((each) => dependent.has(each));
    const [input] = data;
    if (input === undefined || node.kind === "foreign") return undefined;
    if (data.length > 1) return node.operator === "Add" && isClassifier ? bothClassify(data, producers) : undefined;
    if (isProduct(node, input)) return isMap(value) || isPooled ? classifierOfMap({ node, input }) : { node, input };
    isClassifier ||= ofProbabilities.has(node.operator);
    if (pooling.has(node.operator)) isPooled = true;
    // After its pooling a map's classifier may have an activation of its own, as SqueezeNet's has.
    else if (
      !(
        passedAfter.has(node.operator) ||
        passedWithConstant.has(node.operator) ||
        (isPooled && activations.has(node.operator))
      )
    ) {
      return undefined;
    }
    value = input;
  }
  return undefined;
}

/** Distilled transformers average two classifiers, of two tokens: the first one's features are taken. */
function bothClassify(summands: readonly Value[], producers: ReadonlyMap<Value, Node>): Classifier | undefined {
  const found = summands.flatMap((value) => {
    const node = producers.get(value);
    const input = node?.inputs[0];
    return node !== undefined && input !== undefined && isProduct(node, input) ? [{ node, input }] : [];
  });
  return found.length === summands.length ? found[0] : undefined;
}

function isMap({ shape = [] }: Value): boolean {
  return shape.length > 2 && shape.slice(2).some((size) => size !== 1);
}

/** A product of what depends on the picture with what does not, without neighbours. */
function isProduct(node: Node, input: Value): boolean {
  if (node.inputs[0] !== input) return false;
  if (node.operator === "Gemm" || node.operator === "MatMul") return node.inputs[1]?.shape?.length === 2;
  if (node.kind === "foreign" || node.operator !== "Conv") return false;
  const [, , ...kernel] = node.inputs[1]?.shape ?? [];
  const isPointwise = kernel.length > 0 && kernel.every((size) => size === 1);
  const [, , ...spatial] = input.shape ?? [];
  const isWhole = spatial.length > 0 && spatial.every((size, axis) => size === kernel[axis]);
  return isPointwise || (isWhole && elementCount(spatial.map(Number)) > 1);
}

function withoutDropout(graph: Graph, value: Value): Value {
  const producers = producersOf(graph);
  let current = value;
  for (let node = producers.get(current); node?.operator === "Dropout" || node?.operator === "Identity"; ) {
    const [input] = node.inputs;
    if (input === undefined) break;
    current = input;
    node = producers.get(current);
  }
  return current;
}
