/** @file Building graphs: nodes are appended, typed as they come, and named apart. */
import {
  type DType,
  GraftError,
  int64Vector,
  isStatic,
  type NumericTensor,
  type Shape,
  type Tensor,
  tensorOf,
  unreachable,
} from "../tensor/index.ts";
import type { Graph, Node, OperatorNode, Value, ValueType } from "./graph.ts";
import { type Operator, type OperatorAttributes, schemaOf } from "./operators.ts";
import { allNodes, definitionsOf } from "./visit.ts";

/** An operator with its inputs, before its outputs exist. */
export interface Application<K extends Operator = Operator> {
  readonly operator: K;
  readonly attributes: OperatorAttributes[K];
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: { readonly length: number };
}

/** What the builder asks of type inference, which lives in a room of its own. */
export interface Typing {
  /** A constant has come. */
  declare(value: Value, tensor: Tensor): void;
  /** The types of the outputs of an application. */
  infer<K extends Operator>(application: Application<K>): readonly ValueType[];
  /** A node has come: remember what can be told of its outputs' elements. */
  observe(node: Node): void;
  /** The elements of a value, where they are known. */
  constantOf(value: Value): Tensor | undefined;
}

/** Appends nodes to a graph. Methods named like arithmetic are short for `apply`. */
export class Builder {
  readonly #typing: Typing;
  readonly #inputs: Value[];
  readonly #initializers: Map<Value, Tensor>;
  readonly #nodes: Node[];
  readonly #names: Set<string>;
  /** Where to go on counting for a name that is taken, so that many of one name take no longer than as many of different names. */
  readonly #counts = new Map<string, number>();
  readonly #shared = new Map<string, Value>();
  readonly #name: string;

