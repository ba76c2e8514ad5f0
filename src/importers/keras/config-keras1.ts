/** @file Configs of Keras 1 under the names that Keras 2 gave classes and keys (keras/legacy/interfaces.py of Keras 2.0). */
import type { Json } from "../../layers/index.ts";
import { GraftError } from "../../tensor/index.ts";
import { fieldOf, isRecord, type JsonRecord, kerasObject, recordOf, textField } from "./config.ts";

const classes: ReadonlyMap<string, string> = new Map([
  ["Convolution1D", "Conv1D"],
  ["AtrousConvolution1D", "Conv1D"],
  ["Convolution2D", "Conv2D"],
  ["AtrousConvolution2D", "Conv2D"],
  ["Convolution3D", "Conv3D"],
  ["Deconvolution2D", "Conv2DTranspose"],
  ["SeparableConvolution2D", "SeparableConv2D"],
  ["TimeDistributedDense", "Dense"],
]);

/** What a Merge layer's `mode` says, as the layers that took its place. */
const mergeModes: ReadonlyMap<string, string> = new Map([
  ["sum", "Add"],
  ["mul", "Multiply"],
  ["concat", "Concatenate"],
  ["ave", "Average"],
  ["max", "Maximum"],
  ["dot", "Dot"],
  ["cos", "Dot"],
]);

/** Keys of all classes; what the value becomes is the same value. */
const keys: ReadonlyMap<string, string> = new Map([
  ["nb_filter", "filters"],
  ["filter_length", "kernel_size"],
  ["border_mode", "padding"],
  ["subsample", "strides"],
  ["subsample_length", "strides"],
  ["atrous_rate", "dilation_rate"],
  ["bias", "use_bias"],
  ["pool_length", "pool_size"],
  ["stride", "strides"],
  ["inner_activation", "recurrent_activation"],
  ["concat_axis", "axis"],
  ["dot_axes", "axes"],
]);

/** Keys that mean something else in some classes. */
const keysOfClass: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  ["Dense", new Map([["output_dim", "units"]])],
  ["LSTM", new Map([["output_dim", "units"]])],
  ["GRU", new Map([["output_dim", "units"]])],
  ["SimpleRNN", new Map([["output_dim", "units"]])],
  ["UpSampling1D", new Map([["length", "size"]])],
  ["Dropout", new Map([["p", "rate"]])],
  ["SpatialDropout1D", new Map([["p", "rate"]])],
  ["SpatialDropout2D", new Map([["p", "rate"]])],
  ["SpatialDropout3D", new Map([["p", "rate"]])],
  ["GaussianDropout", new Map([["p", "rate"]])],
  ["GaussianNoise", new Map([["sigma", "stddev"]])],
]);

const dataFormats: ReadonlyMap<Json | undefined, string> = new Map<Json | undefined, string>([
  ["tf", "channels_last"],
  ["th", "channels_first"],
  ["default", "channels_last"],
]);

/** A class and config of Keras 1 in the terms of Keras 2. What is new already stays. */
export function fromKeras1(className: string, config: JsonRecord): { className: string; config: JsonRecord } {
  if (className === "Merge") return mergeOf(config);
  const name = classes.get(className) ?? className;
  const entries = Object.entries(config).flatMap(([key, value]): (readonly [string, Json])[] => {
    if (key === "dim_ordering") return [["data_format", dataFormats.get(value) ?? "channels_last"]];
    if (key === "layer" && isRecord(value)) return [[key, innerLayer(value)]];
    return [[keysOfClass.get(name)?.get(key) ?? keys.get(key) ?? key, value]];
  });
  const kernel = kernelOf(config);
  if (kernel !== undefined) entries.push(["kernel_size", kernel]);
  refuseMode(name, config);
  // Not `Object.fromEntries`: a key may be anything, `__proto__` too, and here it becomes a field like any other.
  return { className: name, config: recordFrom(entries) };
}

function recordFrom(entries: readonly (readonly [string, Json])[]): JsonRecord {
  return Object.fromEntries(entries);
}

/** `nb_row` and `nb_col`, or `kernel_dim1` to 3. */
function kernelOf(config: JsonRecord): readonly Json[] | undefined {
  const [rows, columns] = [fieldOf(config, "nb_row"), fieldOf(config, "nb_col")];
  if (rows !== undefined && columns !== undefined) return [rows, columns];
  const sides = [1, 2, 3].flatMap((axis) => fieldOf(config, `kernel_dim${axis}`) ?? []);
  return sides.length === 3 ? sides : undefined;
}

/** The layer that a wrapper wraps. */
function innerLayer(value: JsonRecord): Json {
  const object = kerasObject(value);
  if (object === undefined) return value;
  const { className, config } = fromKeras1(object.className, recordOf(object));
  return { ...value, class_name: className, config };
}

/** Batch norm by sample (mode 1) went with Keras 2. */
function refuseMode(className: string, config: JsonRecord): void {
  if (className === "BatchNormalization" && fieldOf(config, "mode") === 1) {
    throw new GraftError("model-refused", "batch norm of each sample for itself (mode 1 of Keras 1) is not known", {
      path: [`layer "${textField(config, "name") ?? ""}"`],
    });
  }
}

function mergeOf(config: JsonRecord): { className: string; config: JsonRecord } {
  const name = textField(config, "name") ?? "merge";
  const mode = textField(config, "mode") ?? "sum";
  const className = mergeModes.get(mode);
  const inner = fieldOf(config, "layers");
  if (
    className === undefined ||
    fieldOf(config, "mode_type") === "lambda" ||
    (Array.isArray(inner) && inner.length > 0)
  ) {
    throw new GraftError("model-refused", "this form of Merge is not known", {
      path: [`layer "${name}" (Merge)`],
      actual: `mode ${JSON.stringify(fieldOf(config, "mode") ?? null).slice(0, 40)}`,
      hint: "build it with the functional API, or save it with Keras 2",
    });
  }
  const axes = fieldOf(config, "dot_axes");
  const dot: JsonRecord = className === "Dot" ? { axes: axes ?? -1, normalize: mode === "cos" } : {};
  const axis: JsonRecord = className === "Concatenate" ? { axis: fieldOf(config, "concat_axis") ?? -1 } : {};
  return { className, config: { name, ...axis, ...dot } };
}
