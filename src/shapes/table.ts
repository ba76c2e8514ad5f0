/** @file The total table: operator → shape rule. A forgotten operator does not compile. */
import type { Application, Operator, OperatorAttributes, ValueType } from "../graph/index.ts";
import { controlShapes } from "./control.ts";
import { convolutionShapes } from "./convolution.ts";
import { linearShapes } from "./linear.ts";
import { movementShapes } from "./movement.ts";
import { normalizationShapes } from "./normalization.ts";
import { pointwiseShapes } from "./pointwise.ts";
import { poolingShapes } from "./pooling.ts";
import { recurrentShapes } from "./recurrent.ts";
import { reductionShapes } from "./reduction.ts";
import type { Known, ShapeRule, ShapeRules } from "./rule.ts";
import { samplingShapes } from "./sampling.ts";

const shapeRules: ShapeRules<OperatorAttributes> = {
  ...controlShapes,
  ...convolutionShapes,
  ...linearShapes,
  ...movementShapes,
  ...normalizationShapes,
  ...pointwiseShapes,
  ...poolingShapes,
  ...recurrentShapes,
  ...reductionShapes,
  ...samplingShapes,
};

/** The types of an operator's outputs; rules may give more types than the application has outputs. */
export function outputTypes<K extends Operator>(application: Application<K>, known: Known): readonly ValueType[] {
  const rule: ShapeRule<K> = shapeRules[application.operator];
  return rule(application, known);
}
