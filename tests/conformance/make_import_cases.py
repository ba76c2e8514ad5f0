"""Makes more cases of saved models, in the layout of shared/conformance/imports: <folder>/<case>/{case.json, case.npz, model…}.

    python tests/conformance/make_import_cases.py FOLDER [WORD…]     only models whose names have one of the words

Judge and maker are TensorFlow with Keras 3 and tf_keras (Keras 2). Not run by npm test. Each model is saved in every
format of its Keras: .h5, .keras, model.json beside .weights.h5. case.npz holds in:0… and out:0… .
"""

import json
import os
import shutil
import sys

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import h5py  # noqa: E402
import keras as keras3  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras as keras2  # noqa: E402

MODELS = []


def model(*kerases, tolerance=1e-4):
    """Registers a maker: given the keras module and a random generator, it returns a model and its inputs."""

    def register(make):
        for keras in kerases or (keras2, keras3):
            MODELS.append((make.__name__, keras, make, tolerance))
        return make

    return register


def version_of(keras):
    return 2 if keras is keras2 else 3


def randomize(net, random):
    """Weights that are neither zero nor one, so that a wrong order shows."""
    values = []
    for variable, value in zip(net.weights, net.get_weights()):
        name = getattr(variable, "path", variable.name)
        is_measured = "normalization" in name and name.split("/")[-1].split(":")[0] in ("mean", "variance", "count")
        if is_measured or not np.issubdtype(value.dtype, np.floating):
            values.append(value)
        elif "variance" in name:
            values.append(random.uniform(0.5, 1.5, value.shape).astype(value.dtype))
        elif "gamma" in name or "layer_scale" in name:
            values.append(random.uniform(0.7, 1.3, value.shape).astype(value.dtype))
        else:
            fan = max(1, int(np.prod(value.shape[:-1]))) if value.ndim > 1 else 4
            values.append(random.normal(0, 1 / np.sqrt(fan), value.shape).astype(value.dtype))
    net.set_weights(values)


def picture(random, *shape):
    return random.uniform(0, 1, shape).astype("float32")


# Sequences of layers.


@model()
def seq_unbuilt(keras, random):
    layers = keras.layers
    net = keras.Sequential([layers.Dense(7, activation="relu"), layers.Dense(3, activation="softmax")])
    x = picture(random, 4, 5)
    net(x)
    return net, [x]


@model()
def seq_names(keras, random):
    layers = keras.layers
    net = keras.Sequential(
        [
            keras.Input((12, 10, 3), name="pixels"),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="stem"),
            layers.BatchNormalization(name="stem_bn"),
            layers.ReLU(6.0),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(4),
            layers.Activation("softmax"),
        ],
        name="classifier",
    )
    return net, [picture(random, 2, 12, 10, 3) * 255]


def small_base(keras, name, size=16):
    layers = keras.layers
    x = inputs = keras.Input((size, size, 3), name=f"{name}_in")
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="conv_a")(x)
    x = layers.BatchNormalization(name="bn_a")(x)
    x = layers.Activation("swish", name="act_a")(x)
    y = layers.DepthwiseConv2D(3, padding="same", name="dw")(x)
    y = layers.BatchNormalization(name="bn_b")(y)
    x = layers.Add(name="join")([x, y])
    return keras.Model(inputs, x, name=name)


@model()
def nested_frozen(keras, random):
    layers = keras.layers
    base = small_base(keras, "base")
    base.trainable = False
    net = keras.Sequential([keras.Input((16, 16, 3)), base, layers.GlobalAveragePooling2D(), layers.Dense(3)])
    return net, [picture(random, 2, 16, 16, 3)]


@model()
def nested_partly_frozen(keras, random):
    layers = keras.layers
    base = small_base(keras, "base")
    base.get_layer("conv_a").trainable = False
    base.get_layer("bn_a").trainable = False
    inputs = keras.Input((16, 16, 3))
    x = base(inputs, training=False)
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(inputs, layers.Dense(3)(x)), [picture(random, 2, 16, 16, 3)]


@model()
def nested_in_nested(keras, random):
    layers = keras.layers
    base = small_base(keras, "base")
    inner = keras.Sequential([base, layers.GlobalAveragePooling2D()], name="features")
    head = keras.Sequential([keras.Input((4,)), layers.Dense(5, activation="relu"), layers.Dense(2)], name="head")
    inputs = keras.Input((16, 16, 3), name="picture")
    return keras.Model(inputs, head(inner(inputs)), name="whole"), [picture(random, 2, 16, 16, 3)]


@model()
def same_names_twice(keras, random):
    """Two nested models whose layers have the same names."""
    layers = keras.layers

    def part(name, units):
        i = keras.Input((6,))
        return keras.Model(i, layers.Dense(units, name="fc")(layers.Dense(4, name="hidden")(i)), name=name)

    a, b = part("left", 3), part("right", 3)
    inputs = keras.Input((6,))
    return keras.Model(inputs, layers.Subtract()([a(inputs), b(inputs)])), [picture(random, 3, 6)]


@model()
def called_twice(keras, random):
    layers = keras.layers
    tower = keras.Sequential([keras.Input((5,)), layers.Dense(4, activation="tanh"), layers.Dense(4)], name="tower")
    a, b = keras.Input((5,), name="zz"), keras.Input((5,), name="aa")
    return (
        keras.Model([a, b], [layers.Concatenate()([tower(a), tower(b)]), tower(b)]),
        [picture(random, 3, 5), picture(random, 3, 5)],
    )


@model()
def functional_called_twice(keras, random):
    layers = keras.layers
    i = keras.Input((5,))
    tower = keras.Model(i, layers.Dense(4, activation="tanh")(i), name="tower")
    a, b = keras.Input((5,), name="zz"), keras.Input((5,), name="aa")
    return keras.Model([a, b], [tower(b), tower(a)]), [picture(random, 3, 5), picture(random, 3, 5)]


@model()
def shared_layer_depths(keras, random):
    """A layer that takes its own output: A(B(A(x)))."""
    layers = keras.layers
    dense, act = layers.Dense(6, name="again"), layers.LeakyReLU()
    inputs = keras.Input((6,))
    x = dense(act(dense(inputs)))
    return keras.Model(inputs, layers.Add()([x, dense(x), inputs])), [picture(random, 3, 6)]


@model()
def named_ports(keras, random):
    layers = keras.layers
    a, b = keras.Input((4,), name="width"), keras.Input((3,), name="height")
    x = layers.Concatenate()([layers.Dense(3)(a), b])
    outputs = {"small": layers.Dense(1, name="small")(x), "large": layers.Dense(5, name="large")(x)}
    net = keras.Model({"width": a, "height": b}, outputs)
    data = {"height": picture(random, 2, 3), "width": picture(random, 2, 4)}
    return net, data


@model()
def cut_short(keras, random):
    """A model that ends in the middle of another."""
    base = small_base(keras, "base")
    return keras.Model(base.input, [base.get_layer("bn_b").output, base.get_layer("act_a").output]), [picture(random, 2, 16, 16, 3)]


@model()
def training_argument(keras, random):
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(3, 1)(inputs)
    x = layers.BatchNormalization()(x, training=True)
    x = layers.Dropout(0.5)(x, training=False)
    return keras.Model(inputs, x), [picture(random, 4, 6, 6, 2)]


# Time.


@model()
def recurrent_states(keras, random):
    layers = keras.layers
    source, target = keras.Input((7, 3), name="source"), keras.Input((5, 4), name="target")
    _, h, c = layers.LSTM(6, return_state=True, name="encoder")(source)
    y, h2, _ = layers.LSTM(6, return_sequences=True, return_state=True, name="decoder")(target, initial_state=[h, c])
    return keras.Model([source, target], [layers.Dense(2)(y), h2]), [picture(random, 2, 7, 3), picture(random, 2, 5, 4)]


