/** @file Where a reference leads: through arguments, calls of functions, and nodes that only pass values on. */
import { GraftError, numbersOf, type Tensor } from "../../tensor/index.ts";
import { dataInputs, parseReference, type SourceFunction, type SourceGraph, type SourceNode } from "./graph-source.ts";
import { outputNumber } from "./output-names.ts";
import { liveInput } from "./switches.ts";

/** A variable, wherever it is read. */
export interface Variable {
  /** Its own name, `Conv1/kernel`. */
  readonly name: string;
  /** What its value is; read from the checkpoint once it is needed. */
  readonly load: () => Tensor;
  readonly isTrainable: boolean;
}

/** What stands for an argument of a function, or for a node of the graph that gets its value from outside. */
export type Binding =
  | { readonly kind: "reference"; readonly scope: Scope; readonly reference: string }
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "variable"; readonly variable: Variable }
  /** A variable whose value comes as an argument, because a loop or a branch reads it. */
  | { readonly kind: "variable argument"; readonly variable: Variable; readonly name: string }
  | { readonly kind: "constant"; readonly name: string; readonly tensor: Tensor }
  /** What is no variable and cannot be lowered: a look-up table, an asset. */
  | { readonly kind: "resource"; readonly name: string; readonly op: string };

/** An output of a node that computes, or what comes from outside. */
export type Origin =
  | Exclude<Binding, { readonly kind: "reference" }>
  | { readonly kind: "node"; readonly scope: Scope; readonly node: SourceNode; readonly output: number };

/** Calls within calls. */
const deepestCall = 64;
const mostScopes = 50_000;
/** Steps from a reference to its origin: a chain of nodes that pass on is never longer in files that TensorFlow wrote. */
const mostSteps = 20_000;
/** How far a predicate is evaluated. */
const deepestPredicate = 24;

/** Operators whose output is their first input. */
const passing: ReadonlySet<string> = new Set([
  "Identity",
  "RefIdentity",
  "PlaceholderWithDefault",
  "Print",
  "DebugIdentity",
  "XlaSharding",
]);

const calls: ReadonlySet<string> = new Set(["PartitionedCall", "StatefulPartitionedCall"]);
export const conditionals: ReadonlySet<string> = new Set(["If", "StatelessIf"]);

/** What a node calls, and with what. */
interface Callee {
  readonly function: SourceFunction;
  readonly args: readonly string[];
}

/** A body in use: the whole graph, or a function for one call of it. */
export class Scope {
  readonly graph: SourceGraph;
  readonly nodes: ReadonlyMap<string, SourceNode>;
  readonly bindings: ReadonlyMap<string, Binding>;
  /** What its nodes are called in the flat graph begins with this. */
  readonly prefix: string;
  readonly function: SourceFunction | undefined;
  readonly depth: number;
  readonly #callees = new Map<SourceNode, Callee>();
  readonly #calls = new Map<SourceNode, Scope>();
  readonly #live = new Map<SourceNode, string>();
  readonly #count: { scopes: number };

  private constructor(
    graph: SourceGraph,
    body: SourceFunction | undefined,
    bindings: ReadonlyMap<string, Binding>,
    prefix: string,
    depth: number,
    count: { scopes: number },
  ) {
    this.graph = graph;
    this.function = body;
    this.nodes = body?.nodes ?? graph.nodes;
    this.bindings = bindings;
    this.prefix = prefix;
    this.depth = depth;
    this.#count = count;
    if (depth > deepestCall) throw new GraftError("model-refused", "functions call each other too deeply");
    if (++count.scopes > mostScopes) throw new GraftError("model-refused", "the graph has too many calls of functions");
  }

  static ofGraph(graph: SourceGraph, bindings: ReadonlyMap<string, Binding>): Scope {
    return new Scope(graph, undefined, bindings, "", 0, { scopes: 0 });
  }

  /** A function of the same library, called from here with these arguments. */
  call(function_: SourceFunction, args: readonly Binding[], prefix: string): Scope {
    const bindings = new Map<string, Binding>();
    for (const [index, { name }] of function_.inputs.entries()) {
      const binding = args[index];
      if (binding === undefined) {
        throw new GraftError("model-invalid", "a call lacks an argument", { path: [function_.name, name] });
      }
      bindings.set(name, binding);
    }
    return new Scope(this.graph, function_, bindings, prefix, this.depth + 1, this.#count);
  }

  /** The function of a name. Throws GraftError `model-invalid` where the library has none. */
  functionNamed(name: string): SourceFunction {
    const found = this.graph.function(name);
    if (found === undefined) throw new GraftError("model-invalid", "the library lacks a function", { path: [name] });
    return found;
  }

  /** What a node calls whose outputs are the function's; `undefined` for others. */
  #calleeOf(node: SourceNode, depth: number): Callee | undefined {
    const known = this.#callees.get(node);
    if (known !== undefined) return known;
    const found = this.#findCallee(node, depth);
    if (found !== undefined) this.#callees.set(node, found);
    return found;
  }

