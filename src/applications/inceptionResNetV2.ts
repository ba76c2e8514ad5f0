/** @file Inception-ResNet V2 (Szegedy et al. 2016) with Keras's layer names: keras.applications.inception_resnet_v2. */
import { classified } from "./blocks.ts";
import { type Family, kerasApplications, published } from "./family.ts";
import type { FunctionalModel, KerasTensor } from "./functional.ts";
import { branched, convolved, type Step, same, stem, valid } from "./inception.ts";

type Branches = readonly (readonly Step[])[];

/** Blocks around which a sum goes, and the reduction before them: figures 16 to 19 of the paper. */
interface Stage {
  readonly entry: { readonly name: string; readonly branches: Branches };
  readonly block: { readonly name: string; readonly branches: Branches };
  readonly repeats: number;
  /** What the branches are multiplied with before they are added. */
  readonly scale: number;
}

const stages: readonly Stage[] = [
  {
    entry: {
      name: "mixed_5b",
      branches: [
        [same(96, 1)],
        [same(48, 1), same(64, 5)],
        [same(64, 1), same(96, 3), same(96, 3)],
        ["average", same(64, 1)],
      ],
    },
    block: {
      name: "block35",
      branches: [[same(32, 1)], [same(32, 1), same(32, 3)], [same(32, 1), same(48, 3), same(64, 3)]],
    },
    repeats: 10,
    scale: 0.17,
  },
  {
    entry: {
      name: "mixed_6a",
      branches: [[valid(384, 3, 2)], [same(256, 1), same(256, 3), valid(384, 3, 2)], ["max"]],
    },
    block: { name: "block17", branches: [[same(192, 1)], [same(128, 1), same(160, 1, 7), same(192, 7, 1)]] },
    repeats: 20,
    scale: 0.1,
  },
  {
    entry: {
      name: "mixed_7a",
      branches: [
        [same(256, 1), valid(384, 3, 2)],
        [same(256, 1), valid(288, 3, 2)],
        [same(256, 1), same(288, 3), valid(320, 3, 2)],
        ["max"],
      ],
    },
    block: { name: "block8", branches: [[same(192, 1)], [same(192, 1), same(224, 1, 3), same(256, 3, 1)]] },
    repeats: 10,
    scale: 0.2,
  },
];

const body: Family["body"] = (model, input, options) => {
  let x = stem(model, input);
  for (const { entry, block, repeats, scale } of stages) {
    x = branched(model, x, entry.branches, entry.name);
    for (let index = 1; index <= repeats; index++) {
      // The last of all adds the branches as they are, and nothing rectifies the sum.
      const isLast = block.name === "block8" && index === repeats;
      x = residual(model, x, block.branches, `${block.name}_${index}`, isLast ? undefined : scale);
    }
  }
  x = convolved(model, x, same(1536, 1), "conv_7b");
  return classified(model, x, options, { top: "avg_pool" });
};

/** The input plus `scale` times its branches; without a scale the last one's sum, which nothing rectifies. */
function residual(
  model: FunctionalModel,
  x: KerasTensor,
  branches: Branches,
  name: string,
  scale: number | undefined,
): KerasTensor {
  const mixed = branched(model, x, branches, `${name}_mixed`);
  const up = model.layer("Conv2D", `${name}_conv`, { filters: x.channels, kernel_size: 1, padding: "same" }, mixed);
  const sum = model.layer("CustomScaleLayer", undefined, { scale: scale ?? 1 }, x, up);
  return scale === undefined ? sum : model.layer("Activation", `${name}_ac`, { activation: "relu" }, sum);
}

const file = "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels";

export const inceptionResNetV2Families: readonly Family[] = [
  {
    name: "InceptionResNetV2",
    modelName: () => "inception_resnet_v2",
    body,
    options: [],
    preprocessing: "tf",
    defaultSize: 299,
    smallestSide: 75,
    published: published(
      `${kerasApplications}inception_resnet_v2/`,
      [`${file}.h5`, "e693bd0210a403b3192acc6073ad2e96"],
      [`${file}_notop.h5`, "d19885ff4a710c122648d3b5c3b684e4"],
    ),
    license: "Apache-2.0",
    accuracy: 0.803,
    parameters: 55_873_736,
  },
];
