/** @file ONNX's graph and node messages become a Graph: names resolved, old forms raised, functions inlined. */
import { type Graph, isOperator, type Value } from "../graph/index.ts";
import { GraftError, type Tensor, unreachable } from "../tensor/index.ts";
import { readConstant } from "./constants.ts";
import type { ExternalData } from "./external-data.ts";
import { graphExtrasOf, nodeExtrasOf } from "./extras.ts";
import { bindCall, type FunctionDefinition, type Functions, functionKey } from "./functions.ts";
import { Names, Scope } from "./names.ts";
import { readNode } from "./nodes.ts";
import { namesUsedBy, orderNodes } from "./order.ts";
import type { GraphProto, NodeProto, ValueInfoProto } from "./proto/onnx_pb.ts";
import { Guesses } from "./raise/guess.ts";
import { raise } from "./raise/raise.ts";
import type { Sequences } from "./raise/sequences.ts";
import type { Place } from "./raise/step.ts";
import type { Frame, HeldAttribute, RawNode, Sink } from "./rawNode.ts";
import { readSparseTensor, readTensor } from "./tensors.ts";
import { type ReadType, readType, unknownType } from "./types.ts";
import type { ReadLimits } from "./wire.ts";

/** Reads the graphs of one model. */
export class GraphReader {
  readonly names: Names = new Names();
  /** Constants by value, across all graphs of the model. */
  readonly #constants: Map<Value, Tensor> = new Map();
  /** Values that some node, graph or function uses. */
  readonly #used: Set<Value> = new Set();
  readonly #guesses = new Guesses();
  readonly #sequences: Sequences = new Map();
  /** The newest version of ONNX's own operator set that any node was written for. */
  newestOpset = 0;
  /** Other domains' versions, as foreign nodes ask for them. */
  readonly foreignDomains: Map<string, number> = new Map();
  readonly #limits: ReadLimits;
  readonly #functions: Functions;
  readonly #external: ExternalData | undefined;
  #visits = 0;

  constructor(limits: ReadLimits, functions: Functions, external: ExternalData | undefined) {
    this.#limits = limits;
    this.#functions = functions;
    this.#external = external;
  }

