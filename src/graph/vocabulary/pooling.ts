/** @file Pools: windows reduced to one element, and whole maps. */
import { attribute, choice, type NoAttributes, optional, plain, required, type Schemas, schema } from "../schema.ts";
import type { AutoPad } from "./convolution.ts";

/** Per spatial axis; absent strides and dilations are 1, absent pads 0. */
export interface PoolAttributes {
  readonly autoPad: AutoPad;
  readonly ceilMode: boolean;
  readonly dilations: readonly number[] | undefined;
  readonly kernelShape: readonly number[];
  readonly pads: readonly number[] | undefined;
  readonly strides: readonly number[] | undefined;
}

export interface PoolingOperators {
  AveragePool: PoolAttributes & { readonly countIncludePad: boolean };
  GlobalAveragePool: NoAttributes;
  GlobalLpPool: { readonly p: number };
  GlobalMaxPool: NoAttributes;
  LpPool: PoolAttributes & { readonly p: number };
  MaxPool: PoolAttributes & { readonly storageOrder: number };
  MaxUnpool: {
    readonly kernelShape: readonly number[];
    readonly pads: readonly number[] | undefined;
    readonly strides: readonly number[] | undefined;
  };
}

const shared = {
  autoPad: choice<AutoPad>("auto_pad", "NOTSET"),
  ceilMode: attribute("ceil_mode", "bool", false),
  dilations: optional("dilations", "ints"),
  kernelShape: required("kernel_shape", "ints"),
  pads: optional("pads", "ints"),
  strides: optional("strides", "ints"),
};

export const poolingSchemas: Schemas<PoolingOperators> = {
  AveragePool: schema(1, 1, { ...shared, countIncludePad: attribute("count_include_pad", "bool", false) }),
  GlobalAveragePool: plain(1),
  GlobalLpPool: schema(1, 1, { p: attribute("p", "int", 2) }),
  GlobalMaxPool: plain(1),
  LpPool: schema(1, 1, { ...shared, p: attribute("p", "int", 2) }),
  MaxPool: schema(1, [1, 2], { ...shared, storageOrder: attribute("storage_order", "int", 0) }),
  MaxUnpool: schema([2, 3], 1, {
    kernelShape: shared.kernelShape,
    pads: shared.pads,
    strides: shared.strides,
  }),
};
