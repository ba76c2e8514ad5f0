/** @file Branches and loops: taken or unrolled where it is known how they run, else ONNX's If and Loop. */
import { numbersOf } from "../../../tensor/index.ts";
import { type Call, type Lower, type OperatorRows, orientedOf, type Slot } from "./call.ts";
import { ownOutputs, rolledLoop } from "./loop.ts";

/** Longer loops are not written out round by round. */
const mostRounds = 128;
/** Nor are loops of more nodes than this in all. */
const mostNodes = 20_000;

/** Whether a slot is true, where that is known. */
function truth(call: Call, slot: Slot): boolean | undefined {
  const tensor =
    slot.kind === "weight"
      ? slot.weight.tensor
      : slot.kind === "tensor"
        ? call.build.constantOf(slot.data.native)
        : undefined;
  if (tensor === undefined || tensor.dtype === "string") return undefined;
  return numbersOf(tensor)[0] !== 0;
}

const branch: Lower = (call) => {
  const { build, context } = call;
  const inputs = call.inputs.slice(1);
  const known = truth(call, call.slot(0));
  const [yes, no] = [call.callee("then_branch"), call.callee("else_branch")];
  if (known !== undefined) return context.run(known ? yes : no, inputs, build);
  const [thenBranch, elseBranch] = [yes, no].map((called) => {
    const inside = context.inside();
    const values = context.run(called, inputs, inside).map((slot) => orientedOf({ build: inside }, slot).last());
    return inside.graph(ownOutputs(inside, values), called.name);
  });
  if (thenBranch === undefined || elseBranch === undefined) throw call.refused("a branch is missing");
  const condition = build.cast(call.value(0), "bool");
  const flag = condition.shape?.length === 0 ? condition : build.reshape(condition, []);
  return build.applyAll("If", [flag], thenBranch.outputs.length, { thenBranch, elseBranch }, call.name);
};

const loop: Lower = (call) => unrolled(call) ?? rolledLoop(call);

/** The state after all rounds, written out one after the other; `undefined` where it is not known when it ends. */
function unrolled(call: Call): readonly Slot[] | undefined {
  const { build, context } = call;
  const [condition, body] = [call.callee("cond"), call.callee("body")];
  const before = build.nodes.length;
  let state = call.inputs;
  for (let round = 0; round <= mostRounds && build.nodes.length - before <= mostNodes; round++) {
    const [test] = context.run(condition, state, build);
    const goesOn = test && truth(call, test);
    if (goesOn === undefined) return undefined;
    if (!goesOn) return state;
    state = context.run(body, state, build);
  }
  return undefined;
}

export const controlRows: OperatorRows = [
  ["If", branch],
  ["StatelessIf", branch],
  ["StatelessWhile", loop],
  ["While", loop],
];
