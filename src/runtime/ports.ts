/** @file Are these the tensors a model takes? Every mistake is named before ONNX Runtime sees it. */
import {
  areCompatible,
  type DType,
  elementCount,
  GraftError,
  type Shape,
  showShape,
  storageOf,
  type Tensor,
} from "../tensor/index.ts";
import type { Feeds, Port } from "./runtime.ts";

/** The element types that ONNX Runtime's JavaScript bindings pass, which call them by the same names. */
const passable: ReadonlySet<string> = new Set<DType>([
  "float32",
  "float64",
  "float16",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
  "string",
]);

/** Whether tensors of this type go in and out of ONNX Runtime from JavaScript. */
export function isPassable(dtype: string): dtype is DType {
  return passable.has(dtype);
}

/** What ONNX Runtime's bindings say of an input or an output. */
export interface PortMetadata {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

/** The port that the metadata describes. Throws "model-refused" for what is no tensor or of a type that cannot pass. */
export function portOf({ name, isTensor, type, shape }: PortMetadata, role: "input" | "output"): Port {
  if (!isTensor || type === undefined || shape === undefined || !isPassable(type)) {
    throw new GraftError("model-refused", `the ${role} cannot be passed between the model and JavaScript`, {
      path: [`${role} "${name}"`],
      expected: `a tensor of ${[...passable].join(", ")}`,
      actual: isTensor ? (type ?? "a tensor of unknown type") : "a sequence, a map or an optional value",
      hint: "cast it inside the model",
    });
  }
  return { name, dtype: type, shape: shape.map((size) => (size === "" ? null : size)) };
}

/** The tensors in the order of `ports`. Throws "usage" unless there is exactly one for every port and each fits. */
export function orderFeeds(ports: readonly Port[], feeds: Feeds): Tensor[] {
  const named = toMap(feeds);
  const tensors = ports.map((port) => {
    const tensor = named.get(port.name);
    if (tensor === undefined) {
      throw new GraftError("usage", "this input was not fed", {
        path: [`input "${port.name}"`],
        expected: showPort(port),
        ...(named.size > 0 ? { hint: `fed: ${[...named.keys()].join(", ")}` } : {}),
      });
    }
    checkFit("input", port, tensor);
    return tensor;
  });
  if (named.size > ports.length) refuseUnknown("input", ports, named);
  return tensors;
}

/** New values of some states. Throws "usage" for a name that is no state and a tensor that does not fit. */
export function matchState(ports: readonly Port[], values: Feeds): Map<string, Tensor> {
  const named = toMap(values);
  refuseUnknown("state", ports, named);
  for (const port of ports) {
    const tensor = named.get(port.name);
    if (tensor !== undefined) checkFit("state", port, tensor);
  }
  return named;
}

type Role = "input" | "state";

/** Throws "usage" unless the tensor has the port's type and a shape that agrees with its known sizes. */
export function checkFit(role: Role, port: Port, tensor: Tensor): void {
  const path = [`${role} "${port.name}"`];
  if (tensor.dtype !== port.dtype || !areCompatible(port.shape, tensor.shape)) {
    throw new GraftError("usage", "the tensor does not fit", {
      path,
      expected: showPort(port),
      actual: showPort(tensor),
    });
  }
  if (tensor.dtype !== "string" && !(tensor.data instanceof storageOf(tensor.dtype))) {
    throw new GraftError("usage", "the elements are in another array than the type's", {
      path,
      expected: `a ${storageOf(tensor.dtype).name}`,
      actual: `a ${tensor.data.constructor.name}`,
    });
  }
  const count = elementCount(tensor.shape);
  if (tensor.data.length !== count) {
    throw new GraftError("usage", "the elements do not fill the shape", {
      path,
      expected: `${count} elements for ${showShape(tensor.shape)}`,
      actual: String(tensor.data.length),
    });
  }
}

export function showPort({ dtype, shape }: { readonly dtype: DType; readonly shape: Shape }): string {
  return `${dtype} ${showShape(shape)}`;
}

function toMap(feeds: Feeds): Map<string, Tensor> {
  return new Map(isMap(feeds) ? feeds : Object.entries(feeds));
}

function isMap(feeds: Feeds): feeds is ReadonlyMap<string, Tensor> {
  return feeds instanceof Map;
}

function refuseUnknown(role: Role, ports: readonly Port[], named: ReadonlyMap<string, Tensor>): void {
  const known = new Set(ports.map(({ name }) => name));
  for (const name of named.keys()) {
    if (known.has(name)) continue;
    throw new GraftError("usage", `there is no such ${role}`, {
      path: [`${role} "${name}"`],
      expected: known.size > 0 ? [...known].slice(0, 20).join(", ") : "nothing",
    });
  }
}
