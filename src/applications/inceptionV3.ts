/** @file Inception V3 (Szegedy et al. 2015) with Keras's layer names: keras.applications.inception_v3. */
import { classified } from "./blocks.ts";
import { type Family, kerasApplications, published } from "./family.ts";
import { branched, type Step, same, stem, valid } from "./inception.ts";

type Branches = readonly (readonly Step[])[];

/** Modules `mixed0` … `mixed10`: figures 5, 6, 7 and 10 of the paper. */
const modules: readonly Branches[] = [
  ...[32, 64, 64].map(
    (pooled): Branches => [
      [same(64, 1)],
      [same(48, 1), same(64, 5)],
      [same(64, 1), same(96, 3), same(96, 3)],
      ["average", same(pooled, 1)],
    ],
  ),
  [[valid(384, 3, 2)], [same(64, 1), same(96, 3), valid(96, 3, 2)], ["max"]],
  ...[128, 160, 160, 192].map(
    (inner): Branches => [
      [same(192, 1)],
      [same(inner, 1), same(inner, 1, 7), same(192, 7, 1)],
      [same(inner, 1), same(inner, 7, 1), same(inner, 1, 7), same(inner, 7, 1), same(192, 1, 7)],
      ["average", same(192, 1)],
    ],
  ),
  [[same(192, 1), valid(320, 3, 2)], [same(192, 1), same(192, 1, 7), same(192, 7, 1), valid(192, 3, 2)], ["max"]],
  ...["mixed9_0", "mixed9_1"].map((name): Branches => {
    const split = [same(384, 1, 3), same(384, 3, 1)];
    return [
      [same(320, 1)],
      [same(384, 1), { split, name }],
      [same(448, 1), same(384, 3), { split }],
      ["average", same(192, 1)],
    ];
  }),
];

const body: Family["body"] = (model, input, options) => {
  let x = stem(model, input);
  for (const [index, branches] of modules.entries()) x = branched(model, x, branches, `mixed${index}`);
  return classified(model, x, options, { top: "avg_pool" });
};

const file = "inception_v3_weights_tf_dim_ordering_tf_kernels";

export const inceptionV3Families: readonly Family[] = [
  {
    name: "InceptionV3",
    modelName: () => "inception_v3",
    body,
    options: [],
    preprocessing: "tf",
    defaultSize: 299,
    smallestSide: 75,
    published: published(
      `${kerasApplications}inception_v3/`,
      [`${file}.h5`, "9a0d58056eeedaa3f26cb7ebd46da564"],
      [`${file}_notop.h5`, "bcbd6486424b2319ff4ef7d526e38f63"],
    ),
    license: "Apache-2.0",
    accuracy: 0.779,
    parameters: 23_851_784,
  },
];
