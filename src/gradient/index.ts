/** @file The gradient room: derivatives as graphs. */
export { type GradientsRequest, withGradients } from "./gradients.ts";
export { type Barrier, gradientReach, type Reach } from "./reach.ts";
export { backpropagate } from "./walk.ts";
