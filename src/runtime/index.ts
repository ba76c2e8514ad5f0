/** @file The runtime room: a model's bytes in, tensors through, state kept between runs. */
export type {
  CompileOptions,
  Device,
  Executable,
  Feeds,
  Port,
  Runtime,
  StatePair,
} from "./runtime.ts";
