/** @file The applications room: the models of keras.applications, built layer by layer under Keras's names. */
export { type Family, type FamilyOptions, families } from "./families.ts";
export { mobileNetV2 } from "./mobileNetV2.ts";
export { randomWeights, weightSpecsOf } from "./weights.ts";