@model()
def recurrent_masked(keras, random):
    layers = keras.layers
    inputs = keras.Input((8,), dtype="int32", name="words")
    x = layers.Embedding(20, 5, mask_zero=True)(inputs)
    y = layers.LSTM(4, return_sequences=True)(x)
    z = layers.GlobalAveragePooling1D()(y)
    w = layers.Bidirectional(layers.GRU(3), merge_mode="sum")(x)
    ids = random.integers(1, 20, (3, 8)).astype("int32")
    ids[0, 5:] = 0
    ids[1, 3:] = 0
    return keras.Model(inputs, layers.Concatenate()([z, w])), [ids]


@model()
def recurrent_kinds(keras, random):
    layers = keras.layers
    inputs = keras.Input((6, 4))
    a = layers.SimpleRNN(3, go_backwards=True)(inputs)
    b = layers.GRU(3, reset_after=False, activation="relu")(inputs)
    c = layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)])(inputs)
    d = layers.Bidirectional(layers.LSTM(2, return_sequences=True), backward_layer=layers.GRU(2, return_sequences=True, go_backwards=True))(inputs)
    return keras.Model(inputs, [layers.Concatenate()([a, b, c]), d]), [picture(random, 2, 6, 4)]


@model()
def time_distributed(keras, random):
    layers = keras.layers
    inputs = keras.Input((4, 8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.BatchNormalization(), layers.Flatten()], name="frame")
    x = layers.TimeDistributed(inner)(inputs)
    x = layers.TimeDistributed(layers.Dense(5))(x)
    return keras.Model(inputs, layers.LSTM(3)(x)), [picture(random, 2, 4, 8, 8, 3)]


@model()
def attention(keras, random):
    layers = keras.layers
    inputs = keras.Input((6, 8))
    memory = keras.Input((5, 8))
    x = layers.MultiHeadAttention(2, 4, name="own")(inputs, inputs)
    x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([inputs, x]))
    y = layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=8, name="cross")(x, value=memory, key=memory)
    z = layers.Attention()([y, memory])
    w = layers.AdditiveAttention()([z, memory])
    return keras.Model([inputs, memory], [z, w]), [picture(random, 2, 6, 8), picture(random, 2, 5, 8)]


# Maps.


@model()
def convolutions(keras, random):
    layers = keras.layers
    x = inputs = keras.Input((15, 13, 4))
    x = layers.SeparableConv2D(6, 3, padding="same", depth_multiplier=2, activation="relu")(x)
    x = layers.Conv2D(8, 3, dilation_rate=2, padding="same", groups=2)(x)
    x = layers.Conv2DTranspose(3, 3, strides=2, padding="same")(x)
    x = layers.ZeroPadding2D(((1, 2), (0, 3)))(x)
    x = layers.Cropping2D(((2, 1), (1, 0)))(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.AveragePooling2D(2, padding="same")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    return keras.Model(inputs, x), [picture(random, 2, 15, 13, 4)]


@model()
def convolutions_1d_3d(keras, random):
    layers = keras.layers
    a = keras.Input((12, 3))
    b = keras.Input((6, 7, 8, 2))
    x = layers.Conv1D(4, 3, padding="causal", dilation_rate=2)(a)
    x = layers.MaxPooling1D(2)(layers.SeparableConv1D(5, 3, padding="same")(x))
    x = layers.UpSampling1D(3)(layers.ZeroPadding1D(2)(x))
    y = layers.Conv3D(3, 3, padding="same", strides=2)(b)
    y = layers.MaxPooling3D(2)(y)
    return keras.Model([a, b], [x, layers.Flatten()(y)]), [picture(random, 2, 12, 3), picture(random, 2, 6, 7, 8, 2)]


@model()
def open_sizes(keras, random):
    layers = keras.layers
    x = inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, padding="same", strides=2)(x)
    x = layers.Concatenate()([layers.MaxPooling2D(2)(x), layers.Conv2D(2, 2, strides=2)(x)])
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x)), [picture(random, 2, 20, 24, 3)]


@model()
def u_net(keras, random):
    layers = keras.layers
    inputs = keras.Input((16, 16, 1))
    a = layers.Conv2D(4, 3, activation="relu", padding="same")(inputs)
    b = layers.Conv2D(6, 3, activation="relu", padding="same")(layers.MaxPooling2D()(a))
    c = layers.Conv2DTranspose(4, 2, strides=2)(b)
    d = layers.Conv2D(1, 1, activation="sigmoid")(layers.Concatenate()([a, layers.UpSampling2D()(b), c]))
    return keras.Model(inputs, d), [picture(random, 2, 16, 16, 1)]


@model()
def normalizations(keras, random):
    layers = keras.layers
    inputs = keras.Input((6, 5, 8))
    x = layers.LayerNormalization(axis=[1, 3])(inputs)
    x = layers.GroupNormalization(4)(x)
    x = layers.BatchNormalization(axis=1, scale=False)(x)
    x = layers.UnitNormalization()(x)
    return keras.Model(inputs, x), [picture(random, 2, 6, 5, 8)]


@model()
def merges(keras, random):
    layers = keras.layers
    a, b = keras.Input((4, 6, 3)), keras.Input((1, 1, 3))
    x = layers.Multiply()([a, b])
    y = layers.Average()([x, a])
    z = layers.Maximum()([y, layers.Minimum()([x, a])])
    p, q = layers.Reshape((24, 3))(z), layers.Reshape((24, 3))(a)
    return (
        keras.Model([a, b], [layers.Dot(axes=(1, 1))([p, q]), layers.Subtract()([z, x]), layers.Concatenate(axis=1)([a, z])]),
        [picture(random, 2, 4, 6, 3), picture(random, 2, 1, 1, 3)],
    )


@model()
def moves(keras, random):
    layers = keras.layers
    inputs = keras.Input((4, 6))
    x = layers.Permute((2, 1))(inputs)
    x = layers.Reshape((3, -1, 2))(x)
    y = layers.RepeatVector(3)(layers.Flatten()(x))
    return keras.Model(inputs, [layers.Dense(3)(x), y]), [picture(random, 2, 4, 6)]


@model()
def activations(keras, random):
    layers = keras.layers
    inputs = keras.Input((5, 4))
    x = layers.Dense(4, activation=layers.LeakyReLU())(inputs)
    x = layers.PReLU(shared_axes=[1])(x)
    x = layers.Dense(4, activation="gelu")(x)
    x = layers.Softmax(axis=1)(layers.ELU(0.5)(x))
    return keras.Model(inputs, [x, layers.Dense(3, activation="hard_sigmoid")(inputs)]), [picture(random, 2, 5, 4) - 0.5]


@model(keras2, keras3, tolerance=5e-3)
def mixed_precision(keras, random):
    layers = keras.layers
    policy = keras.mixed_precision.Policy("mixed_float16") if keras is keras2 else keras.DTypePolicy("mixed_float16")
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, dtype=policy)(inputs)
    x = layers.BatchNormalization(dtype=policy)(x)
    x = layers.GlobalAveragePooling2D(dtype=policy)(x)
    return keras.Model(inputs, layers.Dense(2, dtype="float32")(x)), [picture(random, 2, 8, 8, 3)]




@model()
def fixed_batch(keras, random):
    layers = keras.layers
    inputs = keras.Input(batch_shape=(3, 5)) if keras is keras3 else keras.Input(batch_size=3, shape=(5,))
    return keras.Model(inputs, layers.Dense(2)(inputs)), [picture(random, 3, 5)]


