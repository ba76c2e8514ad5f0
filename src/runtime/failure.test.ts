import { describe, expect, it } from "vitest";
import { GraftError } from "../tensor/index.ts";
import { failureOf } from "./failure.ts";

/** What ONNX Runtime 1.30 says, in each of its ways. */
const messages: readonly (readonly [message: string, expected: string])[] = [
  [
    "Non-zero status code returned while running MatMul node. Name:'layer/it's' Status Message: matmul_helper.h:59 Compute MatMul dimension mismatch",
    `runtime-failed: MatMul "layer/it's": MatMul dimension mismatch`,
  ],
  [
    "Non-zero status code returned while running Reshape node. Name:'flat' Status Message: /onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:91 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, onnxruntime::TensorShapeVector&, bool) input_shape_size == requested_shape_size was false. The input tensor cannot be reshaped to the requested shape. Input shape:{6}, requested shape:{4,4}\n",
    'runtime-failed: Reshape "flat": The input tensor cannot be reshaped to the requested shape. Input shape:{6}, requested shape:{4,4}',
  ],
  [
    "failed to call OrtRun(). ERROR_CODE: 1, ERROR_MESSAGE: Non-zero status code returned while running Gather node. Name:'pick' Status Message: indices element out of data bounds, idx=40 must be within the inclusive range [-6,5]",
    'runtime-failed: Gather "pick": indices element out of data bounds, idx=40 must be within the inclusive range [-6,5]',
  ],
  [
    'This is an invalid model. In Node, ("conv", Conv, "", -1) : ("x": tensor(float),) -> ("y": tensor(float),) , Error Unrecognized attribute: foo for operator Conv',
    'runtime-failed: Conv "conv": Unrecognized attribute: foo for operator Conv',
  ],
  [
    "Node (times) Op (MatMul) [ShapeInferenceError] Incompatible dimensions for matrix multiplication",
    'runtime-failed: MatMul "times": [ShapeInferenceError] Incompatible dimensions for matrix multiplication',
  ],
  [
    "Could not find an implementation for Gelu(20) node with name 'gelu'",
    `runtime-failed: Gelu "gelu": Could not find an implementation for Gelu(20) node with name 'gelu'; ONNX Runtime has no kernel for these element types here: cast to float32 around the node`,
  ],
  [
    "Failed to find kernel for Conv(11) (node:'conv' ep:'CPUExecutionProvider'). Kernel not found",
    `runtime-failed: Conv "conv": Failed to find kernel for Conv(11) (node:'conv' ep:'CPUExecutionProvider'). Kernel not found; ONNX Runtime has no kernel for these element types here: cast to float32 around the node`,
  ],
  [
    "This is an invalid model. Type Error: Type 'tensor(uint16)' of input parameter (x) of operator (Sin) in node (sine) is invalid.",
    `runtime-failed: Sin "sine": This is an invalid model. Type Error: Type 'tensor(uint16)' of input parameter (x) of operator (Sin) in node (sine) is invalid.`,
  ],
  ["std::bad_alloc", "out-of-resources: std::bad_alloc; use a smaller batch or smaller inputs"],
  ["something new", "runtime-failed: something new"],
];

describe("failureOf", () => {
  it("finds the node and the reason in each of ONNX Runtime's forms", () => {
    for (const [message, expected] of messages) {
      const { code, message: found } = failureOf(new Error(message), "runtime-failed");
      expect(`${code}: ${found}`).toBe(expected);
    }
  });

  it("passes on what already is the house's error", () => {
    const error = new GraftError("usage", "no");
    expect(failureOf(error, "model-invalid")).toBe(error);
  });

  it("keeps what was thrown, whatever it is", () => {
    expect(failureOf(1234, "runtime-failed")).toMatchObject({ code: "runtime-failed", reason: "1234", cause: 1234 });
  });

  it("reads a long message of a hostile name in no time", () => {
    const name = " in node (operator (x)".repeat(100_000);
    const started = performance.now();
    failureOf(new Error(name), "runtime-failed");
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
