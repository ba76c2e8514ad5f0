/** @file VGG16 and VGG19 (Simonyan and Zisserman 2014) with Keras's layer names: keras.applications.vgg16 and vgg19. */
import { pooledMap } from "./blocks.ts";
import { type Family, kerasApplications, type PublishedFile, published } from "./family.ts";

const filters = [64, 128, 256, 512, 512];

/** Columns D and E of table 1 of the paper: how many convolutions a block has. */
function body(convolutions: readonly number[]): Family["body"] {
  return (model, input, options) => {
    let x = input;
    for (const [index, count] of convolutions.entries()) {
      const block = `block${index + 1}`;
      const config = { filters: filters[index] ?? 0, kernel_size: 3, padding: "same", activation: "relu" };
      for (let each = 1; each <= count; each++) x = model.layer("Conv2D", `${block}_conv${each}`, config, x);
      x = model.layer("MaxPooling2D", `${block}_pool`, { pool_size: 2, strides: 2 }, x);
    }
    if (!options.includeTop) return pooledMap(model, x, options);
    x = model.layer("Flatten", "flatten", {}, x);
    for (const name of ["fc1", "fc2"]) x = model.layer("Dense", name, { units: 4096, activation: "relu" }, x);
    const top = { units: options.classes, activation: options.classifierActivation };
    return model.layer("Dense", "predictions", top, x);
  };
}

const common = {
  options: [],
  preprocessing: "caffe",
  defaultSize: 224,
  smallestSide: 32,
  license: "CC-BY-4.0",
  accuracy: 0.713,
} as const satisfies Partial<Family>;

function files(name: string, top: string, noTop: string): Family["published"] {
  const file = (ending: string, digest: string): PublishedFile => [
    `${name}_weights_tf_dim_ordering_tf_kernels${ending}.h5`,
    digest,
  ];
  return published(`${kerasApplications}${name}/`, file("", top), file("_notop", noTop));
}

export const vggFamilies: readonly Family[] = [
  {
    ...common,
    name: "VGG16",
    modelName: () => "vgg16",
    body: body([2, 2, 3, 3, 3]),
    published: files("vgg16", "64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"),
    parameters: 138_357_544,
  },
  {
    ...common,
    name: "VGG19",
    modelName: () => "vgg19",
    body: body([2, 2, 4, 4, 4]),
    published: files("vgg19", "cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
    parameters: 143_667_240,
  },
];
