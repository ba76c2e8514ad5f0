/** @file Operators that hold graphs of their own. Their graphs may use values of the graphs around them. */
import type { Graph } from "../graph.ts";
import { optional, required, type Schemas, schema } from "../schema.ts";

export interface ControlOperators {
  If: { readonly thenBranch: Graph; readonly elseBranch: Graph };
  Loop: { readonly body: Graph };
  Scan: {
    readonly body: Graph;
    readonly numScanInputs: number;
    readonly scanInputAxes: readonly number[] | undefined;
    readonly scanInputDirections: readonly number[] | undefined;
    readonly scanOutputAxes: readonly number[] | undefined;
    readonly scanOutputDirections: readonly number[] | undefined;
  };
}

const any = Number.POSITIVE_INFINITY;

export const controlSchemas: Schemas<ControlOperators> = {
  If: schema(1, [1, any], {
    thenBranch: required("then_branch", "graph"),
    elseBranch: required("else_branch", "graph"),
  }),
  Loop: schema([2, any], [1, any], { body: required("body", "graph") }),
  Scan: schema([1, any], [1, any], {
    body: required("body", "graph"),
    numScanInputs: required("num_scan_inputs", "int"),
    scanInputAxes: optional("scan_input_axes", "ints"),
    scanInputDirections: optional("scan_input_directions", "ints"),
    scanOutputAxes: optional("scan_output_axes", "ints"),
    scanOutputDirections: optional("scan_output_directions", "ints"),
  }),
};