  /** The model's own graph. Before IR 4, initializers had to be repeated as inputs, and were constants all the same. */
  mainGraph(proto: GraphProto, opsets: ReadonlyMap<string, number>, irVersion: number): Graph {
    const frame = { scope: new Scope(), opsets, parameters: undefined, calls: [], depth: 0 };
    return at(`graph "${proto.name}"`, () => this.#graph(proto, frame, irVersion < 4));
  }

  #subgraph(proto: GraphProto, around: Frame): Graph {
    if (around.depth >= this.#limits.depth) throw tooDeep("graphs within graphs", this.#limits.depth);
    const scope = new Scope(around.scope);
    return at(`graph "${proto.name}"`, () => this.#graph(proto, { ...around, scope, depth: around.depth + 1 }, false));
  }

  #graph(proto: GraphProto, around: Omit<Frame, "sink">, constantsAreInputs: boolean): Graph {
    const { scope } = around;
    const types = typesOf([...proto.valueInfo, ...proto.output, ...proto.input]);
    const define = (name: string): Value => this.#define(scope, name, types.get(name) ?? unknownType);
    const sink: Sink = { nodes: [], initializers: new Map() };

    const stored = new Set<string>(proto.initializer.map(({ name }) => name));
    for (const { values } of proto.sparseInitializer) stored.add(values?.name ?? "");
    const declared = constantsAreInputs ? proto.input.filter(({ name }) => !stored.has(name)) : proto.input;
    const inputs = declared.map(({ name }) => define(name));
    const inputNames = new Set(declared.map(({ name }) => name));
    const setConstant = (name: string, read: () => Tensor) =>
      at(`initializer "${name}"`, () => {
        if (!stored.delete(name)) throw new GraftError("model-invalid", "the initializer is defined twice");
        const tensor = read();
        const isDefault = inputNames.has(name);
        const value = (isDefault && scope.find(name)) || this.#define(scope, name, tensor);
        sink.initializers.set(value, tensor);
        // A default that a caller may replace is no constant.
        if (!isDefault) this.#constants.set(value, tensor);
      });
    for (const each of proto.initializer) setConstant(each.name, () => readTensor(each, this.#external));
    for (const each of proto.sparseInitializer) {
      setConstant(each.values?.name ?? "", () => readSparseTensor(each, this.#external));
    }
    for (const { output } of proto.node) for (const name of output) if (name !== "") define(name);
    for (const { name } of proto.output) this.#markUsed(name, scope);

    this.#nodes(proto.node, { ...around, sink });
    const extras = graphExtrasOf(proto, (name) => scope.find(name)?.name ?? name);
    return {
      name: proto.name || "graph",
      inputs,
      outputs: proto.output.map(({ name }) => this.#use(name, scope, "outputs")),
      initializers: sink.initializers,
      nodes: sink.nodes,
      ...(extras === undefined ? {} : { extras }),
    };
  }

  #define(scope: Scope, name: string, { dtype, shape, opaqueType }: ReadType): Value {
    if (name === "") throw new GraftError("model-invalid", "a value has no name");
    if (scope.has(name)) throw new GraftError("model-invalid", `the name "${name}" is defined twice`);
    const value = { name: this.names.claim(name), dtype, shape, ...(opaqueType === undefined ? {} : { opaqueType }) };
    scope.set(name, value);
    return value;
  }

  #use(name: string, scope: Scope, place: string): Value {
    const value = scope.find(name);
    if (value === undefined) {
      throw new GraftError("model-invalid", `the value "${name}" is used and never defined`, { path: [place] });
    }
    this.#used.add(value);
    return value;
  }

  #nodes(protos: readonly NodeProto[], frame: Frame): void {
    // What is used must be known before anything is raised: some old outputs exist only to be ignored.
    for (const proto of protos) for (const name of namesUsedBy(proto)) this.#markUsed(name, frame.scope);
    const place = this.#place(frame);
    for (const proto of orderNodes(protos)) at(label(proto), () => this.#node(proto, frame, place));
  }

  #markUsed(name: string, scope: Scope): void {
    const value = scope.find(name);
    if (value !== undefined) this.#used.add(value);
  }

  #node(proto: NodeProto, frame: Frame, place: Place): void {
    if (++this.#visits > this.#limits.nodes) {
      throw new GraftError("model-refused", "the model has too many nodes once its functions are inlined", {
        expected: `at most ${this.#limits.nodes}`,
      });
    }
    if (proto.opType === "") throw new GraftError("model-invalid", "a node names no operator");
    const node = this.#rawNode(proto, frame);
    const definition = this.#functions.get(functionKey(node.domain, node.operator, proto.overload));
    if (definition !== undefined && !(node.domain === "" && isOperator(node.operator))) {
      this.#inline(node, definition, frame);
      return;
    }
    if (node.version < 1) {
      throw new GraftError("model-invalid", "the model does not say which version of the operator's domain it uses", {
        actual: node.domain === "" ? "no import of ONNX's own operators" : `no import of "${node.domain}"`,
      });
    }
    if (node.domain !== "") this.#emit(node, frame);
    else if (node.operator === "Constant") this.#constant(node, frame);
    else {
      this.newestOpset = Math.max(this.newestOpset, node.version);
      raise(node, place);
    }
  }

  #place(frame: Frame): Place {
    return {
      constantOf: (value) => (value === undefined ? undefined : this.#constants.get(value)),
      sequences: this.#sequences,
      dtypeOf: (value) => this.#guesses.dtypeOf(value),
      rankOf: (value) => this.#guesses.rankOf(value),
      isUsed: (value) => value !== undefined && this.#used.has(value),
      constant: (tensor, name) => {
        const value = { name: this.names.claim(name), dtype: tensor.dtype, shape: tensor.shape };
        frame.sink.initializers.set(value, tensor);
        this.#constants.set(value, tensor);
        return value;
      },
      fresh: (name, { dtype, shape } = unknownType) => ({ name: this.names.claim(name), dtype, shape }),
      emit: (node) => this.#emit(node, frame),
    };
  }

  #rawNode(proto: NodeProto, frame: Frame): RawNode {
    const attributes = new Map<string, HeldAttribute>();
    for (const attribute of proto.attribute) {
      const { name, refAttrName } = attribute;
      if (attributes.has(name)) throw new GraftError("model-invalid", `attribute "${name}" is given twice`);
      if (refAttrName === "") attributes.set(name, { proto: attribute, frame });
      else {
        if (frame.parameters === undefined) {
          throw new GraftError("model-invalid", `attribute "${name}" refers to a function's, outside any function`);
        }
        const held = frame.parameters.get(refAttrName);
        // A parameter that the caller left out leaves the attribute out.
        if (held !== undefined) attributes.set(name, held);
      }
    }
    const domain = proto.domain === "ai.onnx" ? "" : proto.domain;
    return {
      domain,
      operator: proto.opType,
      name: proto.name,
      attributes,
      inputs: proto.input.map((name, index) =>
        name === "" ? undefined : this.#use(name, frame.scope, `input ${index}`),
      ),
      outputs: proto.output.map((name) => (name === "" ? undefined : frame.scope.find(name))),
      extras: nodeExtrasOf(proto),
      version: frame.opsets.get(domain) ?? 0,
    };
  }

  #constant(node: RawNode, frame: Frame): void {
    const [output] = node.outputs;
    if (output === undefined || node.outputs.length !== 1 || node.inputs.length > 0) {
      throw new GraftError("model-invalid", "a constant has no inputs and one output");
    }
    const tensor = readConstant(new Map([...node.attributes].map(([name, { proto }]) => [name, proto])), {
      tensor: (proto) => readTensor(proto, this.#external),
      sparse: (proto) => readSparseTensor(proto, this.#external),
    });
    // Nobody outside has seen the value yet: it may still learn its type.
    frame.sink.initializers.set(Object.assign(output, { dtype: tensor.dtype, shape: tensor.shape }), tensor);
    this.#constants.set(output, tensor);
  }

  /** A node in its canonical form, of the vocabulary where it fits and foreign where it does not. */
  #emit(raw: RawNode, frame: Frame): void {
    if (raw.domain !== "") {
      this.foreignDomains.set(raw.domain, Math.max(raw.version, this.foreignDomains.get(raw.domain) ?? 0));
    }
    const node = readNode(raw, {
      tensor: (proto) => readTensor(proto, this.#external),
      graph: (proto, held) => this.#subgraph(proto, held.frame ?? unreachable("a made-up attribute holds a graph")),
    });
    this.#guesses.observe(node);
    frame.sink.nodes.push(node);
  }

  /** Puts a function's body in the place of its call. */
  #inline(call: RawNode, definition: FunctionDefinition, around: Frame): void {
    if (around.calls.length >= this.#limits.depth) throw tooDeep("functions within functions", this.#limits.depth);
    const { frame, nodes, passed } = bindCall(call, definition, around, this.names);
    at(`function ${definition.key}`, () => this.#nodes(nodes, frame));
    for (const [from, to] of passed) {
      const { name, version } = call;
      const attributes = new Map<string, HeldAttribute>();
      const extras = undefined;
      this.#emit(
        { domain: "", operator: "Identity", name, attributes, inputs: [from], outputs: [to], version, extras },
        around,
      );
    }
  }
}

function typesOf(infos: readonly ValueInfoProto[]): ReadonlyMap<string, ReadType> {
  return new Map(infos.map((info) => [info.name, at(`value "${info.name}"`, () => readType(info.type))]));
}

function label(node: NodeProto): string {
  return `${node.opType} "${node.name || (node.output[0] ?? "")}"`;
}

function tooDeep(what: string, limit: number): GraftError {
  return new GraftError("model-refused", `the model has too many ${what}`, { expected: `at most ${limit}` });
}

/** What `body` gives; its errors name the place. */
export function at<T>(place: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw error instanceof GraftError ? error.at(place) : error;
  }
}
