/** @file Models that are known without a network: every variant of keras.applications, and well-known ones on the hubs. */
import { families } from "../applications/index.ts";
import { rangeOfMode } from "./base-ranges.ts";

export type CatalogueTask = "image" | "text" | "audio";
export type CatalogueSource = "keras" | "tfhub" | "hf";

/** What is known of a model; `undefined` is not known. */
export interface CatalogueEntry {
  readonly handle: string;
  readonly source: CatalogueSource;
  readonly task: CatalogueTask;
  readonly architecture: string;
  /** What it was trained on. */
  readonly dataset: string;
  /** What that shows or says, for searching. */
  readonly about: string;
  /** Of the publisher's own conversion, in pixels a side. */
  readonly imageSize: number | undefined;
  /** The values that it takes, under the names of `valueRanges`. */
  readonly range: string | undefined;
  /** How many numbers it says of an example before its classifier. */
  readonly features: number | undefined;
  readonly parameters: number | undefined;
  /** Top-1 on ImageNet's validation pictures, where it was published. */
  readonly accuracy: number | undefined;
  readonly license: string | undefined;
}

const datasets = {
  "ImageNet-1k":
    "photos of 1,000 kinds: 118 dogs, 59 birds, cats and other animals, plants, food, vehicles, tools, furniture",
  "ImageNet-21k": "photos of 21,000 kinds: animals, birds, dogs, cats, plants, flowers, food, vehicles, tools, scenes",
  iNaturalist: "photos of 5,000 species: birds, insects, plants, flowers, fungi, animals",
  "Google AIY birds": "photos of 964 species of birds",
  "Google AIY insects": "photos of 1,000 species of insects",
  "Google AIY plants": "photos of 2,100 species of plants, flowers, trees",
  "LVD-142M": "142 million photos without labels, of everything",
  "WebImageText 400M": "400 million photos with their captions, of everything",
  AudioSet: "sounds of videos, 521 kinds: speech, music, animals, machines",
  LibriSpeech: "English speech, read aloud",
  "English Google News": "English news",
  "web pages and conversations": "English sentences and questions",
  "a billion pairs of sentences": "English sentences",
} as const;

type Row = readonly [
  handle: string,
  architecture: string,
  dataset: keyof typeof datasets,
  features: number | undefined,
  imageSize?: number,
];

/** TensorFlow Hub's image modules take [0, 1] (its common signature for images). */
const tfHubImages: readonly Row[] = [
  ["google/imagenet/mobilenet_v2_100_224/feature_vector/5", "MobileNetV2", "ImageNet-1k", 1280, 224],
  ["google/imagenet/mobilenet_v2_140_224/feature_vector/5", "MobileNetV2", "ImageNet-1k", 1792, 224],
  ["google/imagenet/mobilenet_v3_small_100_224/feature_vector/5", "MobileNetV3", "ImageNet-1k", 1024, 224],
  ["google/imagenet/mobilenet_v3_large_100_224/feature_vector/5", "MobileNetV3", "ImageNet-1k", 1280, 224],
  ["google/tf2-preview/mobilenet_v2/feature_vector/4", "MobileNetV2", "ImageNet-1k", 1280, 224],
  ["google/imagenet/inception_v3/feature_vector/5", "InceptionV3", "ImageNet-1k", 2048, 299],
  ["google/imagenet/inception_resnet_v2/feature_vector/5", "InceptionResNetV2", "ImageNet-1k", 1536, 299],
  ["google/imagenet/resnet_v2_50/feature_vector/5", "ResNetV2", "ImageNet-1k", 2048, 224],
  ["google/imagenet/resnet_v2_101/feature_vector/5", "ResNetV2", "ImageNet-1k", 2048, 224],
  ["google/imagenet/nasnet_mobile/feature_vector/5", "NASNet", "ImageNet-1k", 1056, 224],
  ["tensorflow/efficientnet/b0/feature-vector/1", "EfficientNet", "ImageNet-1k", 1280, 224],
  ["google/imagenet/efficientnet_v2_imagenet1k_b0/feature_vector/2", "EfficientNetV2", "ImageNet-1k", 1280, 224],
  ["google/imagenet/efficientnet_v2_imagenet21k_b0/feature_vector/2", "EfficientNetV2", "ImageNet-21k", 1280, 224],
  ["google/bit/m-r50x1/1", "BiT ResNetV2", "ImageNet-21k", 2048],
  ["google/inaturalist/inception_v3/feature_vector/5", "InceptionV3", "iNaturalist", 2048, 299],
  ["google/aiy/vision/classifier/birds_V1/1", "MobileNet", "Google AIY birds", undefined, 224],
  ["google/aiy/vision/classifier/insects_V1/1", "MobileNet", "Google AIY insects", undefined, 224],
  ["google/aiy/vision/classifier/plants_V1/1", "MobileNet", "Google AIY plants", undefined, 224],
];

const tfHubOthers: readonly (readonly [...Row, CatalogueTask])[] = [
  ["google/yamnet/1", "YAMNet", "AudioSet", 1024, undefined, "audio"],
  ["google/vggish/1", "VGGish", "AudioSet", 128, undefined, "audio"],
  [
    "google/universal-sentence-encoder/4",
    "Universal Sentence Encoder",
    "web pages and conversations",
    512,
    undefined,
    "text",
  ],
  ["google/nnlm-en-dim50/2", "NNLM", "English Google News", 50, undefined, "text"],
  ["google/nnlm-en-dim128/2", "NNLM", "English Google News", 128, undefined, "text"],
];