  /** Starts an empty graph, or goes on from one whose values and nodes stay as they are. */
  constructor(typing: Typing, from?: Graph) {
    this.#typing = typing;
    this.#inputs = [...(from?.inputs ?? [])];
    this.#initializers = new Map(from?.initializers);
    this.#nodes = [...(from?.nodes ?? [])];
    this.#name = from?.name ?? "graph";
    this.#names = new Set(from === undefined ? [] : namesIn(from));
    for (const [value, tensor] of this.#initializers) typing.declare(value, tensor);
    for (const node of this.#nodes) typing.observe(node);
  }

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** The elements of a value, where they are known while building. */
  constantOf(value: Value | undefined): Tensor | undefined {
    return value === undefined ? undefined : this.#typing.constantOf(value);
  }

  input(name: string, dtype: DType | undefined, shape: Shape | undefined): Value {
    const value = { name: this.unused(name), dtype, shape };
    this.#inputs.push(value);
    return value;
  }

  /** Takes over a value made elsewhere as an input. */
  adoptInput(value: Value): void {
    this.#names.add(value.name);
    this.#inputs.push(value);
  }

  /** Takes over a constant made elsewhere. */
  adoptConstant(value: Value, tensor: Tensor): void {
    this.#names.add(value.name);
    this.#initializers.set(value, tensor);
    this.#typing.declare(value, tensor);
  }

  /** Takes over a node made elsewhere, with the values it defines. */
  adopt(node: Node): void {
    // ONNX Runtime wants the names of nodes to differ, too.
    this.#names.add(node.name);
    for (const value of definitionsOf(node)) this.#names.add(value.name);
    this.#nodes.push(node);
    this.#typing.observe(node);
  }

  /** A constant; small equal ones are shared. */
  constant(tensor: Tensor, name = "constant"): Value {
    const key = tensor.data.length <= 16 ? `${tensor.dtype}|${tensor.shape}|${keyOf(tensor)}` : undefined;
    const known = key === undefined ? undefined : this.#shared.get(key);
    if (known !== undefined) return known;
    const value = { name: this.unused(name), dtype: tensor.dtype, shape: tensor.shape };
    this.#initializers.set(value, tensor);
    this.#typing.declare(value, tensor);
    if (key !== undefined) this.#shared.set(key, value);
    return value;
  }

  /** Appends a node with one output; attributes left out take ONNX's defaults. */
  apply<K extends Operator>(
    operator: K,
    inputs: readonly (Value | undefined)[],
    attributes?: Partial<OperatorAttributes[K]>,
    name?: string,
  ): Value {
    const [output] = this.applyAll(operator, inputs, 1, attributes, name);
    return output ?? unreachable(`${operator} has no output`);
  }

  /** Appends a node with `count` outputs. */
  applyAll<K extends Operator>(
    operator: K,
    inputs: readonly (Value | undefined)[],
    count: number,
    attributes?: Partial<OperatorAttributes[K]>,
    name: string = operator,
  ): readonly Value[] {
    const application: Application<K> = {
      operator,
      inputs,
      attributes: completeAttributes(operator, attributes ?? {}),
      outputs: { length: count },
    };
    const types = this.#typing.infer(application);
    const outputs = Array.from({ length: count }, (_, index) => ({
      name: this.unused(name),
      dtype: types[index]?.dtype,
      shape: types[index]?.shape,
    }));
    const node: OperatorNode<K> = { kind: "operator", name: outputs[0]?.name ?? "", ...application, outputs };
    // A node of one operator is a member of the union of all, which TypeScript does not see for a generic operator.
    this.adopt(node as unknown as Node);
    return outputs;
  }

  /** Appends a node that defines an existing value, of which others may already be readers. */
  define<K extends Operator>(
    output: Value,
    operator: K,
    inputs: readonly (Value | undefined)[],
    attributes?: Partial<OperatorAttributes[K]>,
  ): void {
    const complete = completeAttributes(operator, attributes ?? {});
    const node: OperatorNode<K> = {
      kind: "operator",
      operator,
      name: output.name,
      attributes: complete,
      inputs,
      outputs: [output],
    };
    this.adopt(node as unknown as Node);
  }

  /** Keeps new values from taking these names. */
  reserve(names: Iterable<string>): void {
    for (const name of names) this.#names.add(name);
  }

  /** The graph so far, with these outputs. */
  graph(outputs: readonly Value[], name: string = this.#name): Graph {
    return { name, inputs: this.#inputs, outputs, initializers: this.#initializers, nodes: this.#nodes };
  }

  /** `name`, or with a number where it is taken. The result is taken from now on. */
  unused(name: string): string {
    let candidate = name;
    let count = this.#counts.get(name) ?? 1;
    for (; this.#names.has(candidate); count++) candidate = `${name}_${count}`;
    if (candidate !== name) this.#counts.set(name, count);
    this.#names.add(candidate);
    return candidate;
  }

  // Short forms.

  /** A constant of rank 0 in the element type of `like`. */
  scalar(number: number, like: Value): Value {
    return this.constant(tensorOf(numericTypeOf(like), [], [number]));
  }

  /** A constant int64 vector: axes, sizes, pads. */
  ints(numbers: readonly number[]): Value {
    return this.constant(int64Vector(numbers));
  }

  add = (a: Value, b: Value): Value => this.apply("Add", [a, b]);
  sub = (a: Value, b: Value): Value => this.apply("Sub", [a, b]);
  mul = (a: Value, b: Value): Value => this.apply("Mul", [a, b]);
  div = (a: Value, b: Value): Value => this.apply("Div", [a, b]);
  pow = (a: Value, b: Value): Value => this.apply("Pow", [a, b]);
  neg = (a: Value): Value => this.apply("Neg", [a]);
  exp = (a: Value): Value => this.apply("Exp", [a]);
  log = (a: Value): Value => this.apply("Log", [a]);
  sqrt = (a: Value): Value => this.apply("Sqrt", [a]);
  sign = (a: Value): Value => this.apply("Sign", [a]);
  reciprocal = (a: Value): Value => this.apply("Reciprocal", [a]);
  square = (a: Value): Value => this.mul(a, a);
  /** `a` times an ordinary number. */
  scale = (a: Value, factor: number): Value => (factor === 1 ? a : this.mul(a, this.scalar(factor, a)));
  /** `a` plus an ordinary number. */
  shift = (a: Value, offset: number): Value => (offset === 0 ? a : this.add(a, this.scalar(offset, a)));
  where = (condition: Value, a: Value, b: Value): Value => this.apply("Where", [condition, a, b]);
  equal = (a: Value, b: Value): Value => this.apply("Equal", [a, b]);
  less = (a: Value, b: Value): Value => this.apply("Less", [a, b]);
  greater = (a: Value, b: Value): Value => this.apply("Greater", [a, b]);
  and = (a: Value, b: Value): Value => this.apply("And", [a, b]);
  matMul = (a: Value, b: Value): Value => this.apply("MatMul", [a, b]);
  cast = (a: Value, to: DType): Value => (a.dtype === to ? a : this.apply("Cast", [a], { to }));
  /** `a` in the element type of `like`. */
  castLike = (a: Value, like: Value): Value => this.cast(a, numericTypeOf(like));
  transpose = (a: Value, perm: readonly number[]): Value =>
    perm.every((axis, index) => axis === index) ? a : this.apply("Transpose", [a], { perm });
  unsqueeze = (a: Value, axes: readonly number[]): Value =>
    axes.length === 0 ? a : this.apply("Unsqueeze", [a, this.ints(axes)]);
  squeeze = (a: Value, axes: readonly number[]): Value =>
    axes.length === 0 ? a : this.apply("Squeeze", [a, this.ints(axes)]);
  concat = (values: readonly Value[], axis: number): Value => this.apply("Concat", values, { axis });
  gather = (a: Value, indices: Value, axis: number): Value => this.apply("Gather", [a, indices], { axis });
  slice = (a: Value, starts: readonly number[], ends: readonly number[], axes: readonly number[]): Value =>
    this.apply("Slice", [a, this.ints(starts), this.ints(ends), this.ints(axes)]);
  expand = (a: Value, shape: Value): Value => this.apply("Expand", [a, shape]);
  /** Sums over constant axes. No axes: `a` itself. */
  reduceSum = (a: Value, axes: readonly number[], keepdims = true): Value =>
    axes.length === 0 ? a : this.apply("ReduceSum", [a, this.ints(axes)], { keepdims });
  reduceMean = (a: Value, axes: readonly number[], keepdims = true): Value =>
    axes.length === 0 ? a : this.apply("ReduceMean", [a, this.ints(axes)], { keepdims });

  /** Reshapes to sizes (-1 is inferred; 0 means an empty axis) or to the shape another value holds. */
  reshape(a: Value, shape: readonly number[] | Value): Value {
    const target = "name" in shape ? shape : this.ints(shape);
    return this.apply("Reshape", [a, target], { allowzero: !("name" in shape) && shape.includes(0) });
  }

  /** The shape of a value as an int64 vector: a constant where every size is known. */
  shapeOf(a: Value): Value {
    return isStatic(a.shape) ? this.ints(a.shape) : this.apply("Shape", [a]);
  }

  /** The size of one axis as an int64 vector of one element. */
  sizeOf(a: Value, axis: number): Value {
    const size = a.shape?.[axis];
    return typeof size === "number" ? this.ints([size]) : this.apply("Shape", [a], { start: axis, end: axis + 1 });
  }

  /** Zeros like `a`. */
  zerosLike(a: Value): Value {
    const value = tensorOf(numericTypeOf(a), [1], [0]);
    return this.apply("ConstantOfShape", [this.shapeOf(a)], { value });
  }

  /** Ones like `a`. */
  onesLike(a: Value): Value {
    const value = tensorOf(numericTypeOf(a), [1], [1]);
    return this.apply("ConstantOfShape", [this.shapeOf(a)], { value });
  }
}

/** Fills in ONNX's defaults. Throws when a required attribute is missing. */
export function completeAttributes<K extends Operator>(
  operator: K,
  given: Partial<OperatorAttributes[K]>,
): OperatorAttributes[K] {
  const { attributes } = schemaOf(operator);
  const complete: Record<string, unknown> = {};
  for (const key in attributes) {
    const { required, fallback, name } = attributes[key];
    complete[key] = given[key] ?? fallback;
    if (required && complete[key] === undefined) {
      throw new GraftError("model-invalid", `attribute "${name}" is missing`, { path: [operator] });
    }
  }
  return complete as OperatorAttributes[K];
}

/** The element type of a value. Throws where it is unknown or not numeric. */
export function numericTypeOf(value: Value): NumericTensor["dtype"] {
  if (value.dtype === undefined || value.dtype === "string") {
    throw new GraftError("model-invalid", "the element type must be known and numeric", {
      path: [`value "${value.name}"`],
      actual: value.dtype ?? "unknown",
    });
  }
  return value.dtype;
}

function keyOf(tensor: Tensor): string {
  return tensor.dtype === "string"
    ? tensor.data.map((bytes) => bytes.join()).join("|")
    : Array.from<number | bigint>(tensor.data as Iterable<number | bigint>)
        .map(showElement)
        .join();
}

/** Zero's sign survives: sharing 0 and -0 would change results. */
function showElement(element: number | bigint): string {
  return Object.is(element, -0) ? "-0" : String(element);
}

function* namesIn(graph: Graph): Generator<string> {
  for (const value of [...graph.inputs, ...graph.initializers.keys()]) yield value.name;
  for (const node of allNodes(graph)) {
    yield node.name;
    for (const value of definitionsOf(node)) yield value.name;
  }
}