@model()
def bytes_in(keras, random):
    layers = keras.layers
    inputs = keras.Input((9, 9, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Resizing(6, 8)(x)
    x = layers.CenterCrop(4, 4)(x)
    return keras.Model(inputs, layers.Conv2D(2, 3)(x)), [random.integers(0, 256, (2, 9, 9, 3)).astype("uint8")]


@model()
def preprocessing(keras, random):
    layers = keras.layers
    norm = layers.Normalization(axis=-1)
    norm.adapt(random.normal(3, 2, (50, 4)).astype("float32"))
    a, b = keras.Input((4,)), keras.Input((1,), dtype="int64")
    lookup = layers.IntegerLookup(vocabulary=[10, 20, 30], output_mode="int")
    x = layers.CategoryEncoding(num_tokens=4, output_mode="one_hot")(lookup(b))
    y = layers.Discretization([0.2, 0.5, 0.9])(a)
    return (
        keras.Model([a, b], [layers.Dense(3)(layers.Concatenate()([norm(a), x])), y]),
        [picture(random, 3, 4), np.array([[10], [30], [99]], "int64")],
    )


@model()
def augmented(keras, random):
    """The tutorial's form: augmentation, preprocessing, a base, a head."""
    layers = keras.layers
    augment = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1), layers.RandomZoom(0.1)])
    base = small_base(keras, "base")
    base.trainable = False
    inputs = keras.Input((16, 16, 3))
    x = augment(inputs)
    x = x / 127.5 - 1.0
    x = base(x, training=False)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(x)), [picture(random, 2, 16, 16, 3) * 255]


@model(keras2)
def slashes(keras, random):
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(3, 1, name="block")(inputs)
    x = layers.Conv2D(3, 1, name="block/expand")(x)
    x = layers.BatchNormalization(name="block/expand/bn")(x)
    inner = keras.Model(inputs, x, name="inner/model")
    outer = keras.Input((8, 8, 3))
    return keras.Model(outer, layers.Flatten()(inner(outer))), [picture(random, 2, 8, 8, 3)]


# Forms of calls.


@model()
def attention_masks(keras, random):
    layers = keras.layers
    x, y = keras.Input((5, 8)), keras.Input((4, 8))
    mask = keras.Input((5, 4), dtype="bool")
    a = layers.MultiHeadAttention(2, 4)(x, y, attention_mask=mask)
    b, scores = layers.MultiHeadAttention(2, 4)(query=a, value=a, use_causal_mask=True, return_attention_scores=True)
    return keras.Model([x, y, mask], [b, scores]), [picture(random, 2, 5, 8), picture(random, 2, 4, 8), random.uniform(0, 1, (2, 5, 4)) > 0.3]


@model()
def nested_ports(keras, random):
    """A nested model with named inputs and several outputs, called with a dict."""
    layers = keras.layers
    p, q = keras.Input((3,), name="q_in"), keras.Input((4,), name="a_in")
    inner = keras.Model({"one": p, "two": q}, [layers.Dense(2)(p), layers.Dense(5)(q), layers.Concatenate()([p, q])], name="inner")
    u, v = keras.Input((4,)), keras.Input((3,))
    small, large, both = inner({"two": u, "one": v})
    return keras.Model([u, v], [layers.Dense(2)(both), large, small]), [picture(random, 2, 4), picture(random, 2, 3)]


@model()
def masking(keras, random):
    layers = keras.layers
    inputs = keras.Input((6, 3))
    x = layers.Masking(0.0)(inputs)
    x = layers.TimeDistributed(layers.Dense(4))(x)
    a, b = layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode=None)(x)
    y = layers.GRU(3)(layers.Concatenate()([a, b]))
    data = picture(random, 3, 6, 3)
    data[0, 4:] = 0
    data[1, 2:] = 0
    return keras.Model(inputs, y), [data]


@model()
def passed_through(keras, random):
    """Outputs that are inputs, and one output twice."""
    layers = keras.layers
    inputs = keras.Input((3,))
    x = layers.Dense(2)(inputs)
    return keras.Model(inputs, [x, inputs, x]), [picture(random, 2, 3)]


@model()
def odd_names(keras, random):
    layers = keras.layers
    inputs = keras.Input((3,), name="eingabe-\u00fc")
    x = layers.Dense(2, name="__proto__")(inputs)
    x = layers.Dense(2, name="constructor")(x)
    return keras.Model(inputs, layers.Dense(2, name="to.string")(x), name="toString"), [picture(random, 2, 3)]


@model()
def fitted(keras, random):
    """With an optimizer's state, metrics, regularizers."""
    layers = keras.layers
    net = keras.Sequential([keras.Input((4,)), layers.Dense(5, kernel_regularizer="l2", activation="relu"), layers.BatchNormalization(), layers.Dropout(0.1), layers.Dense(2)])
    net.compile("adam", "mse", metrics=["mae"])
    net.fit(picture(random, 8, 4), picture(random, 8, 2), verbose=0)
    return net, [picture(random, 2, 4)]


@model()
def shared_between_models(keras, random):
    layers = keras.layers
    shared = layers.Dense(4, name="shared")
    i, j = keras.Input((4,)), keras.Input((4,))
    left = keras.Model(i, layers.ReLU()(shared(i)), name="left")
    right = keras.Model(j, layers.Dense(4, name="own")(shared(j)), name="right")
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Add()([left(inputs), right(inputs)])), [picture(random, 2, 4)]


@model()
def channels_first(keras, random):
    layers = keras.layers
    inputs = keras.Input((3, 8, 9))
    x = layers.ZeroPadding2D(1, data_format="channels_first")(inputs)
    x = layers.BatchNormalization(axis=1)(x)
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    return keras.Model(inputs, layers.Dense(2)(x)), [picture(random, 2, 3, 8, 9)]


@model()
def rarer_layers(keras, random):
    layers = keras.layers
    a = keras.Input((4, 6, 6, 2))
    b = keras.Input((5, 8))
    x = layers.ConvLSTM2D(3, 3, padding="same")(a)
    y = layers.EinsumDense("abc,cd->abd", output_shape=(None, 4), bias_axes="d")(b)
    z = layers.Conv1DTranspose(3, 3, strides=2)(y)
    w = layers.SpatialDropout1D(0.2)(layers.GaussianNoise(0.1)(z))
    return keras.Model([a, b], [x, y, w]), [picture(random, 2, 4, 6, 6, 2), picture(random, 2, 5, 8)]


@model()
def preprocessed(keras, random):
    """What keras.applications do to pictures, within a model: tf, torch and caffe."""
    inputs = keras.Input((6, 6, 3))
    modes = [keras.applications.mobilenet_v2, keras.applications.densenet, keras.applications.resnet50]
    return keras.Model(inputs, [each.preprocess_input(inputs) for each in modes]), [picture(random, 2, 6, 6, 3) * 255]


@model()
def activation_functions(keras, random):
    layers = keras.layers
    names = ["relu", "sigmoid", "tanh", "softmax", "softplus", "softsign", "selu", "elu", "exponential", "gelu", "swish", "mish", "linear", "hard_sigmoid"]
    inputs = keras.Input((6,))
    functions = [getattr(keras.activations, name, None) for name in names]
    return keras.Model(inputs, [layers.Dense(3, activation=each)(inputs) for each in functions if each is not None]), [picture(random, 2, 6) - 0.5]