const signed = rangeOfMode.tf.name;
const imageNet = rangeOfMode.torch.name;

/** ONNX conversions for Transformers.js. */
const huggingFace: readonly (readonly [...Row, CatalogueTask, string | undefined])[] = [
  ["Xenova/vit-base-patch16-224", "ViT", "ImageNet-21k", 768, 224, "image", signed],
  ["Xenova/dinov2-small", "DINOv2 ViT", "LVD-142M", 384, 224, "image", imageNet],
  ["Xenova/dinov2-base", "DINOv2 ViT", "LVD-142M", 768, 224, "image", imageNet],
  ["Xenova/resnet-18", "ResNet", "ImageNet-1k", 512, 224, "image", imageNet],
  ["Xenova/resnet-50", "ResNet", "ImageNet-1k", 2048, 224, "image", imageNet],
  ["Xenova/convnext-tiny-224", "ConvNeXt", "ImageNet-1k", 768, 224, "image", imageNet],
  ["Xenova/clip-vit-base-patch32", "CLIP ViT", "WebImageText 400M", 512, 224, "image", undefined],
  ["Xenova/all-MiniLM-L6-v2", "MiniLM", "a billion pairs of sentences", 384, undefined, "text", undefined],
  ["Xenova/wav2vec2-base-960h", "wav2vec 2.0", "LibriSpeech", 768, undefined, "audio", undefined],
];

/** The whole catalogue: keras.applications in Keras's order, then TensorFlow Hub, then Hugging Face. */
export const catalogue: readonly CatalogueEntry[] = [...kerasEntries(), ...hubEntries()];

function kerasEntries(): CatalogueEntry[] {
  return families.map(({ name, defaultSize, preprocessing, parameters, accuracy, license }) => ({
    handle: `keras:${name}`,
    source: "keras",
    task: "image",
    architecture: name.replace(
      /(?<=[a-z]|V3)(Tiny|Small|Base|Large|XLarge|Mobile)$|B\d$|(?<=V2)[SML]$|\d{2,3}(?=V2$|$)/g,
      "",
    ),
    dataset: "ImageNet-1k",
    about: datasets["ImageNet-1k"],
    imageSize: defaultSize,
    range: rangeOfMode[preprocessing].name,
    features: undefined,
    parameters,
    accuracy,
    license,
  }));
}

function hubEntries(): CatalogueEntry[] {
  const unknown = { parameters: undefined, accuracy: undefined } as const;
  const tfHub = (row: Row | readonly [...Row, CatalogueTask], task: CatalogueTask): CatalogueEntry => {
    const [path, architecture, dataset, features, imageSize] = row;
    const range = task === "image" ? "[0, 1]" : undefined;
    const about = { architecture, dataset, about: datasets[dataset], features, imageSize, range, task };
    return { handle: `https://tfhub.dev/${path}`, source: "tfhub", ...about, ...unknown, license: "Apache-2.0" };
  };
  return [
    ...tfHubImages.map((row) => tfHub(row, "image")),
    ...tfHubOthers.map((row) => tfHub(row, row[5])),
    ...huggingFace.map(([path, architecture, dataset, features, imageSize, task, range]): CatalogueEntry => {
      const about = { architecture, dataset, about: datasets[dataset], features, imageSize, range, task };
      return { handle: `hf:${path}`, source: "hf", ...about, ...unknown, license: undefined };
    }),
  ];
}

export interface CatalogueQuery {
  /** All must be found; empty finds all. */
  readonly words: readonly string[];
  readonly task?: CatalogueTask | undefined;
  /** A part of the architecture's name. */
  readonly architecture?: string | undefined;
  /** A part of the data set's name. */
  readonly dataset?: string | undefined;
  readonly source?: string | undefined;
}

/** The entries that a query finds: those whose names say the words before those whose data sets do, then by accuracy. */
export function searchCatalogue({ words, task, architecture, dataset, source }: CatalogueQuery): CatalogueEntry[] {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]+/g, "");
  const holds = (text: string, part: string | undefined) => part === undefined || plain(text).includes(plain(part));
  const found = catalogue.flatMap((entry) => {
    const isWanted = (task ?? entry.task) === entry.task && (source ?? entry.source) === entry.source;
    if (!isWanted || !holds(entry.architecture, architecture) || !holds(entry.dataset, dataset)) return [];
    const name = `${entry.handle} ${entry.architecture}`;
    const all = `${name} ${entry.dataset} ${entry.about} ${entry.task}`;
    if (!words.every((word) => holds(all, word) || holds(all, singular(word)))) return [];
    // Whose data set is all about the word is nearer than one that also has it.
    const focus = words.filter((word) => holds(name, word) || holds(entry.dataset, singular(word))).length;
    return [{ entry, focus }];
  });
  return found
    .sort((one, other) => other.focus - one.focus || (other.entry.accuracy ?? 0) - (one.entry.accuracy ?? 0))
    .map(({ entry }) => entry);
}

function singular(word: string): string {
  return word.length > 3 ? word.replace(/s$/i, "") : word;
}
