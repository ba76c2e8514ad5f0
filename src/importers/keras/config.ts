/** @file The objects of Keras configs, of any version: envelopes, names, data types. Everything in them is by strangers. */
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";

export interface JsonRecord {
  readonly [key: string]: Json;
}

/** A serialized object: a layer, a model, an operation. */
export interface KerasObject {
  /** Without the package of legacy registered names: `Odd` of `mine>Odd`. */
  readonly className: string;
  readonly module: string | undefined;
  readonly registeredName: string | undefined;
  /** A list in the Sequential models of old. */
  readonly config: JsonRecord | readonly Json[];
  /** The whole envelope: `name`, `inbound_nodes` and what else there is. */
  readonly envelope: JsonRecord;
}

export function isRecord(value: Json | undefined): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own field of a record. */
export function fieldOf(record: JsonRecord, key: string): Json | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

export function textField(record: JsonRecord, key: string): string | undefined {
  const value = fieldOf(record, key);
  return typeof value === "string" ? value : undefined;
}

/** Reads `{class_name, config}` in any of its forms; `undefined` where the value is none. */
export function kerasObject(value: Json | undefined): KerasObject | undefined {
  if (!isRecord(value)) return undefined;
  const named = textField(value, "class_name");
  const config = fieldOf(value, "config");
  if (named === undefined || (!isRecord(config) && !Array.isArray(config))) return undefined;
  const separator = named.lastIndexOf(">");
  const registered = textField(value, "registered_name");
  return {
    className: named.slice(separator + 1),
    module: textField(value, "module"),
    registeredName: registered ?? (separator >= 0 ? named : undefined),
    config,
    envelope: value,
  };
}

/** The config of an object as a record. Throws GraftError `model-invalid` where it is a list. */
export function recordOf({ className, config }: KerasObject): JsonRecord {
  if (isRecord(config)) return config;
  throw new GraftError("model-invalid", "its config is no object", { path: [className] });
}

/** Whether an object is a model of Keras's own. */
export function isModel({ className, config }: KerasObject): boolean {
  if (className === "Sequential") return true;
  return (
    ["Functional", "Model", "Container"].includes(className) && isRecord(config) && Array.isArray(config["layers"])
  );
}

const ownModules = /^(keras|tf_keras|keras_core|tensorflow[.]keras|tensorflow[.]python[.]keras)([.]|$)/;

/** Whether the object is one of Keras's own: not registered by another package and not of another module. */
export function isOwn({ module, registeredName, envelope }: KerasObject): boolean {
  if (registeredName?.includes(">") === true) return false;
  if (module !== undefined) return ownModules.test(module);
  // Newer files say where every class comes from; `null` is what they say of classes that were defined elsewhere.
  return !Object.hasOwn(envelope, "module") || registeredName === undefined;
}

/** `3` of `3.15.1`, `2` of `2.2.4-tf` and of `tfjs-layers 1.1.2`, whose configs are Keras 2's. */
export function majorVersion(version: string | undefined, config: Json): 1 | 2 | 3 {
  const major = /^\d+/.exec(version ?? "")?.[0];
  if (version?.startsWith("tfjs") === true || major === "2") return 2;
  if (major === "3") return 3;
  if (major === "0" || major === "1") return 1;
  return versionByForm(config);
}

const formsOf3 = /"(batch_shape|keras_history|DTypePolicy)"/;
const formsOf1 = /"(nb_filter|border_mode|nb_row|inner_activation|output_dim|dim_ordering)"/;

/** Where the file does not say its version: only some versions have certain keys. */
function versionByForm(config: Json): 1 | 2 | 3 {
  const text = JSON.stringify(config);
  if (formsOf3.test(text)) return 3;
  const isOfOne = formsOf1.test(text) && !/"(filters|kernel_size|units|kernel_initializer)"/.test(text);
  return isOfOne ? 1 : 2;
}

/** The name of a data type or of a policy, which may be an object: `float32`, `mixed_float16`. */
export function typeName(value: Json | undefined): string | undefined {
  if (typeof value === "string") return value.replace(/^<dtype: '(.*)'>$/, "$1");
  if (!isRecord(value)) return undefined;
  const config = fieldOf(value, "config");
  if (typeof config === "string") return config;
  return isRecord(config) ? textField(config, "name") : undefined;
}

/** The type in which a layer computes here: what Keras computes in half or double precision is computed in float32. */
export function computeType(value: Json | undefined): string | undefined {
  const name = typeName(value);
  if (name === undefined) return undefined;
  return /^(mixed_)?b?float(16|64)$|^double$|^half$/.test(name) ? "float32" : name;
}

/** `re_lu` of `ReLU`, `conv2d` of `Conv2D` (keras/src/utils/naming.py). */
export function snakeCase(className: string): string {
  return className
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

/** The name of an object, which stands beside its config or in it. */
export function nameIn({ envelope, config }: KerasObject): string | undefined {
  return textField(envelope, "name") ?? (isRecord(config) ? textField(config, "name") : undefined);
}

/** A config whose constants are plain: Keras 2.0 wrote some as `{"type": "ndarray", "value": 0.1}`. */
export function plainConfig(config: JsonRecord): JsonRecord {
  const entries = Object.entries(config).map(([key, value]): readonly [string, Json] => {
    const isArray = isRecord(value) && fieldOf(value, "type") === "ndarray";
    return [key, isArray ? (fieldOf(value, "value") ?? null) : value];
  });
  return Object.fromEntries(entries);
}
