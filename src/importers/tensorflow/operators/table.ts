/** @file Every operator of TensorFlow that is lowered, with what it computes. */
import { biasRows } from "./bias.ts";
import { blockRows } from "./blocks.ts";
import type { Lower } from "./call.ts";
import { complexRows } from "./complex.ts";
import { controlRows } from "./control.ts";
import { convolutionRows } from "./convolution.ts";
import { fusedRows } from "./fused.ts";
import { indexingRows } from "./indexing.ts";
import { linearRows } from "./linear.ts";
import { listRows } from "./lists.ts";
import { movementRows } from "./movement.ts";
import { normalizationRows } from "./normalization.ts";
import { pointwiseRows } from "./pointwise.ts";
import { poolingRows } from "./pooling.ts";
import { reductionRows } from "./reduction.ts";
import { resizeRows } from "./resize.ts";
import { shapeRows } from "./shape.ts";
import { sourceRows } from "./source.ts";
import { stridedSliceRows } from "./strided-slice.ts";

/** By the operator's name in a GraphDef. */
export const operatorTable: ReadonlyMap<string, Lower> = new Map<string, Lower>([
  ...biasRows,
  ...blockRows,
  ...complexRows,
  ...controlRows,
  ...convolutionRows,
  ...fusedRows,
  ...indexingRows,
  ...linearRows,
  ...listRows,
  ...movementRows,
  ...normalizationRows,
  ...pointwiseRows,
  ...poolingRows,
  ...reductionRows,
  ...resizeRows,
  ...shapeRows,
  ...sourceRows,
  ...stridedSliceRows,
]);