@model(keras2)
def tf_pictures(keras, random):
    x = keras.Input((8, 6, 3))
    conv = keras.layers.Conv2D(4, 1)(x)
    outs = [
        tf.image.per_image_standardization(x), tf.image.flip_left_right(conv), tf.image.flip_up_down(x), tf.nn.local_response_normalization(conv, 2, 1.0, 1e-2, 0.75),
        tf.nn.conv2d(conv, random.normal(0, 1, (3, 3, 4, 2)).astype("float32"), 2, "SAME"), tf.nn.depthwise_conv2d(conv, random.normal(0, 1, (3, 3, 4, 1)).astype("float32"), [1, 1, 1, 1], "VALID"),
        tf.image.adjust_brightness(x, 0.1), tf.image.adjust_contrast(x, 0.5), tf.image.convert_image_dtype(x, "float32"), tf.gather_nd(x, [[0, 1], [1, 2]]), tf.linalg.band_part(x, -1, 0), tf.image.crop_to_bounding_box(x, 1, 2, 4, 3), tf.image.central_crop(x, 0.5),
    ]
    return keras.Model(x, outs), [picture(random, 2, 8, 6, 3)]


@model(keras3)
def ops_more(keras, random):
    o = keras.ops
    x = keras.Input((8, 6, 4))
    conv = keras.layers.Conv2D(4, 1)(x)
    outs = [
        o.conv(conv, random.normal(0, 1, (3, 3, 4, 2)).astype("float32"), 2, "same"), o.depthwise_conv(conv, random.normal(0, 1, (3, 3, 4, 1)).astype("float32")), o.squareplus(x), o.sparse_plus(x), o.sparse_sigmoid(x), o.glu(conv), o.threshold(x, 0.5, 0.1), o.sparsemax(x),
        o.layer_normalization(conv, np.ones(4, "float32"), np.zeros(4, "float32")), o.rms_normalization(x, np.ones(4, "float32")), o.image.pad_images(conv, 1, 2, 1, 0), o.image.crop_images(conv, 1, 2, 1, 0), o.arctan2(x, x + 1), o.trunc(x * 3), o.diff(x, axis=1), o.average(x, axis=1), o.hstack([x, conv]), o.vstack([x, conv]),
        o.inner(x, np.ones((2, 4), "float32")), o.ptp(x, axis=1), o.full_like(x, 2.0), o.fmax(x, 0.5), o.cbrt(x), o.deg2rad(x), o.image.extract_patches(x[..., :3], 2), o.multi_hot(o.cast(x[:, 0, :, 0] * 4, "int32"), 4),
    ]
    return keras.Model(x, outs), [picture(random, 2, 8, 6, 4)]


@model(keras3)
def ops_attention(keras, random):
    o = keras.ops
    q = keras.Input((5, 2, 4))
    k = keras.Input((6, 2, 4))
    return keras.Model([q, k], o.dot_product_attention(q, k, k)), [picture(random, 2, 5, 2, 4), picture(random, 2, 6, 2, 4)]


# Operations.


@model(keras2)
def tf_pointwise(keras, random):
    x = keras.Input((5, 4, 3))
    outs = [
        tf.abs(x - 0.5), -x, tf.sign(x - 0.5), tf.square(x), tf.sqrt(x), tf.math.rsqrt(x + 1.0), tf.exp(x), tf.math.expm1(x),
        tf.math.log(x + 1.0), tf.math.log1p(x), tf.floor(x * 3), tf.math.ceil(x * 3), tf.round(x * 3), tf.sin(x), tf.cos(x),
        tf.tanh(x), tf.sigmoid(x), tf.math.erf(x), tf.nn.relu(x - 0.5), tf.nn.relu6(x * 9), tf.nn.elu(x - 0.5), tf.nn.selu(x - 0.5),
        tf.nn.gelu(x), tf.nn.silu(x), tf.nn.leaky_relu(x - 0.5, alpha=0.1), tf.nn.softplus(x), tf.nn.softsign(x), tf.clip_by_value(x, 0.2, 0.7),
        x + 1.0, 2.0 - x, x * [1.0, 2.0, 3.0], 1.0 / (x + 1.0), x**2.0, 2.0**x, x // 0.3, x % 0.3, tf.maximum(x, 0.5), tf.minimum(x, 0.5),
        tf.math.squared_difference(x, 0.3), tf.where(x > 0.5, x, 0.0), tf.cast(x * 5, "int32"), tf.cast(x > 0.5, tf.float32),
        tf.zeros_like(x), tf.ones_like(x), tf.math.divide_no_nan(x, tf.nn.relu(x - 0.5)), tf.add_n([x, x, x]), tf.identity(x), tf.stop_gradient(x),
        tf.cast(tf.logical_and(x > 0.2, x < 0.8), "float32"), tf.cast(tf.logical_not(tf.equal(tf.round(x), 1.0)), "float32"),
        keras.backend.relu(x - 0.5, alpha=0.2, max_value=0.3), keras.activations.hard_sigmoid(x), tf.math.atan(x), tf.math.reciprocal(x + 1.0),
    ]
    return keras.Model(x, outs), [picture(random, 2, 5, 4, 3)]


@model(keras2)
def tf_axes(keras, random):
    x = keras.Input((5, 4, 6))
    conv = keras.layers.Conv2D(6, 1)(x)
    outs = [
        tf.reduce_mean(conv, [1, 2]), tf.reduce_mean(conv, [1, 2], keepdims=True), tf.reduce_sum(conv, -1), tf.reduce_max(conv, 1), tf.reduce_min(x, [1, 3]),
        tf.reduce_prod(x, 2), tf.math.reduce_std(conv, [1, 2]), tf.math.reduce_variance(x, -1), tf.reduce_logsumexp(x, [1, 2]), tf.norm(x, axis=-1),
        tf.argmax(conv, -1), tf.argmin(x, 1), tf.cumsum(conv, axis=1), tf.cumsum(x, axis=-1, reverse=True, exclusive=True), tf.nn.softmax(conv), tf.nn.softmax(x, axis=1), tf.nn.log_softmax(x),
        *tf.nn.moments(conv, [1, 2]), tf.nn.l2_normalize(conv, -1), tf.math.l2_normalize(x, [1, 2]), *tf.math.top_k(x, 2), tf.sort(x, axis=1), keras.backend.mean(conv, axis=1),
        keras.backend.sum(x, axis=[1, 2], keepdims=True), keras.backend.max(conv, axis=-1), tf.reduce_any(x > 0.9, -1), tf.reduce_all(x > 0.1, [1, 2]),
    ]
    return keras.Model(x, outs), [picture(random, 2, 5, 4, 6)]


@model(keras2)
def tf_shapes(keras, random):
    x = keras.Input((5, 4, 6))
    conv = keras.layers.Conv2D(6, 1)(x)
    a, b, c = tf.split(conv, 3, axis=-1)
    d, e = tf.split(x, [1, 3], axis=2)
    outs = [
        conv[:, 1:-1, ::2], conv[..., 0], conv[:, 0], conv[:, :, None], x[:, ::-1], x[:, -1, ..., 1:3], x[..., tf.newaxis], tf.reshape(conv, [-1, 20, 6]),
        tf.reshape(conv, (tf.shape(conv)[0], -1)), tf.transpose(conv, [0, 3, 1, 2]), tf.transpose(x, [0, 2, 1, 3]), tf.expand_dims(conv, 1), tf.squeeze(conv[:, :1], 1), tf.concat([conv, x], -1),
        tf.concat([conv, x], 1), tf.stack([conv, x], 1), tf.unstack(conv, axis=2)[1], tf.tile(x, [1, 2, 1, 1]), tf.pad(conv, [[0, 0], [1, 2], [0, 1], [0, 0]]), tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT"),
        tf.gather(conv, [0, 2], axis=-1), tf.reverse(conv, [1]), tf.one_hot(tf.argmax(conv, -1), 6), a * b - c, d, e, tf.shape(conv), tf.repeat(x, 2, axis=1), tf.roll(x, 1, axis=2),
        tf.slice(conv, [0, 1, 0, 2], [-1, 2, -1, 3]), tf.nn.space_to_depth(conv[:, :4], 2), tf.nn.depth_to_space(conv[..., :4], 2), tf.broadcast_to(x[:1, :1], [2, 5, 4, 6]),
    ]
    return keras.Model(x, outs), [picture(random, 2, 5, 4, 6)]


