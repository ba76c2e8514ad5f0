/** @file From what is called to one flat graph: calls inlined, variables given their values, nothing kept that is not needed. */
import { GraftError, tensorOf } from "../../tensor/index.ts";
import type { FrozenGraph, TfAttribute, TfFunction, TfNode, TfPort, TfType, TfVariable } from "./graph-def.ts";
import { dataInputs, listed, parseReference, type SourceNode } from "./graph-source.ts";
import { withLoops } from "./loops.ts";
import { type Binding, conditionals, functionAttribute, type Origin, type Scope, type Variable } from "./scope.ts";
import { choiceOf } from "./switches.ts";

/** What is called, and how a person calls its inputs and outputs. */
export interface Callable {
  readonly name: string;
  readonly scope: Scope;
  readonly inputs: readonly TfPort[];
  /** References are of the scope. */
  readonly outputs: readonly TfPort[];
  /** What a node that is a variable is (VarHandleOp, VariableV2; Const in a graph that was frozen). */
  readonly variableOf: (node: SourceNode) => Variable | undefined;
  readonly remarks: readonly string[];
}

const mostNodes = 250_000;

/** Operators that are variables themselves. */
const variableOperators: ReadonlySet<string> = new Set(["VarHandleOp", "VariableV2", "Variable", "AutoReloadVariable"]);

/** Operators of variables, and those of ordinary values that do the same. */
const variableForms: ReadonlyMap<string, string> = new Map([
  ["ResourceGather", "GatherV2"],
  ["ResourceGatherNd", "GatherNd"],
  ["VariableShape", "Shape"],
]);

/** Nodes that keep functions: the attributes that name them, those that list the arguments' types, and the first argument. */
interface Keeping {
  readonly functions: readonly string[];
  readonly types: readonly string[];
  readonly firstArgument: number;
}
const keepingIf: Keeping = { functions: ["then_branch", "else_branch"], types: ["Tin"], firstArgument: 1 };
const keepingWhile: Keeping = { functions: ["cond", "body"], types: ["T"], firstArgument: 0 };
const keeping: ReadonlyMap<string, Keeping> = new Map([
  ...[...conditionals].map((op) => [op, keepingIf] as const),
  ["While", keepingWhile],
  ["StatelessWhile", keepingWhile],
]);

const assignments: ReadonlySet<string> = new Set(["AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"]);

const exits: ReadonlySet<string> = new Set(["Exit", "RefExit"]);

/**
 * Everything that the outputs need, and nothing else.
 *
 * @throws GraftError `model-invalid` where the graph contradicts itself or values of variables are damaged,
 *   `model-refused` for control flow of TensorFlow 1 that data decide (all of it named) and for more than 250,000 nodes
 */
export function freeze(callable: Callable): FrozenGraph {
  return withLoops(new Freezer(callable).run());
}

/** One list of nodes: the graph's, or that of a function which is kept. */
interface Region {
  readonly nodes: TfNode[];
  readonly waiting: { readonly scope: Scope; readonly node: SourceNode; readonly name: string }[];
  readonly names: Map<Scope, Map<SourceNode, string>>;
  /** From variables, constants and resources to the nodes that give them here. */
  readonly leaves: Map<unknown, string>;
}

/** A function that is to be frozen: its body and arguments in their own region. */
interface Kept {
  readonly name: string;
  readonly scope: Scope;
  readonly inputs: readonly TfPort[];
}

class Freezer {
  readonly #callable: Callable;
  /** Names that are given away, and the number that the next of the same name gets. */
  readonly #taken = new Map<string, number>();
  readonly #variables = new Map<string, TfVariable>();
  readonly #functions = new Map<string, TfFunction>();
  readonly #kept: Kept[] = [];
  readonly #missing: string[] = [];
  #count = 0;

  constructor(callable: Callable) {
    this.#callable = callable;
  }

