/** @file The vocabulary: every operator we understand, with its attributes, in the form of ONNX's canonical opset. */
import type { OperatorSchema, Schemas } from "./schema.ts";
import { type ControlOperators, controlSchemas } from "./vocabulary/control.ts";
import { type ConvolutionOperators, convolutionSchemas } from "./vocabulary/convolution.ts";
import { type LinearOperators, linearSchemas } from "./vocabulary/linear.ts";
import { type MovementOperators, movementSchemas } from "./vocabulary/movement.ts";
import { type NormalizationOperators, normalizationSchemas } from "./vocabulary/normalization.ts";
import { type PointwiseOperators, pointwiseSchemas } from "./vocabulary/pointwise.ts";
import { type PoolingOperators, poolingSchemas } from "./vocabulary/pooling.ts";
import { type RecurrentOperators, recurrentSchemas } from "./vocabulary/recurrent.ts";
import { type ReductionOperators, reductionSchemas } from "./vocabulary/reduction.ts";
import { type SamplingOperators, samplingSchemas } from "./vocabulary/sampling.ts";

/** Adding an operator to a family breaks the build until every table keyed by `Operator` has its row. */
export interface OperatorAttributes
  extends ControlOperators,
    ConvolutionOperators,
    LinearOperators,
    MovementOperators,
    NormalizationOperators,
    PointwiseOperators,
    PoolingOperators,
    RecurrentOperators,
    ReductionOperators,
    SamplingOperators {}

export type Operator = keyof OperatorAttributes;

const schemas: Schemas<OperatorAttributes> = {
  ...controlSchemas,
  ...convolutionSchemas,
  ...linearSchemas,
  ...movementSchemas,
  ...normalizationSchemas,
  ...pointwiseSchemas,
  ...poolingSchemas,
  ...recurrentSchemas,
  ...reductionSchemas,
  ...samplingSchemas,
};

export function isOperator(name: string): name is Operator {
  return Object.hasOwn(schemas, name);
}

export function schemaOf<K extends Operator>(operator: K): OperatorSchema<OperatorAttributes[K]> {
  return schemas[operator];
}

export const operators: readonly Operator[] = Object.keys(schemas).filter(isOperator).sort();
