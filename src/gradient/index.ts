/** @file The gradient room: derivatives as graphs. */
export { type GradientsRequest, withGradients } from "./gradients.ts";
export { gradientRules } from "./table.ts";
export { backpropagate } from "./walk.ts";
