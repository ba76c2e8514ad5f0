/** @file Which objects of a config are operations: TensorFlow's functions as Keras 2 wraps them, Keras 3's own. */
import { fieldOf, isRecord, type KerasObject } from "./config.ts";
import { kerasRows } from "./operations-keras.ts";

/** Keras 2's wrappers of TensorFlow's functions. */
const wrappers: ReadonlySet<string> = new Set([
  "TFOpLambda",
  "SlicingOpLambda",
  "TensorFlowOpLayer",
  "ClassMethod",
  "InstanceMethod",
  "InstanceProperty",
]);

/** Whether the object is an operation, not a layer: some have one name (`Add`, `Multiply`, `Reshape`). */
export function isOperationObject({ className, module, config }: KerasObject, version: 1 | 2 | 3): boolean {
  if (wrappers.has(className)) return true;
  if (version !== 3) return false;
  if (module !== undefined) return /^keras([.]src)?[.]ops([.]|$)/.test(module);
  // Older files of Keras 3 (.h5) name no modules: layers say whether they are trained, operations do not.
  return kerasRows.has(className) && isRecord(config) && fieldOf(config, "trainable") === undefined;
}