  #findCallee(node: SourceNode, depth: number): Callee | undefined {
    const args = dataInputs(node);
    if (calls.has(node.op)) return { function: this.functionNamed(functionAttribute(node, "f")), args };
    if (conditionals.has(node.op)) {
      const condition = this.condition(args[0] ?? "", depth);
      if (condition === undefined) return undefined;
      const name = functionAttribute(node, condition ? "then_branch" : "else_branch");
      return { function: this.functionNamed(name), args: args.slice(1) };
    }
    const named = this.graph.function(node.op);
    return named && { function: named, args };
  }

  #scopeOf(node: SourceNode, function_: SourceFunction, args: readonly string[]): Scope {
    const known = this.#calls.get(node);
    if (known !== undefined) return known;
    const bindings = args.map((reference) => ({ kind: "reference", scope: this, reference }) as const);
    const scope = this.call(function_, bindings, this.prefix + scopeName(node.name));
    this.#calls.set(node, scope);
    return scope;
  }

  /** Where a value comes from. Throws GraftError `model-invalid` for references to what is not there. */
  originOf(reference: string, depth = 0): Origin {
    let scope: Scope = this;
    let next = reference;
    for (let step = 0; step < mostSteps; step++) {
      const { name, output, index } = parseReference(next, scope.function !== undefined);
      const binding = scope.bindings.get(name);
      if (binding !== undefined) {
        if (binding.kind !== "reference") return binding;
        scope = binding.scope;
        next = binding.reference;
        continue;
      }
      const node = scope.nodes.get(name);
      if (node === undefined) {
        throw new GraftError("model-invalid", "a node is not there that another takes", {
          path: [scope.prefix + name],
        });
      }
      const callee = scope.#calleeOf(node, depth);
      if (callee !== undefined) {
        const outputs = callee.function.outputs;
        const named = output === undefined ? -1 : outputs.findIndex((candidate) => candidate.name === output);
        // Calls by PartitionedCall have one list of outputs; calls by the function's own name have the function's.
        const result = outputs[named < 0 || calls.has(node.op) ? index : named]?.name;
        const returned = result === undefined ? undefined : callee.function.returns.get(result);
        if (returned === undefined) {
          throw new GraftError("model-invalid", "a function lacks an output", { path: [callee.function.name, next] });
        }
        scope = scope.#scopeOf(node, callee.function, callee.args);
        next = returned;
        continue;
      }
      const number = output === undefined ? index : outputNumber(node, output, index);
      const passed = scope.#passedOn(node, number, depth);
      if (passed === undefined) return { kind: "node", scope, node, output: number };
      next = passed;
    }
    throw new GraftError("model-invalid", "references lead in a circle", { path: [reference] });
  }

  /** The input that an output of a node is; `undefined` where the node computes. */
  #passedOn(node: SourceNode, output: number, depth: number): string | undefined {
    const inputs = dataInputs(node);
    if (passing.has(node.op)) return required(node, inputs[0]);
    if (node.op === "IdentityN") return required(node, inputs[output]);
    if (node.op === "Switch" || node.op === "RefSwitch") return required(node, inputs[0]);
    if ((node.op !== "Merge" && node.op !== "RefMerge") || output !== 0) return undefined;
    const live = this.#live.get(node) ?? liveInput(this, node, depth);
    if (live !== undefined) this.#live.set(node, live);
    return live;
  }

  /** Whether a predicate holds, where constants decide it. */
  condition(reference: string, depth = 0): boolean | undefined {
    if (depth > deepestPredicate) return undefined;
    const origin = this.originOf(reference, depth + 1);
    if (origin.kind === "constant") return truth(origin.tensor);
    if (origin.kind !== "node") return undefined;
    const { node, scope } = origin;
    if (node.op === "Const") {
      const value = node.attributes.get("value");
      return value?.kind === "tensor" ? truth(value.value) : undefined;
    }
    const conditions = (): (boolean | undefined)[] =>
      dataInputs(node).map((input) => scope.condition(input, depth + 1));
    if (node.op === "LogicalNot") {
      const [value] = conditions();
      return value === undefined ? undefined : !value;
    }
    if (node.op === "LogicalAnd" || node.op === "LogicalOr") {
      const decisive = node.op === "LogicalOr";
      const values = conditions();
      if (values.includes(decisive)) return decisive;
      return values.includes(undefined) ? undefined : !decisive;
    }
    return undefined;
  }
}

/** A function's name in an attribute. Throws GraftError `model-invalid` where there is none. */
export function functionAttribute(node: SourceNode, name: string): string {
  const attribute = node.attributes.get(name);
  if (attribute?.kind === "function") return attribute.name;
  throw new GraftError("model-invalid", `${node.op} names no function as "${name}"`, { path: [node.name] });
}

/** What a call's name says of where it stands: `block/StatefulPartitionedCall_1` is `block/`. */
function scopeName(name: string): string {
  const kept = name.replace(/(^|\/)(Stateful)?PartitionedCall(_\d+)?$/, "");
  return kept === "" ? "" : `${kept}/`;
}

function truth(tensor: Tensor): boolean | undefined {
  if (tensor.dtype === "string" || tensor.data.length !== 1) return undefined;
  return numbersOf(tensor)[0] !== 0;
}

function required(node: SourceNode, input: string | undefined): string {
  if (input !== undefined) return input;
  throw new GraftError("model-invalid", `${node.op} lacks an input`, { path: [node.name] });
}
