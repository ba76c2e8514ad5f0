"""Makes cases in the format of ../shared/conformance/applications (its README has the formula) for models of
keras.applications at other sizes, widths, poolings and tops. Run with TensorFlow and Keras 3.15:

    python make_application_cases.py FOLDER [CASE ...]

A case is a function's name with its arguments: ResNet101V2?input_shape=65x97x3&include_top=false&pooling=avg.
Without any, those of the list below are made. GRAFT_APPLICATIONS=FOLDER lets applications.test.ts judge them.
Some of the smallest lie in tests/fixtures/applications, under shorter names.
"""
import json
import os
import sys
from urllib.parse import parse_qsl

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import keras
import numpy as np

CASES = """
VGG16?input_shape=32x47x3&include_top=false&pooling=max
VGG16?input_shape=32x32x3&classes=7
VGG19?input_shape=50x33x3&include_top=false
ResNet50?input_shape=65x97x3&include_top=false&pooling=max
ResNet50?input_shape=32x32x1&classes=3
ResNet101?input_shape=65x48x3&include_top=false&pooling=avg
ResNet152?input_shape=33x33x3&include_top=false
ResNet50V2?input_shape=97x64x3&include_top=false
ResNet50V2?input_shape=64x64x3&classes=10&classifier_activation=sigmoid
ResNet101V2?input_shape=65x97x3&include_top=false&pooling=avg
ResNet152V2?input_shape=47x32x3&include_top=false&pooling=max
DenseNet121?input_shape=63x65x3&include_top=false
DenseNet121?input_shape=32x32x3&classes=2&classifier_activation=none
DenseNet169?input_shape=33x48x3&include_top=false&pooling=max
DenseNet201?input_shape=65x65x3&include_top=false&pooling=avg
MobileNet?input_shape=160x160x3&alpha=0.5&include_top=false&pooling=max
MobileNet?input_shape=65x97x3&alpha=0.75&include_top=false
MobileNet?input_shape=49x50x3&alpha=0.3&depth_multiplier=2&include_top=false&pooling=avg
MobileNet?input_shape=33x64x3&alpha=0.25&classes=5&dropout=0.4
MobileNet?input_shape=96x96x4&alpha=1.1&include_top=false&pooling=avg
MobileNetV2?input_shape=97x96x3&alpha=0.75&include_top=false
MobileNetV2?input_shape=33x33x1&alpha=1.3&classes=4&classifier_activation=none
MobileNetV3Small?input_shape=97x130x3&include_top=false
MobileNetV3Small?input_shape=64x65x3&alpha=0.75&classes=6
MobileNetV3Small?input_shape=33x33x3&alpha=1.4&minimalistic=true&classes=3&dropout_rate=0
MobileNetV3Small?input_shape=96x64x3&minimalistic=true&include_top=false&pooling=max
MobileNetV3Small?input_shape=64x64x3&include_preprocessing=false&include_top=false&pooling=avg
MobileNetV3Large?input_shape=65x97x3&minimalistic=true&include_top=false&pooling=avg
MobileNetV3Large?input_shape=96x96x3&alpha=0.5&classes=11&classifier_activation=none
MobileNetV3Large?input_shape=47x47x3&alpha=1.25&include_top=false&pooling=max
MobileNetV3Large?input_shape=128x127x3&include_preprocessing=false&classes=9
Xception?input_shape=71x90x3&include_top=false&pooling=max
InceptionV3?input_shape=75x100x3&include_top=false
InceptionResNetV2?input_shape=75x76x3&classes=3
EfficientNetB1?input_shape=65x40x3&include_top=false&pooling=max
EfficientNetV2B1?input_shape=65x66x3&classes=5&include_preprocessing=false
EfficientNetV2S?input_shape=64x33x3&include_top=false&pooling=avg
NASNetMobile?input_shape=65x33x3&include_top=false
ConvNeXtTiny?input_shape=33x64x3&include_top=false&pooling=max
"""
VALUES = {"true": True, "false": False, "none": None}


def unit(t, n):
    with np.errstate(over="ignore"):
        h = np.arange(n, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(t * 2246822519 % 2**32) + np.uint32(374761393)
        h ^= h >> np.uint32(15)
        h = h * np.uint32(2246822519)
        h ^= h >> np.uint32(13)
    return 2 * h.astype(np.float64) / 2**32 - 1


def values(t, layer, name, shape):
    u = unit(t, int(np.prod(shape)))
    if len(shape) >= 2:
        depthwise = "depthwise" in name or isinstance(layer, keras.layers.DepthwiseConv2D)
        fan = np.prod(shape[:2]) if depthwise else np.prod(shape[:-1])
        u = u * np.sqrt(3 / fan)
    elif name.endswith("gamma"):
        u = 1 + 0.2 * u
    elif name.endswith("variance"):
        u = 1 + 0.5 * u
    elif name == "count":
        u = 0 * u
    else:
        u = 0.1 * u
    return u.reshape(shape).astype(np.float32)


def value_of(name, text):
    if name == "input_shape":
        return tuple(int(size) for size in text.split("x"))
    if text in VALUES:
        return VALUES[text]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def preprocess(name, arguments, pixels):
    if arguments.get("include_preprocessing") is False:
        return pixels
    module = sys.modules[getattr(keras.applications, name).__module__]
    try:
        return module.preprocess_input(pixels.copy())
    except IndexError:  # Modes with numbers for three channels.
        return pixels


def case_of(text):
    name, _, query = text.partition("?")
    arguments = {key: value_of(key, value) for key, value in parse_qsl(query)}
    keras.utils.clear_session()
    model = getattr(keras.applications, name)(weights=None, **arguments)
    listed = []
    for layer in model.layers:
        new = []
        for weight in layer.weights:
            new.append(values(len(listed), layer, weight.name, weight.shape))
            listed.append([layer.name, weight.name, list(weight.shape)])
        layer.set_weights(new)
    shape = list(arguments["input_shape"])
    raw = np.floor(256 * (unit(99991, int(np.prod(shape))) + 1) / 2).astype(np.float32).reshape([1] + shape)
    x = np.asarray(preprocess(name, arguments, raw))
    y = np.asarray(model(x, training=False))
    return dict(
        model=name,
        arguments=arguments,
        input_shape=shape,
        layers=len(model.layers),
        parameters=dict(
            trainable=int(sum(np.prod(w.shape) for w in model.trainable_weights)),
            non_trainable=int(sum(np.prod(w.shape) for w in model.non_trainable_weights)),
        ),
        weights=listed,
        layer_names=[layer.name for layer in model.layers],
        preprocessed=[float(v) for v in x.ravel()[:6]],
        output_shape=list(y.shape),
        output=[float(v) for v in y.ravel()[:64]],
        output_mean=float(y.mean()),
        output_std=float(y.std()),
    )


folder, *cases = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
for text in cases or CASES.split():
    title = text.lower().replace("?", "_").replace("&", "_").replace("=", "")
    with open(os.path.join(folder, f"{title}.json"), "w") as file:
        json.dump(case_of(text), file, separators=(",", ":"))
        file.write("\n")