@model(keras2)
def tf_matrices(keras, random):
    x, y = keras.Input((5, 4)), keras.Input((4, 3))
    maps = keras.Input((8, 8, 4))
    conv = keras.layers.Conv2D(4, 1)(maps)
    outs = [
        tf.matmul(x, y), x @ y, tf.matmul(x, x, transpose_b=True), tf.matmul(x, np.ones((4, 2), "float32")), tf.tensordot(x, np.ones((4, 2), "float32"), 1),
        tf.image.resize(conv, (4, 6)), tf.image.resize(conv, (16, 16), method="nearest"), tf.nn.max_pool2d(conv, 2, 2, "SAME"), tf.nn.avg_pool2d(conv, 3, 2, "VALID"),
        tf.nn.bias_add(conv, [1.0, 2.0, 3.0, 4.0]), tf.image.rgb_to_grayscale(maps[..., :3]),
    ]
    return keras.Model([x, y, maps], outs), [picture(random, 2, 5, 4), picture(random, 2, 4, 3), picture(random, 2, 8, 8, 4)]


@model(keras3)
def ops_pointwise(keras, random):
    o = keras.ops
    x = keras.Input((5, 4, 3))
    outs = [
        o.abs(x - 0.5), -x, o.sign(x - 0.5), o.square(x), o.sqrt(x), o.rsqrt(x + 1.0), o.exp(x), o.expm1(x), o.log(x + 1.0), o.log1p(x), o.log2(x + 1), o.log10(x + 1), o.floor(x * 3), o.ceil(x * 3), o.round(x * 3, 1),
        o.sin(x), o.cos(x), o.tan(x), o.tanh(x), o.sinh(x), o.arctan(x), o.arcsin(x), o.sigmoid(x), o.erf(x), o.relu(x - 0.5), o.relu6(x * 9), o.elu(x - 0.5), o.celu(x - 0.5), o.selu(x - 0.5), o.gelu(x), o.gelu(x, approximate=False), o.silu(x),
        o.leaky_relu(x - 0.5, 0.1), o.softplus(x), o.softsign(x), o.hard_sigmoid(x * 5 - 2), o.hard_silu(x * 5 - 2), o.hard_tanh(x * 5 - 2), o.log_sigmoid(x), o.tanh_shrink(x), o.soft_shrink(x - 0.5), o.hard_shrink(x - 0.5), o.clip(x, 0.2, 0.7),
        x + 1.0, 2.0 - x, x * np.array([1.0, 2.0, 3.0], "float32"), 1.0 / (x + 1.0), x**2, 2.0**x, x // 0.3, x % 0.3, o.maximum(x, 0.5), o.minimum(x, 0.5), o.where(x > 0.5, x, 0.0), o.cast(x * 5, "int32"), o.cast(x > 0.5, "float32"),
        o.zeros_like(x), o.ones_like(x), o.divide_no_nan(x, o.relu(x - 0.5)), o.stop_gradient(x), o.cast(o.logical_and(x > 0.2, x < 0.8), "float32"), o.cast(o.not_equal(o.round(x), 1.0), "float32"), o.reciprocal(x + 1.0), o.hypot(x, x + 1), o.logaddexp(x, x * 2), o.isfinite(x),
    ]
    return keras.Model(x, outs), [picture(random, 2, 5, 4, 3)]


@model(keras3)
def ops_axes(keras, random):
    o = keras.ops
    x = keras.Input((5, 4, 6))
    conv = keras.layers.Conv2D(6, 1)(x)
    outs = [
        o.mean(conv, axis=[1, 2]), o.mean(conv, axis=(1, 2), keepdims=True), o.sum(conv, axis=-1), o.max(conv, axis=1), o.min(x, axis=[1, 3]), o.prod(x, axis=2), o.std(conv, axis=[1, 2]), o.var(x, axis=-1), o.logsumexp(x, axis=[1, 2]),
        o.norm(x, axis=-1), o.argmax(conv, axis=-1), o.argmin(x, axis=1), o.cumsum(conv, axis=1), o.cumprod(x, axis=1), o.softmax(conv), o.softmax(x, axis=1), o.log_softmax(x), *o.moments(conv, [1, 2]), o.normalize(conv), *o.top_k(x, 2), o.sort(x, axis=1), o.argsort(x, axis=-1),
        o.any(x > 0.9, axis=-1), o.all(x > 0.1, axis=[1, 2]), o.count_nonzero(x > 0.5, axis=-1), o.amax(x, axis=-1), o.mean(conv),
    ]
    return keras.Model(x, outs), [picture(random, 2, 5, 4, 6)]


@model(keras3)
def ops_shapes(keras, random):
    o = keras.ops
    x = keras.Input((5, 4, 6))
    conv = keras.layers.Conv2D(6, 1)(x)
    a, b, c = o.split(conv, 3, axis=-1)
    d, e = o.split(x, [1], axis=2)
    outs = [
        conv[:, 1:-1, ::2], conv[..., 0], conv[:, 0], conv[:, :, None], x[:, ::-1], x[:, -1, ..., 1:3], o.reshape(conv, [-1, 20, 6]), o.transpose(conv, [0, 3, 1, 2]), o.transpose(x, [0, 2, 1, 3]), o.expand_dims(conv, 1), o.squeeze(conv[:, :1], 1),
        o.concatenate([conv, x], -1), o.concatenate([conv, x], 1), o.stack([conv, x], 1), o.unstack(conv, axis=2)[1], o.tile(x, [1, 2, 1, 1]), o.pad(conv, [[0, 0], [1, 2], [0, 1], [0, 0]]), o.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "reflect"), o.pad(x, [[0, 0], [1, 1], [1, 1], [1, 1]], constant_values=2.0), o.take(conv, [0, 2], axis=-1),
        o.flip(conv, axis=1), o.one_hot(o.argmax(conv, -1), 6), a * b - c, d, e, o.repeat(x, 2, axis=1), o.roll(x, 1, axis=2), o.swapaxes(conv, 1, 3), o.moveaxis(conv, -1, 1), o.ravel(x), o.tril(x), o.triu(x, 1), o.take_along_axis(x, o.argsort(x, axis=-1), axis=-1),
    ]
    return keras.Model(x, outs), [picture(random, 2, 5, 4, 6)]


@model(keras3)
def ops_matrices(keras, random):
    o = keras.ops
    x, y = keras.Input((5, 4)), keras.Input((4, 3))
    maps = keras.Input((8, 8, 4))
    conv = keras.layers.Conv2D(4, 1)(maps)
    outs = [
        o.matmul(x, y), x @ y, o.matmul(x, o.transpose(x, [0, 2, 1])), o.dot(x, np.ones((4, 2), "float32")), o.tensordot(x, np.ones((4, 2), "float32"), 1), o.einsum("bij,bjk->bik", x, y), o.image.resize(conv, (4, 6)), o.image.resize(conv, (16, 16), interpolation="nearest"),
        o.max_pool(conv, 2, 2, "same"), o.average_pool(conv, 3, 2, "valid"), o.image.rgb_to_grayscale(maps[..., :3]), o.batch_normalization(conv, np.zeros(4, "float32"), np.ones(4, "float32"), -1),
    ]
    return keras.Model([x, y, maps], outs), [picture(random, 2, 5, 4), picture(random, 2, 4, 3), picture(random, 2, 8, 8, 4)]


