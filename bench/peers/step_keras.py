"""MobileNetV2's training steps in Keras 3 on TensorFlow; see protocol.py for the conversation."""

import os

import protocol

options = protocol.arguments(__doc__.splitlines()[0])
channel = protocol.own_stdout()
protocol.keep_freed_memory()
os.environ |= {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": str(options.threads)}
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(options.threads)
keras.utils.set_random_seed(1)

CUT = "block_10_project_BN"
LEARNING_RATE = 1e-3

size, batch = options.size, options.batch
base = keras.applications.MobileNetV2(input_shape=(size, size, 3), include_top=False, weights=None)
logits = keras.layers.Dense(2, name="head")(keras.layers.GlobalAveragePooling2D()(base.output))
whole = keras.Model(base.input, logits)
lower = keras.Model(base.input, base.get_layer(CUT).output)
upper = keras.Model(base.get_layer(CUT).output, logits)

random = np.random.default_rng(1)
images = tf.constant(random.uniform(-1, 1, (batch, size, size, 3)).astype(np.float32))
labels = tf.constant(random.integers(0, 2, batch).astype(np.int32))


def settle_statistics():
    """Statistics of the images themselves: with fresh ones activations would fade or grow from block to block."""
    norms = [layer for layer in whole.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    whole(images, training=True)


settle_statistics()
activations = tf.constant(lower(images, training=False).numpy())


def trained(row, frozen):
    if row == "forward":
        return []
    model = whole if row == "all" else upper
    return [v for v in model.trainable_variables if not (frozen and v.path.endswith(("/gamma", "/beta")))]


def build(row, frozen, variant):
    compiled = variant == "xla"
    if row == "forward":
        run = tf.function(lambda x: whole(x, training=False), jit_compile=compiled)
        return lambda: run(images).numpy()

    variables = trained(row, frozen)
    optimizer = keras.optimizers.SGD(LEARNING_RATE)
    optimizer.build(variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = whole if row == "all" else upper

    @tf.function(jit_compile=compiled)
    def step(x, y):
        if row == "top6":
            x = lower(x, training=False)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            loss = loss_of(y, model(x, training=False))
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return loss

    given = activations if row == "top6-cached" else images

    def run_step():
        loss = float(step(given, labels))
        if not np.isfinite(loss):
            raise FloatingPointError(f"loss is {loss}")

    return run_step


def variants(row):
    return ["graph"] if options.no_compile else ["graph", "xla"]


protocol.Peer(
    options,
    "keras",
    {"keras": keras.__version__, "tensorflow": tf.__version__},
    variants,
    build,
    lambda row, frozen: int(sum(np.prod(v.shape) for v in trained(row, frozen))),
).serve(channel)
