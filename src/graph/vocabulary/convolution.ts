/** @file Convolutions in one to three dimensions, and the joining of windows to maps. */
import { attribute, choice, optional, type Schemas, schema } from "../schema.ts";

/** How padding is chosen: by `pads`, none at all, or so that the output has ⌈size / stride⌉ elements. */
export type AutoPad = "NOTSET" | "VALID" | "SAME_UPPER" | "SAME_LOWER";

/** Per spatial axis; absent strides and dilations are 1, absent pads 0, an absent kernel shape is the weight's. */
export interface ConvolutionAttributes {
  readonly autoPad: AutoPad;
  readonly dilations: readonly number[] | undefined;
  readonly group: number;
  readonly kernelShape: readonly number[] | undefined;
  /** All begins, then all ends. */
  readonly pads: readonly number[] | undefined;
  readonly strides: readonly number[] | undefined;
}

export interface ConvolutionOperators {
  Col2Im: Pick<ConvolutionAttributes, "dilations" | "pads" | "strides">;
  Conv: ConvolutionAttributes;
  ConvTranspose: ConvolutionAttributes & {
    readonly outputPadding: readonly number[] | undefined;
    readonly outputShape: readonly number[] | undefined;
  };
}

const shared = {
  autoPad: choice<AutoPad>("auto_pad", "NOTSET"),
  dilations: optional("dilations", "ints"),
  group: attribute("group", "int", 1),
  kernelShape: optional("kernel_shape", "ints"),
  pads: optional("pads", "ints"),
  strides: optional("strides", "ints"),
};

export const convolutionSchemas: Schemas<ConvolutionOperators> = {
  Col2Im: schema(3, 1, { dilations: shared.dilations, pads: shared.pads, strides: shared.strides }),
  Conv: schema([2, 3], 1, shared),
  ConvTranspose: schema([2, 3], 1, {
    ...shared,
    outputPadding: optional("output_padding", "ints"),
    outputShape: optional("output_shape", "ints"),
  }),
};