  run(): FrozenGraph {
    const { name, scope, inputs, remarks } = this.#callable;
    for (const { ref } of inputs) this.#taken.set(ref, 1);
    const region = newRegion();
    const outputs = this.#callable.outputs.map((port) => ({ ...port, ref: this.#reference(region, scope, port.ref) }));
    this.#drain(region);
    for (let kept = this.#kept.pop(); kept !== undefined; kept = this.#kept.pop()) this.#freezeFunction(kept);
    this.#refuse();
    const { nodes } = region;
    return { name, nodes, inputs, outputs, variables: this.#variables, functions: this.#functions, remarks };
  }

  #freezeFunction({ name, scope, inputs }: Kept): void {
    const region = newRegion();
    const returns = scope.function?.outputs ?? [];
    const outputs = returns.map((output) => {
      const returned = scope.function?.returns.get(output.name);
      if (returned === undefined) throw new GraftError("model-invalid", "a function lacks an output", { path: [name] });
      return this.#reference(region, scope, returned);
    });
    this.#drain(region);
    this.#functions.set(name, { name, inputs, nodes: region.nodes, outputs });
  }

  #drain(region: Region): void {
    for (let next = region.waiting.pop(); next !== undefined; next = region.waiting.pop()) {
      region.nodes.push(this.#lowered(region, next.scope, next.node, next.name));
      if (++this.#count > mostNodes) throw new GraftError("model-refused", "the graph has too many nodes");
    }
  }

  /** A reference in the flat graph to what a reference in a body is. */
  #reference(region: Region, scope: Scope, reference: string): string {
    return this.#place(region, scope.originOf(reference));
  }

  #place(region: Region, origin: Origin): string {
    switch (origin.kind) {
      case "input":
      case "variable argument":
        return origin.name;
      case "variable":
        return this.#variableNode(region, origin.variable);
      case "constant":
        return this.#leaf(region, origin, origin.name, "Const", [["value", { kind: "tensor", value: origin.tensor }]]);
      case "resource":
        return this.#leaf(region, origin.op + origin.name, origin.name, origin.op, []);
      case "node":
        return this.#placeNode(region, origin);
    }
  }