# Texts: the graph takes what the first layer makes of them.


@model()
def text_vectorization(keras, random):
    layers = keras.layers
    vectorize = layers.TextVectorization(max_tokens=30, output_sequence_length=6)
    vectorize.adapt(["the cat sat on the mat", "the dog ate my homework", "a dog and a cat"])
    net = keras.Sequential([keras.Input((1,), dtype="string"), vectorize, layers.Embedding(30, 4, mask_zero=True), layers.GlobalAveragePooling1D(), layers.Dense(2)])
    texts = np.array([["the cat ate"], ["unknown words and a dog"]], dtype=object)
    return net, [tf.constant(texts)], [np.asarray(vectorize(texts)).astype("int64")]


@model(keras3)
def string_lookup(keras, random):
    layers = keras.layers
    lookup = layers.StringLookup(vocabulary=["red", "green", "blue"])
    inputs = keras.Input((2,), dtype="string", name="colours")
    net = keras.Model(inputs, layers.Flatten()(layers.Embedding(4, 3)(lookup(inputs))))
    texts = np.array([["red", "blue"], ["pink", "green"]], dtype=object)
    return net, [tf.constant(texts)], [np.asarray(lookup(texts)).astype("int64")]


@model(keras3)
def text_counts(keras, random):
    layers = keras.layers
    vectorize = layers.TextVectorization(max_tokens=12, output_mode="tf_idf")
    vectorize.adapt(["the cat sat on the mat", "the dog ate my homework", "a dog and a cat"])
    net = keras.Sequential([keras.Input((1,), dtype="string"), vectorize, layers.Dense(2)])
    texts = np.array([["the cat ate"], ["unknown words and a dog"]], dtype=object)
    return net, [tf.constant(texts)], [np.asarray(vectorize(texts))]


@model(keras3)
def text_tutorial(keras, random):
    """The tutorial's export: texts in, a trained model of ids within, an activation after it."""
    layers = keras.layers
    vectorize = layers.TextVectorization(max_tokens=20, output_sequence_length=5)
    vectorize.adapt(["the cat sat on the mat", "the dog ate my homework"])
    inner = keras.Sequential([layers.Embedding(20, 4), layers.Dropout(0.2), layers.GlobalAveragePooling1D(), layers.Dense(1)])
    net = keras.Sequential([vectorize, inner, layers.Activation("sigmoid")])
    texts = np.array(["the cat ate", "unknown words and a dog"], dtype=object)
    net(tf.constant(texts))
    return net, [tf.constant(texts)], [np.asarray(vectorize(texts)).astype("int64")]


# Whole applications, saved as they are.


def application(name, size, **options):
    def make(keras, random):
        net = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), **options)
        return net, [picture(random, 1, size, size, 3) * 255]

    make.__name__ = f"application_{name}"
    return make


for _name, _size, _options in [
    ("MobileNet", 32, {"alpha": 0.25, "classes": 5}),
    ("MobileNetV2", 32, {"alpha": 0.35, "classes": 5}),
    ("MobileNetV3Small", 32, {"classes": 5}),
    ("EfficientNetB0", 32, {"classes": 5}),
    ("EfficientNetV2B0", 32, {"classes": 5}),
    ("ConvNeXtTiny", 32, {"classes": 5}),
    ("DenseNet121", 32, {"classes": 5}),
    ("NASNetMobile", 32, {"classes": 5}),
]:
    model(tolerance=1e-3)(application(_name, _size, **_options))


# Older files, written by hand: what Keras 1, Keras 2.0 and TensorFlow 2.0 to 2.3 wrote. tf_keras is their judge.

OLDER = []


def older(make):
    """Registers a maker: it returns the judging model, its inputs, the config, the version and each layer's weights."""
    OLDER.append((make.__name__, make))
    return make


def keras1_layer(class_name, name, **config):
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}


def node(entry, *sources):
    return {**entry, "name": entry["config"]["name"], "inbound_nodes": [[[each, 0, 0] for each in sources]] if sources else []}


def gates(kernels, order):
    """Kernels, recurrent kernels and biases by gates, in Keras 1's order: W, U, b of each."""
    parts = [np.split(each, len(order), axis=-1) for each in kernels]
    return [part[gate] for gate in order for part in parts]


@older
def keras1_pictures(keras, random):
    layers = keras.layers
    judge = keras.Sequential(
        [
            keras.Input((12, 10, 3)), layers.ZeroPadding2D((1, 1), name="pad"), layers.Conv2D(4, (3, 2), strides=2, padding="same", activation="relu", name="conv"), layers.BatchNormalization(epsilon=1e-5, name="bn"),
            layers.MaxPooling2D((2, 2), name="pool"), layers.Conv2D(5, 3, padding="same", dilation_rate=2, use_bias=False, name="atrous"), layers.Flatten(name="flat"), layers.Dropout(0.5, name="drop"), layers.Dense(3, activation="softmax", name="fc"),
        ]
    )
    config = [
        keras1_layer("ZeroPadding2D", "pad", padding=[1, 1], dim_ordering="tf", batch_input_shape=[None, 12, 10, 3], input_dtype="float32"),
        keras1_layer("Convolution2D", "conv", nb_filter=4, nb_row=3, nb_col=2, subsample=[2, 2], border_mode="same", activation="relu", dim_ordering="tf", init="glorot_uniform", bias=True, W_regularizer=None),
        keras1_layer("BatchNormalization", "bn", mode=0, axis=-1, epsilon=1e-5, momentum=0.99, gamma_regularizer=None, beta_regularizer=None),
        keras1_layer("MaxPooling2D", "pool", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="tf"),
        keras1_layer("AtrousConvolution2D", "atrous", nb_filter=5, nb_row=3, nb_col=3, atrous_rate=[2, 2], border_mode="same", bias=False, subsample=[1, 1], activation="linear", dim_ordering="tf"),
        keras1_layer("Flatten", "flat"),
        keras1_layer("Dropout", "drop", p=0.5),
        keras1_layer("Dense", "fc", output_dim=3, activation="softmax", bias=True, init="uniform", input_dim=None),
    ]
    return judge, [picture(random, 2, 12, 10, 3)], {"class_name": "Sequential", "config": config}, "1.2.2", lambda weights: weights


@older
def keras1_theano(keras, random):
    """Channels first, with kernels [out, in, height, width]."""
    layers = keras.layers
    judge = keras.Sequential(
        [
            keras.Input((3, 9, 8)), layers.Permute((2, 3, 1)), layers.Conv2D(4, (3, 2), padding="same", activation="relu", name="conv"), layers.BatchNormalization(epsilon=1e-6, name="bn"), layers.MaxPooling2D(2),
            layers.Permute((3, 1, 2)), layers.Flatten(), layers.Dense(3, name="fc"),
        ]
    )
    config = [
        keras1_layer("Convolution2D", "conv", batch_input_shape=[None, 3, 9, 8], input_dtype="float32", nb_filter=4, nb_row=3, nb_col=2, subsample=[1, 1], border_mode="same", activation="relu", dim_ordering="th", bias=True),
        keras1_layer("BatchNormalization", "bn", mode=0, axis=1, epsilon=1e-6, momentum=0.99),
        keras1_layer("MaxPooling2D", "pool", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="th"),
        keras1_layer("Flatten", "flat"),
        keras1_layer("Dense", "fc", output_dim=3, activation="linear", bias=True),
    ]
    convert = lambda weights: {**weights, "conv": [weights["conv"][0].transpose(3, 2, 0, 1), weights["conv"][1]]}  # noqa: E731
    return judge, [picture(random, 2, 3, 9, 8)], {"class_name": "Sequential", "config": config}, "1.0.8", convert


