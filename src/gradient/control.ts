/** @file Operators that hold graphs run frozen: no derivative goes through a branch or a loop. */
import type { ControlOperators } from "../graph/index.ts";
import { type GradientRules, notDifferentiable } from "./rule.ts";

export const controlGradients: GradientRules<ControlOperators> = {
  If: notDifferentiable("which branch runs is known only at run time"),
  Loop: notDifferentiable("how often the body runs is known only at run time"),
  Scan: notDifferentiable("how often the body runs is known only at run time"),
};
