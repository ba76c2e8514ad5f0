/** @file Shapes of recurrent layers: every state, the last state, and for LSTM the last cell. */
import type { Application, RecurrentAttributes, RecurrentOperators, ValueType } from "../graph/index.ts";
import type { Dimension, Shape } from "../tensor/index.ts";
import { expectRank, inputAt, type ShapeRules, typed, unify } from "./rule.ts";

/**
 * X [time, batch, input], R [directions, gates·hidden, hidden] → Y [time, directions, batch, hidden] and
 * states [directions, batch, hidden]; with layout 1: X [batch, time, input] → Y [batch, time, directions, hidden] and
 * states [batch, directions, hidden].
 */
function recurrent(application: Application<keyof RecurrentOperators>): readonly ValueType[] {
  const x = inputAt(application, 0);
  const r = inputAt(application, 2);
  const { direction, hiddenSize, layout }: RecurrentAttributes = application.attributes;
  expectRank(x, "the recurrent input", 3);
  expectRank(r, "the recurrence weight", 3);
  const count = direction === "bidirectional" ? 2 : 1;
  const hidden: Dimension = unify(hiddenSize, r.shape?.[2], "hidden_size and the recurrence weight's last size");
  const directions = unify(count, r.shape?.[0], "the number of directions and of recurrence weights");
  const [first = null, second = null] = x.shape ?? [];
  const [time, batch] = layout === 1 ? [second, first] : [first, second];
  const every: Shape = layout === 1 ? [batch, time, directions, hidden] : [time, directions, batch, hidden];
  const last: Shape = layout === 1 ? [batch, directions, hidden] : [directions, batch, hidden];
  return [typed(x, every), typed(x, last), typed(x, last)];
}

export const recurrentShapes: ShapeRules<RecurrentOperators> = { GRU: recurrent, LSTM: recurrent, RNN: recurrent };