  #placeNode(region: Region, { scope, node, output }: Extract<Origin, { kind: "node" }>): string {
    if (node.op === "ReadVariableOp") {
      const variable = scope.originOf(dataInputs(node)[0] ?? "");
      this.#checkUnchanged(scope, node);
      return this.#place(region, variable);
    }
    if (variableOperators.has(node.op) || node.op === "Const") {
      const variable = this.#callable.variableOf(node);
      if (variable !== undefined) return this.#variableNode(region, variable);
    }
    const names = region.names.get(scope) ?? new Map<SourceNode, string>();
    region.names.set(scope, names);
    const name = names.get(node) ?? this.#free(scope.prefix + node.name);
    if (!names.has(node)) {
      names.set(node, name);
      region.waiting.push({ scope, node, name });
    }
    return output === 0 ? name : `${name}:${output}`;
  }

  /** A variable that is assigned to before it is read has another value than the saved one. */
  #checkUnchanged(scope: Scope, read: SourceNode): void {
    const variable = this.#variableOf(scope.originOf(dataInputs(read)[0] ?? ""));
    for (const input of read.inputs) {
      const before = input.startsWith("^") ? scope.nodes.get(input.slice(1)) : undefined;
      if (before === undefined || !assignments.has(before.op) || variable === undefined) continue;
      if (this.#variableOf(scope.originOf(dataInputs(before)[0] ?? "")) !== variable) continue;
      throw new GraftError("model-refused", "the model reads a variable that it has changed while it runs", {
        path: [scope.prefix + read.name, variable.name],
        hint: "save it for inference: with training=False, and without state",
      });
    }
  }

  #variableNode(region: Region, variable: Variable): string {
    const known = region.leaves.get(variable);
    if (known !== undefined) return known;
    const { name, isTrainable } = variable;
    const tensor = variable.load();
    const dtype: TfAttribute = { kind: "type", value: tensor.dtype };
    const place = this.#leaf(region, variable, name, "ReadVariableOp", [["dtype", dtype]]);
    this.#variables.set(place, { name: place, tensor, isTrainable: isTrainable && isFloat(tensor.dtype) });
    return place;
  }

  #leaf(
    region: Region,
    key: unknown,
    name: string,
    op: string,
    attributes: readonly (readonly [string, TfAttribute])[],
  ): string {
    const known = region.leaves.get(key);
    if (known !== undefined) return known;
    const place = this.#free(name);
    region.leaves.set(key, place);
    region.nodes.push({ name: place, op, inputs: [], attributes: new Map(attributes) });
    return place;
  }

  #free(name: string): string {
    let number = this.#taken.get(name) ?? 0;
    let free = name;
    for (; this.#taken.has(free); number++) free = `${name}_${number}`;
    this.#taken.set(name, Math.max(number, 1));
    this.#taken.set(free, 1);
    return free;
  }

  #lowered(region: Region, scope: Scope, node: SourceNode, name: string): TfNode {
    const { op, attributes } = node;
    const kept = keeping.get(op);
    if (kept !== undefined) return this.#keep(region, scope, node, name, kept);
    if (op === "Merge" || op === "RefMerge") {
      const choice = choiceOf(scope, node);
      if (choice !== undefined) {
        const inputs = [choice.predicate, choice.whenTrue, choice.whenFalse];
        return {
          name,
          op: "SelectV2",
          inputs: inputs.map((input) => this.#reference(region, scope, input)),
          attributes,
        };
      }
    }
    if (op === "Placeholder") this.#missing.push(name);
    const inputs = (exits.has(op) ? exitInputs(scope, node) : dataInputs(node)).map((input) =>
      this.#reference(region, scope, input),
    );
    const form = variableForms.get(op);
    if (form === undefined) return { name, op, inputs, attributes };
    if (form !== "GatherV2") return { name, op: form, inputs, attributes };
    const batch = attributes.get("batch_dims");
    const axis = tensorOf("int32", [], [batch?.kind === "int" ? batch.value : 0]);
    const axisName = this.#leaf(region, node, `${name}/axis`, "Const", [["value", { kind: "tensor", value: axis }]]);
    return { name, op: form, inputs: [...inputs, axisName], attributes };
  }

  /** A node whose functions stay functions: variables that they read come to them as values. */
  #keep(
    region: Region,
    scope: Scope,
    node: SourceNode,
    name: string,
    { functions, types, firstArgument }: Keeping,
  ): TfNode {
    const references = dataInputs(node);
    const origins = references.map((reference) => scope.originOf(reference));
    const inputs = origins.map((origin) => this.#place(region, origin));
    const variables = origins.slice(firstArgument).map((origin) => this.#variableOf(origin));
    const attributes = new Map(node.attributes);
    for (const key of functions) {
      const function_ = scope.functionNamed(functionAttribute(node, key));
      const keptName = this.#free(`${name}/${key}`);
      const ports: TfPort[] = function_.inputs.map((input, index) => {
        const tensor = variables[index]?.load();
        const dtype: TfType = tensor?.dtype ?? input.dtype ?? "variant";
        return {
          name: input.name,
          dtype,
          shape: tensor?.shape ?? input.shape,
          ref: this.#free(`${keptName}/${input.name}`),
        };
      });
      const bindings = ports.map(({ ref }, index): Binding => {
        const variable = variables[index];
        return variable === undefined
          ? { kind: "input", name: ref }
          : { kind: "variable argument", variable, name: ref };
      });
      this.#kept.push({ name: keptName, scope: scope.call(function_, bindings, `${name}/`), inputs: ports });
      attributes.set(key, { kind: "function", name: keptName, attributes: new Map() });
    }
    for (const key of types) attributes.set(key, withTypes(attributes.get(key), variables));
    return { name, op: node.op, inputs, attributes };
  }

  #variableOf(origin: Origin): Variable | undefined {
    if (origin.kind === "variable" || origin.kind === "variable argument") return origin.variable;
    if (origin.kind !== "node" || origin.node.op !== "VarHandleOp") return undefined;
    return this.#callable.variableOf(origin.node);
  }

  #refuse(): void {
    if (this.#missing.length > 0) {
      throw new GraftError("model-refused", "the outputs need inputs that the signature does not name", {
        actual: listed(this.#missing),
        hint: "save the model with a signature that takes them, or with defaults for them (tf.placeholder_with_default)",
      });
    }
  }
}

/** What leaves a loop: the variable that its Switch takes, and the loop's condition. */
function exitInputs(scope: Scope, exit: SourceNode): readonly string[] {
  const [input = ""] = dataInputs(exit);
  const gate = scope.nodes.get(parseReference(input, scope.function !== undefined).name);
  if (gate?.op === "Switch" || gate?.op === "RefSwitch") return dataInputs(gate);
  throw new GraftError("model-invalid", "a loop lacks a part", { path: [scope.prefix + exit.name] });
}

function newRegion(): Region {
  return { nodes: [], waiting: [], names: new Map(), leaves: new Map() };
}

/** The arguments' types, handles of variables replaced by their values' types. */
function withTypes(types: TfAttribute | undefined, variables: readonly (Variable | undefined)[]): TfAttribute {
  const values = types?.kind === "list" ? types.values : [];
  return {
    kind: "list",
    values: values.map((type, index) => {
      const tensor = variables[index]?.load();
      return tensor === undefined ? type : { kind: "type", value: tensor.dtype };
    }),
  };
}

function isFloat(type: TfType): boolean {
  return type === "float32" || type === "float64" || type === "float16" || type === "bfloat16";
}
