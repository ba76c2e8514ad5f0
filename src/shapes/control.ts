/** @file Shapes of operators that hold graphs: what their graphs' outputs are, whichever way the run goes. */
import type { Application, ControlOperators, Node, Operator, OperatorNode, Value, ValueType } from "../graph/index.ts";
import { type Dimension, GraftError, type Shape } from "../tensor/index.ts";
import { inputAt, type Known, type ShapeRules } from "./rule.ts";

/** The graphs' own values must be typed already; `inferShapes` types them with what `bodyInputs` says. */
export const controlShapes: ShapeRules<ControlOperators> = {
  If: (application, known) => {
    const { thenBranch, elseBranch } = application.attributes;
    expectCount(elseBranch.outputs, thenBranch.outputs.length, "the else branch's outputs");
    const skipped = otherBranch(application, known);
    if (skipped !== undefined) return (skipped === 0 ? elseBranch : thenBranch).outputs;
    return thenBranch.outputs.map((output, index) => either(output, elseBranch.outputs[index]));
  },
  // State goes round as it came in or as the body leaves it; every further output gathers a row each iteration.
  Loop: (application, known) => {
    const { body } = application.attributes;
    const [, ...results] = body.outputs;
    const state = application.inputs.slice(2);
    expectCount(body.inputs, state.length + 2, "the body's inputs");
    expectAtLeast(results, state.length, "the body's outputs");
    const [trips = null] = known.elementsOf(application.inputs[0]) ?? [];
    // A condition may end the loop before the trip count does.
    const condition = known.elementsOf(body.outputs[0])?.[0];
    const count = condition === 1 ? trips : null;
    return results.map((result, index) =>
      index < state.length
        ? either(result, state[index])
        : { dtype: result.dtype, shape: result.shape && [count, ...result.shape] },
    );
  },
  // State keeps its type; scanned outputs gain the axis that the inputs were scanned along.
  Scan: (application) => {
    const { body, numScanInputs, scanInputAxes, scanOutputAxes } = application.attributes;
    const states = application.inputs.length - numScanInputs;
    expectCount(body.inputs, application.inputs.length, "the body's inputs");
    expectAtLeast(body.outputs, states, "the body's outputs");
    const lengths = application.inputs.slice(states).map((_, index) => {
      const { shape } = inputAt(application, states + index);
      return shape?.at(scanInputAxes?.[index] ?? 0) ?? null;
    });
    const length = lengths.find((size) => typeof size === "number") ?? lengths[0] ?? null;
    return body.outputs.map((output, index) => {
      if (index < states) return either(output, application.inputs[index]);
      return {
        dtype: output.dtype,
        shape: output.shape && insertAxis(output.shape, scanOutputAxes?.[index - states] ?? 0, length),
      };
    });
  },
};

/** What a node hands to the graph it holds. */
export interface Body {
  /** The types of the graph's inputs. */
  readonly inputs: readonly ValueType[];
  /** Inputs that take over from an output in the next iteration, with that output. */
  readonly carried: readonly (readonly [input: number, output: number])[];
  /** The input that is true whenever the graph runs at all. */
  readonly alwaysTrue: number | undefined;
  /** Which of the node's graphs, in the order of its attributes, is known never to run. What it says need not make sense. */
  readonly neverRuns: number | undefined;
}

const noInputs: Body = { inputs: [], carried: [], alwaysTrue: undefined, neverRuns: undefined };

const bodies: { readonly [K in Operator]?: (application: Application<K>, known: Known) => Body } = {
  If: (application, known) => ({ ...noInputs, neverRuns: otherBranch(application, known) }),
  // (iteration, condition, state …) → (condition, state …, a row of each further output)
  Loop: ({ inputs: [, condition, ...state] }) => ({
    ...noInputs,
    inputs: [{ dtype: "int64", shape: undefined }, { dtype: "bool", shape: condition?.shape }, ...state.map(typeOf)],
    carried: state.map((_, index) => [index + 2, index + 1]),
    alwaysTrue: 1,
  }),
  // (state …, a row of each scanned input) → (state …, a row of each further output)
  Scan: ({ inputs, attributes: { numScanInputs, scanInputAxes } }) => {
    const states = inputs.length - numScanInputs;
    return {
      ...noInputs,
      inputs: inputs.map((input, index) =>
        index < states ? typeOf(input) : rowOf(typeOf(input), scanInputAxes?.[index - states] ?? 0),
      ),
      carried: Array.from({ length: Math.max(states, 0) }, (_, index) => [index, index]),
    };
  },
};

/** What a node hands to the graphs it holds; nothing for operators we do not know. */
export function bodyOf(node: Node, known: Known): Body {
  return node.kind === "foreign" ? noInputs : bodyOfOperator(node, known);
}

function bodyOfOperator<K extends Operator>(node: OperatorNode<K>, known: Known): Body {
  return bodies[node.operator]?.(node, known) ?? noInputs;
}

/** The branch that a known condition leaves out: 0 for the first, 1 for the second. */
function otherBranch({ inputs }: Application<"If">, known: Known): number | undefined {
  const [condition] = known.elementsOf(inputs[0]) ?? [];
  return typeof condition === "number" ? (condition === 0 ? 0 : 1) : undefined;
}

function typeOf(value: Value | undefined): ValueType {
  return { dtype: value?.dtype, shape: value?.shape };
}

function rowOf({ dtype, shape }: ValueType, axis: number): ValueType {
  return { dtype, shape: shape?.toSpliced(axis, 1) };
}

/** What holds of a value that is one or the other. */
export function either(a: ValueType, b: ValueType | undefined): ValueType {
  const shape = a.shape && b?.shape?.length === a.shape.length ? eitherShape(a.shape, b.shape) : undefined;
  return { dtype: a.dtype === b?.dtype ? a.dtype : (a.dtype ?? b?.dtype), shape };
}

function eitherShape(a: Shape, b: Shape): Shape {
  return a.map((size, axis) => (size === b[axis] ? size : null));
}

function insertAxis(shape: Shape, axis: number, size: Dimension): Shape {
  const position = axis < 0 ? axis + shape.length + 1 : axis;
  return [...shape.slice(0, position), size, ...shape.slice(position)];
}

function expectCount(values: readonly Value[], count: number, what: string): void {
  if (values.length === count) return;
  throw new GraftError("model-invalid", `${what} do not fit the operator`, {
    expected: `${count}`,
    actual: `${values.length}`,
  });
}

function expectAtLeast(values: readonly Value[], count: number, what: string): void {
  if (values.length < count) expectCount(values, count, what);
}
