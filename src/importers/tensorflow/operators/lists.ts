/** @file Lists of tensors, as loops of recurrent layers fill them. */
import type { Value } from "../../../graph/index.ts";
import { type Dimension, GraftError, isStatic, type Shape, tensorOf } from "../../../tensor/index.ts";
import type { Call, Lower, OperatorRows, TensorList } from "./call.ts";

/** The longest list whose elements are followed one by one. */
const mostElements = 4096;

function listAt(call: Call, index: number): TensorList {
  const slot = call.slot(index);
  if (slot.kind === "list") return slot;
  throw new GraftError("model-invalid", "a list of tensors is expected", { path: [`input ${index}`] });
}

/** What a node says of an element's shape. */
function elementShape(call: Call, index: number): Shape | undefined {
  const sizes = call.inputs.length > index ? call.dimensions(index) : undefined;
  // -1 alone, as a number, stands for an unknown rank.
  if (sizes === undefined || (sizes.length === 1 && call.oriented(index).shape?.length === 0)) return undefined;
  return sizes.map((size): Dimension => (size === -1 ? null : size));
}

function emptyList(call: Call, elements: TensorList["elements"]): TensorList {
  const dtype = call.type("element_dtype", "float32");
  return { kind: "list", elements, stacked: undefined, elementShape: elementShape(call, 0), dtype };
}

const reserve: Lower = (call) => {
  const count = call.knownIntegers(1)?.[0];
  const isFollowed = count !== undefined && count >= 0 && count <= mostElements;
  return emptyList(call, isFollowed ? Array.from({ length: count }, () => undefined) : undefined);
};

const fromTensor: Lower = (call) => {
  const stacked = call.value(0);
  return {
    kind: "list",
    elements: undefined,
    stacked,
    elementShape: stacked.shape?.slice(1),
    dtype: call.type("element_dtype", stacked.dtype ?? "float32"),
  };
};

/** An element that was never set is zeros. */
function zeros(call: Call, { elementShape: shape, dtype, elements }: TensorList): Value {
  const { build } = call;
  const like = elements?.find((element) => element !== undefined);
  if (like !== undefined) return build.zerosLike(like);
  if (!isStatic(shape) || dtype === "string") throw call.refused("the shape of a list's elements must be known");
  return build.apply("ConstantOfShape", [build.ints(shape)], { value: tensorOf(dtype, [1], [0]) });
}

/** All elements as one tensor with a leading axis. */
export function stackedList(call: Call, list: TensorList): Value {
  if (list.stacked !== undefined) return list.stacked;
  const { elements } = list;
  if (elements === undefined) throw call.refused("the length of a list must be known, or its elements");
  if (elements.length === 0) throw call.refused("a list without elements has no tensor");
  const nothing = elements.includes(undefined) ? zeros(call, list) : undefined;
  const rows = elements.flatMap((element) => element ?? nothing ?? []).map((row) => call.build.unsqueeze(row, [0]));
  const [only] = rows;
  return rows.length === 1 && only !== undefined ? only : call.apply("Concat", rows, { axis: 0 });
}

const getItem: Lower = (call) => {
  const list = listAt(call, 0);
  const place = call.knownIntegers(1)?.[0];
  if (list.elements !== undefined && place !== undefined) return list.elements[place] ?? zeros(call, list);
  return call.apply("Gather", [stackedList(call, list), call.value(1)], { axis: 0 });
};

const setItem: Lower = (call) => {
  const { build } = call;
  const list = listAt(call, 0);
  const element = call.value(2);
  const place = call.knownIntegers(1)?.[0];
  if (list.elements !== undefined && place !== undefined) {
    const grows = call.bool("resize_if_index_out_of_bounds", false) && place < mostElements;
    if (!(place >= 0 && (grows || place < list.elements.length))) {
      throw new GraftError("model-invalid", "an element lies outside its list", {
        expected: `below ${list.elements.length}`,
        actual: `${place}`,
      });
    }
    const length = Math.max(list.elements.length, place + 1);
    const grown = Array.from({ length }, (_, index) => list.elements?.[index]);
    return { ...list, elements: grown.toSpliced(place, 1, element) };
  }
  if (list.elements === undefined && list.stacked === undefined) {
    return { ...list, added: { at: call.slot(1), element } };
  }
  const at = build.reshape(call.int64(1), [1, 1]);
  const stacked = call.apply("ScatterND", [stackedList(call, list), at, build.unsqueeze(element, [0])]);
  return { ...list, elements: undefined, stacked };
};

const pushBack: Lower = (call) => {
  const list = listAt(call, 0);
  const element = call.value(1);
  if (list.elements !== undefined && list.elements.length < mostElements) {
    return { ...list, elements: [...list.elements, element] };
  }
  if (list.stacked === undefined) throw call.refused("a list that grows in a loop is not supported");
  return { ...list, stacked: call.apply("Concat", [list.stacked, call.build.unsqueeze(element, [0])], { axis: 0 }) };
};

const popBack: Lower = (call) => {
  const list = listAt(call, 0);
  const element = list.elements?.at(-1);
  if (list.elements === undefined || element === undefined) throw call.refused("the elements of a list must be known");
  return [{ ...list, elements: list.elements.slice(0, -1) }, element];
};

const length: Lower = (call) => {
  const { build } = call;
  const list = listAt(call, 0);
  if (list.elements !== undefined) return build.constant(tensorOf("int32", [], [list.elements.length]));
  return build.cast(build.squeeze(build.sizeOf(stackedList(call, list), 0), [0]), "int32");
};

const stack: Lower = (call) => stackedList(call, listAt(call, 0));

const gather: Lower = (call) => call.apply("Gather", [stackedList(call, listAt(call, 0)), call.value(1)], { axis: 0 });

/** The elements one after the other along their first axis, and how long each is. */
const concat: Lower = (call) => {
  const { build } = call;
  const { elements } = listAt(call, 0);
  if (elements === undefined || elements.includes(undefined) || elements.length === 0) {
    throw call.refused("the elements of a list must be known");
  }
  const values = elements.flatMap((element) => element ?? []);
  const lengths = values.map((value) => build.sizeOf(value, 0));
  return [build.concat(values, 0), build.concat(lengths, 0)];
};

export const listRows: OperatorRows = [
  ["EmptyTensorList", (call) => emptyList(call, [])],
  ["TensorListConcatV2", concat],
  ["TensorListFromTensor", fromTensor],
  ["TensorListGather", gather],
  ["TensorListGetItem", getItem],
  ["TensorListLength", length],
  ["TensorListPopBack", popBack],
  ["TensorListPushBack", pushBack],
  ["TensorListReserve", reserve],
  ["TensorListSetItem", setItem],
  ["TensorListStack", stack],
];
