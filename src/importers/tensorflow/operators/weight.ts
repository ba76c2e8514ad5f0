/** @file Constants and variables before they lie in the graph: in whichever layout is asked for first, moved at import. */
import type { Builder, Value } from "../../../graph/index.ts";
import { elementCount, type NumericTensor, stridesOf, type Tensor } from "../../../tensor/index.ts";

/** How the elements of a tensor are laid out: reshaped first, then with their axes in another order. */
export interface Layout {
  /** As many elements as the tensor has. */
  readonly shape: readonly number[];
  /** Left out: as they are. */
  readonly perm?: readonly number[] | undefined;
}

/**
 * A variable or a constant of the file. Its first use says how it lies in the graph, so that a kernel lies there as the
 * operator takes it; another layout asked for later is computed from the first.
 */
export class Weight {
  readonly tensor: Tensor;
  readonly isVariable: boolean;
  readonly isTrainable: boolean;
  readonly #build: Builder;
  readonly #name: string;
  readonly #forms = new Map<string, Value>();
  #first: { readonly value: Value; readonly layout: Layout } | undefined;

  /** `build` is the outermost graph's, so that graphs inside it read the same value; `name` must be free there. */
  constructor(build: Builder, name: string, tensor: Tensor, variable?: { readonly isTrainable: boolean }) {
    this.#build = build;
    this.#name = name;
    this.tensor = tensor;
    this.isVariable = variable !== undefined;
    this.isTrainable = variable?.isTrainable ?? false;
  }

  get name(): string {
    return this.#name;
  }

  /** The value that lies in the graph, where one has been asked for. */
  get value(): Value | undefined {
    return this.#first?.value;
  }

  /** The value in a layout; nodes for later layouts are appended by `build`. */
  in(layout: Layout, build: Builder): Value {
    const key = `${layout.shape}|${layout.perm ?? ""}`;
    const known = this.#forms.get(key);
    if (known !== undefined) return known;
    if (this.#first !== undefined) return derived(build, this.#first.value, this.#first.layout, layout);
    const tensor = laidOut(this.tensor, layout);
    const value = { name: this.#name, dtype: tensor.dtype, shape: tensor.shape };
    this.#build.adoptConstant(value, tensor);
    this.#first = { value, layout };
    this.#forms.set(key, value);
    return value;
  }
}

/** One layout computed from another at run time. */
function derived(build: Builder, value: Value, from: Layout, to: Layout): Value {
  const straight = from.perm === undefined ? value : build.transpose(value, inverse(from.perm));
  const isSame = to.shape.length === from.shape.length && to.shape.every((size, axis) => size === from.shape[axis]);
  const reshaped = isSame ? straight : build.reshape(straight, to.shape);
  return to.perm === undefined ? reshaped : build.transpose(reshaped, to.perm);
}

function inverse(perm: readonly number[]): number[] {
  return perm.map((_, axis) => perm.indexOf(axis));
}

/** The tensor in a layout; the same memory where nothing moves. */
export function laidOut(tensor: Tensor, { shape, perm }: Layout): Tensor {
  if (tensor.dtype === "string") return { ...tensor, shape };
  return perm === undefined ? { ...tensor, shape } : transposed({ ...tensor, shape }, perm);
}

function transposed(tensor: NumericTensor, perm: readonly number[]): NumericTensor {
  const own = stridesOf(tensor.shape);
  const shape = perm.map((axis) => tensor.shape[axis] ?? 1);
  const strides = perm.map((axis) => own[axis] ?? 0);
  const data = tensor.data.slice();
  const rank = shape.length;
  const run = shape[rank - 1] ?? 1;
  const step = strides[rank - 1] ?? 0;
  const position = new Array<number>(rank).fill(0);
  const count = elementCount(shape);
  let source = 0;
  for (let index = 0; index < count; index += run) {
    for (let place = 0; place < run; place++) {
      const element = tensor.data[source + place * step];
      if (element !== undefined) data[index + place] = element;
    }
    for (let axis = rank - 2; axis >= 0; axis--) {
      const next = (position[axis] ?? 0) + 1;
      source += strides[axis] ?? 0;
      if (next < (shape[axis] ?? 1)) {
        position[axis] = next;
        break;
      }
      source -= next * (strides[axis] ?? 0);
      position[axis] = 0;
    }
  }
  return { dtype: tensor.dtype, shape, data };
}
