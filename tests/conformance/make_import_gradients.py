"""Makes import-gradients.json: the gradient of a sum at the first convolution of models in shared/conformance/imports,
by the system that saved them. The input is the case's; the cotangent is stream 77 of the formula of the application cases.

    python make_import_gradients.py
"""
import json
import os
import zipfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import keras
import numpy as np
import tensorflow as tf
import tf_keras

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "..", "..", "..", "shared", "conformance", "imports")


def keras2(path):
    return tf_keras.models.load_model(path, compile=False)


def keras3(path):
    return keras.saving.load_model(path, compile=False)


def keras3_parts(path):
    with open(os.path.join(os.path.dirname(path), "model.json")) as file:
        model = keras.models.model_from_json(file.read())
    model.load_weights(path)
    return model


def tfjs_layers(path):
    """TensorFlow.js's own converter does not install beside this TensorFlow: its format is read here."""
    if path.endswith(".zip"):
        archive = zipfile.ZipFile(path)
        read = archive.read
        document = json.loads(read("model.json"))
    else:
        folder = os.path.dirname(path)
        read = lambda name: open(os.path.join(folder, name), "rb").read()
        document = json.loads(read(os.path.basename(path)))
    topology = document["modelTopology"]
    model = tf_keras.models.model_from_json(json.dumps(topology.get("model_config", topology)))
    stored = {}
    for group in document["weightsManifest"]:
        data = b"".join(read(name) for name in group["paths"])
        at = 0
        for weight in group["weights"]:
            assert weight["dtype"] == "float32" and "quantization" not in weight, weight
            size = int(np.prod(weight["shape"]))
            stored[weight["name"]] = np.frombuffer(data, "<f4", size, at).reshape(weight["shape"])
            at += 4 * size
    for variable in model.weights:
        name = variable.name.removesuffix(":0")
        # TensorFlow.js writes the scopes of nested models, or leaves them out.
        (found,) = [key for key in stored if key == name or key.endswith("/" + name) or name.endswith("/" + key)]
        variable.assign(stored[found])
    return model


def saved_model(path):
    return tf.saved_model.load(path)


MODELS = [
    ("keras2_h5_tutorial", keras2),
    ("keras2_keras_tutorial", keras2),
    ("keras2_savedmodel_tutorial", saved_model),
    ("keras3_h5_tutorial", keras3),
    ("keras3_keras_tutorial", keras3),
    ("keras3_config+weights_tutorial", keras3_parts),
    # Exported, it still augments pictures at random; the original of the same weights does not.
    ("keras3_export_tutorial", lambda path: keras3(os.path.join(CASES, "keras3_keras_tutorial", "model.keras"))),
    ("tfjs_layers_tutorial", tfjs_layers),
    ("hub_reusable_small", saved_model),
    ("real_vww_96", keras2),
    ("real_teachable_machine", tfjs_layers),
]


def unit(t, n):
    with np.errstate(over="ignore"):
        h = np.arange(n, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(t * 2246822519 % 2**32) + np.uint32(374761393)
        h ^= h >> np.uint32(15)
        h = h * np.uint32(2246822519)
        h ^= h >> np.uint32(13)
    return 2 * h.astype(np.float64) / 2**32 - 1


def runs(model, x):
    """What computes the output of x, and the variables it does so from."""
    if callable(model) and hasattr(model, "weights"):
        return lambda: model(x, training=False), list(model.weights)
    variables = list(model.variables)
    # A signature is what others run; a hub's model may have a call alone.
    if not model.signatures:
        return lambda: model(x), variables
    signature = model.signatures.get("serving_default") or next(iter(model.signatures.values()))
    (key,) = signature.structured_input_signature[1]
    return lambda: signature(**{key: x}), variables


made = []
for name, load in MODELS:
    folder = os.path.join(CASES, name)
    with open(os.path.join(folder, "case.json")) as file:
        case = json.load(file)
    arrays = np.load(os.path.join(folder, "case.npz"))
    x = tf.constant(arrays["in:0"])
    model = load(os.path.join(folder, case["file"]))
    run, variables = runs(model, x)
    values = [getattr(variable, "value", variable) for variable in variables]
    values = [value if hasattr(value, "handle") else variable for value, variable in zip(values, variables)]
    kernels = [value for value in values if len(value.shape) == 4 and value.shape[2] == x.shape[3]]
    kernel = kernels[0] if len(kernels) == 1 else next(value for value in kernels if "depthwise" not in value.name)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        y = run()
        if isinstance(y, dict):
            (y,) = y.values()
        total = tf.reduce_sum(y * unit(77, int(np.prod(y.shape))).reshape(y.shape).astype(np.float32))
    assert np.abs(y.numpy() - arrays["out:0"]).max() <= case["tolerance"] * np.abs(arrays["out:0"]).max(), name
    gradient = tape.gradient(total, kernel).numpy()
    assert np.abs(gradient).max() > 0, name
    made.append(
        dict(
            case=name,
            shape=list(gradient.shape),
            largest=float(np.abs(gradient).max()),
            gradient=[float(f"{v:.7g}") for v in gradient.ravel()],
        )
    )
    print(name, kernel.name, gradient.shape, np.abs(gradient).max(), flush=True)
with open(os.path.join(HERE, "import-gradients.json"), "w") as file:
    json.dump(made, file, separators=(",", ":"))
    file.write("\n")