@older
def keras1_merges(keras, random):
    layers = keras.layers
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    x, y = layers.Dense(4, name="x")(a), layers.Dense(4, name="y")(b)
    s, c = layers.Add(name="s")([x, y]), layers.Concatenate(name="c")([x, y])
    judge = keras.Model([a, b], [s, layers.Dense(2, name="z")(c), layers.Maximum(name="m")([x, y]), layers.Dot(axes=1, name="d")([x, y])])
    dense = {"activation": "linear", "bias": True, "init": "glorot_uniform"}
    inputs = [{"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "input_dtype": "float32", "sparse": False, "name": each}, "name": each, "inbound_nodes": []} for each in "ab"]
    config = {
        "name": "model_1",
        "layers": [
            *inputs,
            node(keras1_layer("Dense", "x", output_dim=4, **dense), "a"),
            node(keras1_layer("Dense", "y", output_dim=4, **dense), "b"),
            node(keras1_layer("Merge", "s", mode="sum", mode_type="raw", concat_axis=-1, dot_axes=-1), "x", "y"),
            node(keras1_layer("Merge", "c", mode="concat", mode_type="raw", concat_axis=-1, dot_axes=-1), "x", "y"),
            node(keras1_layer("Dense", "z", output_dim=2, **dense), "c"),
            node(keras1_layer("Merge", "m", mode="max", mode_type="raw"), "x", "y"),
            node(keras1_layer("Merge", "d", mode="dot", mode_type="raw", dot_axes=[1, 1]), "x", "y"),
        ],
        "input_layers": [["a", 0, 0], ["b", 0, 0]],
        "output_layers": [["s", 0, 0], ["z", 0, 0], ["m", 0, 0], ["d", 0, 0]],
    }
    return judge, [picture(random, 2, 4), picture(random, 2, 4)], {"class_name": "Model", "config": config}, "1.1.0", lambda weights: weights


@older
def keras1_recurrent(keras, random):
    layers = keras.layers
    judge = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"), layers.Embedding(9, 4, name="words"), layers.LSTM(3, recurrent_activation="hard_sigmoid", return_sequences=True, name="lstm"), layers.GRU(3, reset_after=False, recurrent_activation="hard_sigmoid", return_sequences=True, name="gru"),
            layers.Bidirectional(layers.LSTM(2, recurrent_activation="hard_sigmoid", return_sequences=True), name="both"), layers.TimeDistributed(layers.Dense(3), name="each"), layers.Conv1D(3, 2, name="conv"), layers.SimpleRNN(2, name="rnn"),
        ]
    )
    inner = {"inner_activation": "hard_sigmoid", "activation": "tanh", "init": "glorot_uniform", "inner_init": "orthogonal", "consume_less": "cpu", "dropout_W": 0.0, "dropout_U": 0.0, "go_backwards": False, "stateful": False, "unroll": False}
    config = [
        keras1_layer("Embedding", "words", input_dim=9, output_dim=4, input_length=6, mask_zero=False, batch_input_shape=[None, 6], input_dtype="int32", dropout=0.0),
        keras1_layer("LSTM", "lstm", output_dim=3, return_sequences=True, forget_bias_init="one", **inner),
        keras1_layer("GRU", "gru", output_dim=3, return_sequences=True, **inner),
        keras1_layer("Bidirectional", "both", merge_mode="concat", layer=keras1_layer("LSTM", "forward", output_dim=2, return_sequences=True, **inner)),
        keras1_layer("TimeDistributed", "each", layer=keras1_layer("Dense", "inner", output_dim=3, activation="linear", bias=True)),
        keras1_layer("Convolution1D", "conv", nb_filter=3, filter_length=2, border_mode="valid", subsample_length=1, activation="linear", bias=True),
        keras1_layer("SimpleRNN", "rnn", output_dim=2, return_sequences=False, **{key: value for key, value in inner.items() if key != "inner_activation"}),
    ]

    def convert(weights):
        lstm = [0, 2, 1, 3]
        both = weights["both"]
        return {
            **weights,
            "lstm": gates(weights["lstm"], lstm),
            "gru": gates(weights["gru"], [0, 1, 2]),
            "both": gates(both[:3], lstm) + gates(both[3:], lstm),
            "conv": [weights["conv"][0][:, None], weights["conv"][1]],
        }

    return judge, [random.integers(0, 9, (2, 6)).astype("int32")], {"class_name": "Sequential", "config": config}, "1.2.0", convert


@older
def keras2_0_leaky(keras, random):
    """Constants as Keras 2.0 wrote them, a Sequential model as a list, an activation of keras.applications' own."""
    layers = keras.layers
    judge = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(3, 3, name="conv"), layers.LeakyReLU(0.1, name="leaky"), layers.Activation(tf.nn.relu6, name="six"), layers.GlobalAveragePooling2D(name="pool")])
    config = [
        keras1_layer("Conv2D", "conv", batch_input_shape=[None, 6, 6, 2], dtype="float32", filters=3, kernel_size=[3, 3], strides=[1, 1], padding="valid", data_format="channels_last", dilation_rate=[1, 1], activation="linear", use_bias=True),
        keras1_layer("LeakyReLU", "leaky", alpha={"type": "ndarray", "value": 0.10000000149011612}),
        keras1_layer("Activation", "six", activation="relu6"),
        keras1_layer("GlobalAveragePooling2D", "pool", data_format="channels_last"),
    ]
    return judge, [picture(random, 2, 6, 6, 2) - 0.5], {"class_name": "Sequential", "config": config}, "2.0.8", lambda weights: weights


def op_layer(name, op, sources, constants=None, **attributes):
    node_def = {"name": name, "op": op, "input": [f"{each}/Identity" for each in sources], "attr": {"T": {"type": "DT_FLOAT"}, **attributes}}
    config = {"name": name, "trainable": True, "dtype": "float32", "node_def": node_def, "constants": constants or {}}
    return {"class_name": "TensorFlowOpLayer", "config": config, "name": f"tf_op_layer_{name}", "inbound_nodes": [[[each, 0, 0, {}] for each in sources]]}


