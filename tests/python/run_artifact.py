"""Runs a classifier that Graftwork wrote, with nothing of Graftwork: Python, onnxruntime, numpy and Pillow.

    python tests/python/run_artifact.py model.onnx [picture ...]

Prints one JSON document: how far onnxruntime is from the golden samples in the file, and the classes of the pictures.
Ends with code 1 where a golden sample is missed by more than 1e-3.
"""

import base64
import json
import sys

import numpy
import onnxruntime
from PIL import Image, ImageOps


def golden_input(sample, height, width):
    """A golden sample at the model's size, enlarged without smoothing."""
    pixels = numpy.frombuffer(base64.b64decode(sample["pixels"]), numpy.uint8)
    pixels = pixels.reshape(sample["height"], sample["width"], 3)
    rows = numpy.arange(height) * sample["height"] // height
    columns = numpy.arange(width) * sample["width"] // width
    return pixels[rows][:, columns]


def picture_input(path, recipe):
    """A picture as the recipe wants it, for the recipes that Pillow can follow: stretched or cropped, antialiased or not."""
    if recipe["aspect"] == "pad" or recipe.get("centralFraction", 1) != 1:
        raise SystemExit(f"this script does not follow the recipe {recipe}")
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    height, width = recipe["height"], recipe["width"]
    box = [0, 0, picture.width, picture.height]
    if recipe["aspect"] == "crop":
        kept = [min(picture.width, picture.height * width // height), min(picture.height, picture.width * height // width)]
        left, top = (picture.width - kept[0]) // 2, (picture.height - kept[1]) // 2
        box = [left, top, left + kept[0], top + kept[1]]
    if recipe["method"] == "antialias":
        return numpy.asarray(picture.resize((width, height), Image.BILINEAR, box=box))
    return bilinear(numpy.asarray(picture, numpy.float32)[box[1] : box[3], box[0] : box[2]], height, width)


def bilinear(picture, height, width):
    """tf.image.resize: half-pixel centres, two taps a side."""

    def taps(length, size):
        at = (numpy.arange(size) + 0.5) * length / size - 0.5
        low = numpy.floor(at)
        clip = lambda index: numpy.clip(index, 0, length - 1).astype(int)
        return clip(low), clip(low + 1), (at - low).astype(numpy.float32)

    top, bottom, down = taps(picture.shape[0], height)
    left, right, along = taps(picture.shape[1], width)
    rows = picture[top] * (1 - down)[:, None, None] + picture[bottom] * down[:, None, None]
    whole = rows[:, left] * (1 - along)[None, :, None] + rows[:, right] * along[None, :, None]
    return numpy.rint(whole).astype(numpy.uint8)


def main(model, pictures):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["graftwork"])
    height, width = about["pixels"]["height"], about["pixels"]["width"]

    def run(image):
        return session.run(["probabilities", "logits"], {"image": image[None]})

    deviation = 0.0
    for sample in about["golden"]:
        probabilities, logits = run(golden_input(sample, height, width))
        scale = max(1.0, numpy.abs(sample["logits"]).max())
        deviation = max(
            deviation,
            float(numpy.abs(probabilities[0] - sample["probabilities"]).max()),
            float(numpy.abs(logits[0] - sample["logits"]).max() / scale),
        )
    answers = []
    for path in pictures:
        probabilities = run(picture_input(path, about["pixels"]))[0][0]
        best = int(probabilities.argmax())
        answers.append({"file": path, "label": about["classes"][best], "probability": float(probabilities[best])})
    print(json.dumps({"samples": len(about["golden"]), "deviation": deviation, "predictions": answers}, indent=2))
    return 0 if deviation <= 1e-3 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
