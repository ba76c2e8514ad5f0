/** @file Raising nodes from the operator set they were written for to the canonical one, a change at a time. */
import { canonicalOpset } from "../model.ts";
import type { RawNode } from "../rawNode.ts";
import { movementSteps } from "./movement.ts";
import { normalizationSteps } from "./normalization.ts";
import { pointwiseSteps } from "./pointwise.ts";
import { reductionSteps } from "./reduction.ts";
import { samplingSteps } from "./sampling.ts";
import { readThroughSequence } from "./sequences.ts";
import { type Place, Step, type Steps } from "./step.ts";

/**
 * Every change since operator set 7 that is more than new element types or new attributes whose default is the old
 * meaning, found by going through `onnx.defs.get_all_schemas_with_history()` operator by operator.
 */
const steps: Steps = {
  ...movementSteps,
  ...normalizationSteps,
  ...pointwiseSteps,
  ...reductionSteps,
  ...samplingSteps,
  Scan: [
    [
      9,
      (step) => {
        throw step.refuse("has no newer form");
      },
    ],
  ],
};

/** Emits the node in its canonical form, with whatever that takes around it. Throws where there is none. */
export function raise(node: RawNode, place: Place): void {
  const step = new Step(node, place);
  for (let at = node.version; at < canonicalOpset; ) {
    const next = steps[node.operator]?.find(([since]) => since > at);
    if (next === undefined) break;
    const [since, raiser] = next;
    raiser(step);
    at = since;
  }
  readThroughSequence(step);
  place.emit(node);
  for (const each of step.after) place.emit(each);
}
