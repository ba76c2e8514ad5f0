/** @file ONNX Runtime's errors in the house's form: the node they name becomes the place, the source location goes. */
import { type ErrorCode, GraftError } from "../tensor/index.ts";

interface Place {
  readonly node: string;
  readonly operator?: string;
  /** What remains of the message. */
  readonly reason: string;
}

/** Names may hold any character, quotes too, so each form is recognised by what follows the name. */
const forms: readonly ((message: string) => Place | undefined)[] = [
  // Non-zero status code returned while running Conv node. Name:'conv1' Status Message: …
  (message) => {
    const [, operator, node, reason] =
      /Non-zero status code returned while running (\S+) node\. Name:'([\s\S]*?)' Status Message: ([\s\S]*)/.exec(
        message,
      ) ?? [];
    return place(node, reason, operator);
  },
  // In Node, ("conv1", Conv, "", -1) : ("x": tensor(float),) -> ("y": tensor(float),) , Error …
  (message) => {
    const [, node, operator, reason] =
      /In Node, \("([\s\S]*?)", ([^\s,]+), "[^"]*", -?\d+\) : [\s\S]*?, Error ([\s\S]*)/.exec(message) ?? [];
    return place(node, reason, operator);
  },
  // Node (conv1) Op (Conv) [ShapeInferenceError] …
  (message) => {
    const [, node, operator, reason] = /Node \(([\s\S]*?)\) Op \(([^)]*)\) ([\s\S]*)/.exec(message) ?? [];
    return place(node, reason, operator);
  },
  // Could not find an implementation for Conv(11) node with name 'conv1'
  (message) => {
    const [reason, operator, node] =
      /Could not find an implementation for (\w+)\(\d+\) node with name '([\s\S]*)'/.exec(message) ?? [];
    return place(node, reason, operator);
  },
  // Failed to find kernel for Conv(11) (node:'conv1' ep:'CPUExecutionProvider'). …
  (message) => {
    const [, operator, node] = /(\w+)\(\d+\) \(node:'([\s\S]*?)' ep:/.exec(message) ?? [];
    return place(node, message, operator);
  },
  // Type Error: Type 'tensor(uint16)' of input parameter (x) of operator (Sin) in node (sine) is invalid.
  (message) => {
    const [, operator, node] = /(?:operator|Optype) \(([^)]*)\)[\s\S]* in node \(([\s\S]*)\)/.exec(message) ?? [];
    return place(node, message, operator);
  },
];

function place(node: string | undefined, reason: string | undefined, operator: string | undefined): Place | undefined {
  if (node === undefined || reason === undefined) return undefined;
  return { node, reason, ...(operator === undefined ? {} : { operator }) };
}

/** A model's names can be as long as its author likes; what is read of a message is not. */
const longest = 10_000;

interface Advice {
  readonly when: RegExp;
  readonly code?: ErrorCode;
  readonly hint: string;
}

const advice: readonly Advice[] = [
  {
    when: /bad_alloc|failed to allocate|out of memory|array buffer allocation failed|invalid (typed )?array length/i,
    code: "out-of-resources",
    hint: "use a smaller batch or smaller inputs",
  },
  { when: /protobuf parsing failed|data pointer is null|no graph was found/i, hint: "the bytes are not an ONNX model" },
  {
    when: /webgpu|requestadapter|gpudevice/i,
    code: "runtime-failed",
    hint: 'there is no working GPU here: use the device "cpu"',
  },
  {
    when: /unsupported data type/i,
    code: "model-refused",
    hint: "an input or output has an element type that cannot pass to JavaScript: cast it inside the model",
  },
  {
    when: /no op registered|is not a registered function/i,
    hint: "this version of ONNX Runtime does not know the operator at the model's opset",
  },
  {
    when: /could not find an implementation|failed to find kernel|not implemented/i,
    hint: "ONNX Runtime has no kernel for these element types here: cast to float32 around the node",
  },
];

/**
 * ONNX Runtime's error as a GraftError: "runtime-failed" from a run, "model-invalid" from making a session,
 * "out-of-resources" where memory ran out. What was thrown stays as the cause.
 */
export function failureOf(thrown: unknown, code: "runtime-failed" | "model-invalid"): GraftError {
  if (thrown instanceof GraftError) return thrown;
  const message = withoutWrapping((thrown instanceof Error ? thrown.message : String(thrown)).slice(0, longest));
  const found = forms.reduce<Place | undefined>((earlier, form) => earlier ?? form(message), undefined);
  const known = advice.find(({ when }) => when.test(message));
  const reason = withoutSource(found?.reason ?? message);
  return new GraftError(known?.code ?? code, reason || "ONNX Runtime failed without a message", {
    ...(found ? { path: [`${found.operator ?? "node"} "${found.node}"`] } : {}),
    ...(known ? { hint: known.hint } : {}),
    cause: thrown,
  });
}

/** onnxruntime-web puts its own call in front: "failed to call OrtRun(). ERROR_CODE: 1, ERROR_MESSAGE: …". */
function withoutWrapping(message: string): string {
  return message.replace(/^[\s\S]*?ERROR_CODE: \d+, ERROR_MESSAGE: /, "").trim();
}

/** Drops "file.h:59 Function" and "file.cc:12 signature condition was false." from the front. */
function withoutSource(reason: string): string {
  return reason
    .replace(/^\S+\.(?:h|cc|cpp|cu):\d+ [\s\S]*? was false\. /, "")
    .replace(/^\S+\.(?:h|cc|cpp|cu):\d+ (?:onnxruntime::)?\S+ /, "")
    .trim();
}