@older
def tensorflow2_0_nodes(keras, random):
    layers = keras.layers
    inputs = keras.Input((6, 5, 3), name="in")
    conv = layers.Conv2D(4, 1, name="conv")(inputs / 127.5 - 1.0)
    pooled = tf.reduce_mean(conv, [1, 2], keepdims=True)
    joined = tf.concat([conv, tf.nn.relu(conv)], -1)
    judge = keras.Model(inputs, [tf.reshape(pooled, [-1, 4]) * 2.0, joined[:, 1:, ::2, 0], 1.0 - tf.transpose(conv, [0, 2, 1, 3]), tf.sqrt(tf.square(conv) + 1.0)])
    entry = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 6, 5, 3], "dtype": "float32", "sparse": False, "name": "in"}, "name": "in", "inbound_nodes": []}
    conv2d = {"class_name": "Conv2D", "config": {"name": "conv", "trainable": True, "dtype": "float32", "filters": 4, "kernel_size": [1, 1], "strides": [1, 1], "padding": "valid", "data_format": "channels_last", "dilation_rate": [1, 1], "activation": "linear", "use_bias": True}, "name": "conv", "inbound_nodes": [[["tf_op_layer_sub", 0, 0, {}]]]}
    masks = {"begin_mask": {"i": "5"}, "end_mask": {"i": "7"}, "ellipsis_mask": {"i": "0"}, "new_axis_mask": {"i": "0"}, "shrink_axis_mask": {"i": "8"}}
    config = {
        "name": "model",
        "layers": [
            entry,
            op_layer("truediv", "RealDiv", ["in"], {"1": 127.5}),
            op_layer("sub", "Sub", ["tf_op_layer_truediv"], {"1": 1.0}),
            conv2d,
            op_layer("Mean", "Mean", ["conv"], {"1": [1, 2]}, keep_dims={"b": True}, Tidx={"type": "DT_INT32"}),
            op_layer("Reshape", "Reshape", ["tf_op_layer_Mean"], {"1": [-1, 4]}, Tshape={"type": "DT_INT32"}),
            op_layer("mul", "Mul", ["tf_op_layer_Reshape"], {"1": 2.0}),
            op_layer("Relu", "Relu", ["conv"]),
            op_layer("concat", "ConcatV2", ["conv", "tf_op_layer_Relu"], {"2": -1}, N={"i": "2"}, Tidx={"type": "DT_INT32"}),
            op_layer("strided_slice", "StridedSlice", ["tf_op_layer_concat"], {"1": [0, 1, 0, 0], "2": [0, 0, 0, 1], "3": [1, 1, 2, 1]}, **masks),
            op_layer("transpose", "Transpose", ["conv"], {"1": [0, 2, 1, 3]}),
            op_layer("sub_1", "Sub", ["tf_op_layer_transpose"], {"0": 1.0}),
            op_layer("Square", "Square", ["conv"]),
            op_layer("add", "AddV2", ["tf_op_layer_Square"], {"1": 1.0}),
            op_layer("Sqrt", "Sqrt", ["tf_op_layer_add"]),
        ],
        "input_layers": [["in", 0, 0]],
        "output_layers": [[f"tf_op_layer_{each}", 0, 0] for each in ["mul", "strided_slice", "sub_1", "Sqrt"]],
    }
    return judge, [picture(random, 2, 6, 5, 3) * 255], {"class_name": "Model", "config": config}, "2.2.4-tf", lambda weights: weights


@older
def renamed_layers(keras, random):
    """Weights under names that the model does not have: they are taken in order, nested ones trainable first."""
    layers = keras.layers
    base = keras.Sequential([keras.Input((5,)), layers.Dense(4, name="a"), layers.BatchNormalization(name="b"), layers.Dense(3, name="c"), layers.BatchNormalization(name="d")], name="inner")
    judge = keras.Sequential([keras.Input((5,)), layers.Dense(5, name="first"), base, layers.Dense(2, name="last")])

    def convert(weights):
        return {f"other_{name}": [(f"w_{index}", each) for index, each in enumerate(own)] for name, own in weights.items()}

    return judge, [picture(random, 3, 5)], json.loads(judge.to_json()), "2.4.0", convert


def save_by_hand(path, judge, config, version, convert):
    by_layer = {each.name: [np.asarray(weight) for weight in each.trainable_weights + each.non_trainable_weights] for each in judge.layers if each.weights}
    with h5py.File(os.path.join(path, "model.h5"), "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = version
        root = file.create_group("model_weights")
        weights = convert(by_layer)
        root.attrs["layer_names"] = [name.encode() for name in weights]
        for name, own in weights.items():
            group = root.create_group(name)
            named = [each if isinstance(each, tuple) else (f"{name}_{index}", each) for index, each in enumerate(own)]
            group.attrs["weight_names"] = [key.encode() for key, _ in named]
            for key, value in named:
                group[key] = value
    return "model.h5"


# Saving.


def flat(outputs):
    return tf.nest.flatten(outputs)


def write(folder, name, kind, net, inputs, graph_inputs, keras, tolerance, save):
    path = os.path.join(folder, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    file = save(path)
    outputs = flat(net(inputs if isinstance(inputs, dict) or len(inputs) > 1 else inputs[0], training=False))
    arrays = {f"in:{index}": np.asarray(each) for index, each in enumerate(flat(graph_inputs))}
    arrays |= {f"out:{index}": np.asarray(each) for index, each in enumerate(outputs)}
    np.savez(os.path.join(path, "case.npz"), **arrays)
    count = lambda weights: int(sum(np.prod(each.shape) for each in weights))  # noqa: E731
    case = {
        "name": name,
        "format": kind,
        "file": file,
        "saved_by": f"{keras.__name__} {keras.__version__}",
        "inputs": len(flat(graph_inputs)),
        "outputs": len(outputs),
        "tolerance": tolerance,
        "trainable_parameters": count(net.trainable_weights),
        "non_trainable_parameters": count(net.non_trainable_weights),
    }
    if kind != "keras" and "_text_" in name:
        # What it learnt of words is only in .keras files.
        case = {"name": name, "file": file, "refused": True, "error_mentions": ["vocabulary"]}
    if "shared_between_models" in name:
        # Most formats do not say that the layer is one: read again, it is two.
        del case["trainable_parameters"], case["non_trainable_parameters"]
    with open(os.path.join(path, "case.json"), "w") as out:
        json.dump(case, out, indent=1)


def savers(net, keras):
    def h5(path):
        net.save(os.path.join(path, "model.h5"))
        return "model.h5"

    def archive(path):
        net.save(os.path.join(path, "model.keras"))
        return "model.keras"

    def weights(path):
        with open(os.path.join(path, "model.json"), "w") as out:
            out.write(net.to_json())
        net.save_weights(os.path.join(path, "model.weights.h5"))
        return "model.weights.h5"

    formats = {"h5": h5, "keras": archive}
    return formats | ({"config+weights": weights} if keras is keras3 else {})


def main(folder, words):
    os.makedirs(folder, exist_ok=True)
    for index, (name, keras, make, tolerance) in enumerate(MODELS):
        if words and not any(word in name for word in words):
            continue
        keras.backend.clear_session()
        keras.utils.set_random_seed(index)
        random = np.random.default_rng(index)
        try:
            net, inputs, *rest = make(keras, random)
            randomize(net, random)
        except Exception as error:  # noqa: BLE001 - a model that this Keras cannot build is told and left out
            print(f"keras{version_of(keras)} {name}: not built: {error!r}"[:300])
            continue
        graph_inputs = rest[0] if rest else inputs
        for kind, save in savers(net, keras).items():
            try:
                write(folder, f"keras{version_of(keras)}_{kind}_{name}", kind, net, inputs, graph_inputs, keras, tolerance, save)
            except Exception as error:  # noqa: BLE001 - not every model can be saved in every format
                shutil.rmtree(os.path.join(folder, f"keras{version_of(keras)}_{kind}_{name}"), ignore_errors=True)
                print(f"keras{version_of(keras)} {kind} {name}: not saved: {error!r}"[:300])
    for index, (name, make) in enumerate(OLDER):
        if words and not any(word in name for word in words):
            continue
        random = np.random.default_rng(1000 + index)
        net, inputs, config, version, convert = make(keras2, random)
        randomize(net, random)
        save = lambda path: save_by_hand(path, net, config, version, convert)  # noqa: B023, E731 - called at once
        write(folder, f"older_h5_{name}", "h5", net, inputs, inputs, keras2, 1e-4, save)
    print(f"{len(os.listdir(folder))} cases in {folder}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
