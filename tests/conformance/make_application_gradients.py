"""Makes application-gradients.json: the gradient of a sum at the first convolution of applications, by
TensorFlow in float64. Weights, pixels and the cotangent (stream 77) are made by the formula of the application cases.

    python make_application_gradients.py
"""
import json
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import keras
import numpy as np
import tensorflow as tf

keras.config.set_floatx("float64")
CASES = [
    ("EfficientNetB0", dict(input_shape=(65, 40, 3), include_top=False, pooling="avg"), "raw"),
    ("EfficientNetV2B0", dict(input_shape=(33, 64, 3), classes=5, classifier_activation=None), "raw"),
    ("NASNetMobile", dict(input_shape=(33, 45, 3), include_top=False, pooling="avg"), "tf"),
    ("MobileNetV3Small", dict(input_shape=(64, 33, 3), include_top=False, pooling="avg"), "raw"),
]


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
        u = u * np.sqrt(3 / (np.prod(shape[:2]) if depthwise else np.prod(shape[:-1])))
    elif name.endswith("gamma"):
        u = 1 + 0.2 * u
    elif name.endswith("variance"):
        u = 1 + 0.5 * u
    else:
        u = 0 * u if name == "count" else 0.1 * u
    return u.reshape(shape).astype(np.float32)


made = []
for name, arguments, mode in CASES:
    keras.utils.clear_session()
    model = getattr(keras.applications, name)(weights=None, **arguments)
    position = 0
    for layer in model.layers:
        new = []
        for weight in layer.weights:
            new.append(values(position, layer, weight.name, weight.shape))
            position += 1
        layer.set_weights(new)
        # Normalization computes with what it read from its weights.
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    shape = arguments["input_shape"]
    pixels = np.floor(256 * (unit(99991, int(np.prod(shape))) + 1) / 2).reshape((1,) + shape)
    x = tf.constant(pixels / 127.5 - 1 if mode == "tf" else pixels, "float64")
    first = next(weight for weight in model.trainable_weights if len(weight.shape) == 4)
    with tf.GradientTape() as tape:
        y = model(x, training=False)
        total = tf.reduce_sum(y * unit(77, int(y.shape[1])))
    gradient = tape.gradient(total, first.value).numpy()
    made.append(
        dict(
            model=name,
            arguments=arguments,
            weight=first.path,
            shape=list(gradient.shape),
            largest=float(np.abs(gradient).max()),
            gradient=[float(f"{v:.9g}") for v in gradient.ravel()[:200]],
        )
    )
    print(name, first.path, np.abs(gradient).max(), flush=True)
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "application-gradients.json")
with open(path, "w") as file:
    json.dump(made, file, separators=(",", ":"))
    file.write("\n")
