/** @file `applications.mobileNetV2({ … })`: the models of keras.applications. */
import { type ApplicationOptions, loadApplication } from "../model/application-node.ts";
import { signedRange } from "../model/index.ts";
import { BaseModel } from "./base-model.ts";

/** Makers of models, by the names of keras.applications. */
export interface Applications {
  /**
   * MobileNetV2 (Sandler et al. 2018), with Keras's layers, arguments and weights. It takes values in [-1, 1]:
   * `layers.rescaling({ scale: 1 / 127.5, offset: -1 })` comes before it, or `attachHead` brings that along.
   *
   * @throws GraftError `usage` where Keras refuses the options; `not-cached` where the weights are neither on this
   *   machine nor to be had; `model-invalid` where the file is damaged or does not fit
   */
  mobileNetV2(options?: ApplicationOptions): Promise<BaseModel>;
}

export const applications: Applications = {
  mobileNetV2: async (options) => {
    const { graph, layers, provenance } = await loadApplication("MobileNetV2", options);
    return new BaseModel({ graph, layers }, { range: signedRange, ...(provenance && { provenance }) });
  },
};
