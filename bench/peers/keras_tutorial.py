"""The official Keras tutorial "Transfer learning and fine-tuning", whole: from files to an evaluated, saved model.

MobileNetV2 at 160 px, batch 32, flips and rotations; 10 epochs with the base frozen (Adam, 1e-4), then 10 with its layers
from 100 on trained too (RMSprop, 1e-5). Prints one JSON line.
"""

import argparse
import json
import os
import pathlib
import resource
import tempfile
import time

started = time.perf_counter()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("train", help="a folder with a folder a class")
parser.add_argument("validation", help="the same classes, other photos")
parser.add_argument("--weights", required=True, help="the official no_top .h5 file")
parser.add_argument("--image-size", type=int, default=160)
parser.add_argument("--epochs", type=int, default=10, help="of each of the two phases")
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()

import tensorflow as tf  # noqa: E402 (after the log level is set)

tf.keras.utils.set_random_seed(options.seed)
size = (options.image_size, options.image_size)


def photos(folder, shuffle):
    data = tf.keras.utils.image_dataset_from_directory(
        folder, shuffle=shuffle, batch_size=32, image_size=size, seed=options.seed, verbose=False
    )
    return data, data.prefetch(buffer_size=tf.data.AUTOTUNE)


raw, train = photos(options.train, True)
_, validation = photos(options.validation, False)
classes = len(raw.class_names)

augmentation = tf.keras.Sequential(
    [tf.keras.layers.RandomFlip("horizontal"), tf.keras.layers.RandomRotation(0.2)]
)
base = tf.keras.applications.MobileNetV2(input_shape=(*size, 3), include_top=False, weights=options.weights)
base.trainable = False

inputs = tf.keras.Input(shape=(*size, 3))
x = augmentation(inputs)
x = tf.keras.applications.mobilenet_v2.preprocess_input(x)
x = base(x, training=False)
x = tf.keras.layers.GlobalAveragePooling2D()(x)
x = tf.keras.layers.Dropout(0.2)(x)
binary = classes == 2
outputs = tf.keras.layers.Dense(1 if binary else classes, activation="sigmoid" if binary else "softmax")(x)
model = tf.keras.Model(inputs, outputs)


def compile_with(optimizer):
    model.compile(
        optimizer=optimizer,
        loss="binary_crossentropy" if binary else "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )


rate = 1e-4
compile_with(tf.keras.optimizers.Adam(learning_rate=rate))
model.evaluate(validation, verbose=0)
first = model.fit(train, epochs=options.epochs, validation_data=validation, verbose=0)
frozen = model.evaluate(validation, verbose=0)[1]

base.trainable = True
for layer in base.layers[:100]:
    layer.trainable = False
compile_with(tf.keras.optimizers.RMSprop(learning_rate=rate / 10))
model.fit(
    train,
    epochs=2 * options.epochs,
    initial_epoch=len(first.epoch),
    validation_data=validation,
    verbose=0,
)
accuracy = model.evaluate(validation, verbose=0)[1]
with tempfile.TemporaryDirectory() as folder:
    model.save(pathlib.Path(folder) / "model.keras")

print(
    json.dumps(
        {
            "seconds": time.perf_counter() - started,
            "accuracy": accuracy,
            "frozenAccuracy": frozen,
            "peakMemoryBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "versions": {"tensorflow": tf.__version__, "keras": tf.keras.__version__},
        }
    )
)
