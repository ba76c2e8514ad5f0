/** @file The layers room: what each of Keras's layers computes, and networks built of them. */
export { Config, type Json } from "./config.ts";
export type { CallArguments, Flow, LayerCall, LayerDefinition } from "./layer.ts";
export { type LayerOutput, Network } from "./network.ts";
export { layerTable } from "./table.ts";
export type { WeightSource, WeightSpec } from "./weights.ts";
