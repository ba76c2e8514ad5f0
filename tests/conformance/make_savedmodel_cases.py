"""Makes TensorFlow models of many kinds with their inputs and outputs, in the layout of shared/conformance/imports.

usage: make_savedmodel_cases.py OUT [NAME…]           makes the cases (TensorFlow 2.21, tf_keras 2.21, Keras 3.15)
       make_savedmodel_cases.py --pack OUT FIXTURES   packs the small ones for src/importers/tensorflow's tests
Each case is OUT/<name>/{case.json,case.npz,…}; outputs are those that TensorFlow computes. Packed, a case is <name>.zip
(the model's files) and <name>.npz. Not run by npm test.
"""
import json, os, pathlib, shutil, sys, zipfile

SMALL = [
    "frozen_graph", "keras2_gru_open_time", "keras2_mixed_layer_norm", "keras3_dict_outputs", "keras3_frozen", "module_cond_while", "module_half_variables",
    "module_nested_arguments", "module_nested_functions", "module_several_signatures", "module_training_argument",
    "module_training_tensor", "refuse_table", "tf1_cond_and_loop", "tf1_learning_phase", "tf1_partitioned",
    "tf1_renamed_saver",
]


def pack(source, target):
    target.mkdir(parents=True, exist_ok=True)
    for name in SMALL:
        model = source / name / json.loads((source / name / "case.json").read_text())["file"]
        files = [model] if model.is_file() else sorted(p for p in model.rglob("*") if p.is_file())
        with zipfile.ZipFile(target / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for file in files:
                member = zipfile.ZipInfo(str(file.relative_to(model)) if file != model else file.name)
                archive.writestr(member, file.read_bytes(), zipfile.ZIP_DEFLATED)
        shutil.copy(source / name / "case.npz", target / f"{name}.npz")


if sys.argv[1] == "--pack":
    pack(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
    sys.exit()

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
out = pathlib.Path(sys.argv[1])
only = set(sys.argv[2:])
rng = np.random.default_rng(7)
cases = {}


def case(function):
    cases[function.__name__] = function
    return function


def rand(*shape):
    return rng.normal(size=shape).astype("float32")


def write(name, inputs, outputs, **about):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"in:{i}": np.asarray(x) for i, x in enumerate(inputs)}
    arrays |= {f"out:{i}": np.asarray(y) for i, y in enumerate(outputs)}
    np.savez(folder / "case.npz", **arrays)
    about = {"name": name, "format": "savedmodel", "file": "saved_model_dir", "tolerance": 1e-4} | about
    (folder / "case.json").write_text(json.dumps(about, indent=1))


def folder(name):
    path = out / name / "saved_model_dir"
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def flat(value):
    return [y.numpy() for y in tf.nest.flatten(value)]


@case
def module_nested_functions():
    class M(tf.Module):
        def __init__(self):
            self.w = tf.Variable(rand(5, 4), name="w")
            self.b = [tf.Variable(rand(4), name="b"), tf.Variable(rand(4), name="b", trainable=False)]

        @tf.function
        def inner(self, x, k):
            return tf.tanh(x @ self.w) * k + self.b[0]

        @tf.function
        def middle(self, x):
            values, indices = tf.math.top_k(self.inner(x, 2.0) + self.inner(x, 0.5), k=3)
            return values, indices

        @tf.function(input_signature=[tf.TensorSpec([None, 5], tf.float32, name="x")])
        def __call__(self, x):
            a, i = self.middle(x)
            b, _ = self.middle(-x)
            parts = tf.split(self.inner(x, 1.0), 2, axis=1)
            return {"zeta": a + b, "alpha": tf.concat(parts[::-1], 1) + self.b[1], "index": i}

    m = M()
    tf.saved_model.save(m, folder("module_nested_functions"))
    x = rand(3, 5)
    write("module_nested_functions", [x], flat(m(x)), trainable_parameters=24, non_trainable_parameters=4)


@case
def module_cond_while():
    class M(tf.Module):
        def __init__(self):
            self.w = tf.Variable(rand(4, 4) * 0.3, name="w")
            self.v = tf.Variable(rand(4), name="v")

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
        def __call__(self, x):
            y = tf.cond(tf.reduce_sum(x) > 0.0, lambda: x @ self.w + self.v, lambda: x - self.v)
            i = tf.constant(0)
            def body(i, y):
                return i + 1, tf.tanh(y @ self.w) + tf.gather(self.v, i)
            _, y = tf.while_loop(lambda i, y: i < 3, body, [i, y])
            return y

    m = M()
    tf.saved_model.save(m, folder("module_cond_while"))
    x = np.abs(rand(3, 4))
    write("module_cond_while", [x], flat(m(x)))


@case
def module_training_argument():
    class M(tf.Module):
        def __init__(self):
            self.w = tf.Variable(rand(4, 3), name="scope/kernel")

        @tf.function
        def __call__(self, x, training=False, scale=2.0):
            y = x @ self.w
            return tf.nn.dropout(y, 0.5) if training else y * scale

    m = M()
    spec = tf.TensorSpec([None, 4], tf.float32)
    m.__call__.get_concrete_function(spec, training=True)
    m.__call__.get_concrete_function(spec, training=False)
    tf.saved_model.save(m, folder("module_training_argument"))
    x = rand(2, 4)
    write("module_training_argument", [x], flat(m(x, training=False)))


@case
def module_training_tensor():
    class M(tf.Module):
        def __init__(self):
            self.w = tf.Variable(rand(4, 3))

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32), tf.TensorSpec([], tf.bool)])
        def __call__(self, x, training):
            return tf.cond(training, lambda: tf.nn.dropout(x @ self.w, 0.5), lambda: x @ self.w)

    m = M()
    tf.saved_model.save(m, folder("module_training_tensor"))
    x = rand(2, 4)
    write("module_training_tensor", [x], flat(m(x, False)))


@case
def module_several_signatures():
    class M(tf.Module):
        def __init__(self):
            self.w = tf.Variable(rand(4, 3))

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="b"), tf.TensorSpec([None, 4], tf.float32, name="a")])
        def serve(self, b, a):
            return {"y": (b - 2 * a) @ self.w, "x": b}

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
        def other(self, x):
            return x

    m = M()
    tf.saved_model.save(m, folder("module_several_signatures"), signatures={"other": m.other, "serving_default": m.serve})
    a, b = rand(2, 4), rand(2, 4)
    r = tf.saved_model.load(folder("module_several_signatures")).signatures["serving_default"](a=tf.constant(a), b=tf.constant(b))
    write("module_several_signatures", [a, b], flat(r))


@case
def module_half_variables():
    class M(tf.Module):
        def __init__(self):
            self.h = tf.Variable(rand(4, 3).astype("float16"))
            self.b = tf.Variable(tf.cast(rand(4, 3), tf.bfloat16))
            self.d = tf.Variable(rand(3).astype("float64"))
            self.i = tf.Variable(np.array([2, 0, 1], "int64"), trainable=False)

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
        def __call__(self, x):
            y = x @ tf.cast(self.h, tf.float32) + x @ tf.cast(self.b, tf.float32)
            return tf.gather(y, self.i, axis=1) + tf.cast(self.d, tf.float32)

    m = M()
    tf.saved_model.save(m, folder("module_half_variables"))
    x = rand(2, 4)
    write("module_half_variables", [x], flat(m(x)))


@case
def module_captured_constants():
    table = tf.constant(rand(6, 3))
    big = tf.constant(rand(3, 200))

    class M(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
        def __call__(self, i):
            return tf.gather(table, i) @ big

    m = M()
    tf.saved_model.save(m, folder("module_captured_constants"))
    i = np.array([1, 5, 0], "int32")
    write("module_captured_constants", [i], flat(m(i)))


@case
def module_nested_arguments():
    class M(tf.Module):
        def __init__(self):
            self.w = tf.Variable(rand(4, 3))

        @tf.function(input_signature=[{"image": tf.TensorSpec([None, 4], tf.float32), "extra": [tf.TensorSpec([None, 3], tf.float32)]}])
        def __call__(self, inputs):
            y = inputs["image"] @ self.w + inputs["extra"][0]
            return [y, (tf.reduce_max(y, 1), {"k": -y})]

    m = M()
    tf.saved_model.save(m, folder("module_nested_arguments"))
    image, extra = rand(2, 4), rand(2, 3)
    write("module_nested_arguments", [extra, image], flat(m({"image": image, "extra": [extra]})))


@case
def module_one_value_fills():
    class M(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 40], tf.float32)])
        def __call__(self, x):
            return x * tf.ones([40]) * 3 + tf.constant(np.arange(40), tf.float32) + tf.cast(tf.fill([40], 7), tf.float32)

    m = M()
    tf.saved_model.save(m, folder("module_one_value_fills"))
    x = rand(2, 40)
    write("module_one_value_fills", [x], flat(m(x)))


def keras_case(name, keras, build, export=False, shapes=None):
    model = build(keras)
    inputs = [rand(2, *[s or 7 for s in i.shape[1:]]) for i in model.inputs]
    for weight in model.weights:
        if "moving_variance" in weight.name or "variance" in weight.name:
            weight.assign(np.abs(rand(*weight.shape)) + 0.5)
        elif "seed" not in weight.name and "float" in str(weight.dtype):
            weight.assign(rand(*weight.shape) * 0.4)
    result = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    if export:
        model.export(folder(name), verbose=False)
    else:
        model.save(folder(name), save_format="tf")
    count = lambda ws: int(sum(np.prod(w.shape) for w in ws))
    frozen = [w for w in model.non_trainable_weights if "seed" not in w.name]
    write(name, inputs, tf.nest.flatten(result), format="export" if export else "savedmodel",
          trainable_parameters=count(model.trainable_weights), non_trainable_parameters=count(frozen))


def small_cnn(keras):
    L = keras.layers
    a = keras.Input((20, 18, 3), name="picture")
    b = keras.Input((5,), name="facts")
    x = L.Rescaling(1 / 127.5, offset=-1)(a)
    x = L.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = L.BatchNormalization(name="stem_bn")(x)
    x = L.ReLU(6.0)(x)
    y = L.SeparableConv2D(6, 3, padding="same", activation="swish")(x)
    x = L.Add()([x, y])
    x = L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="gelu")(x)
    x = L.LayerNormalization()(x)
    x = L.Dropout(0.4)(L.GlobalAveragePooling2D()(x))
    x = L.Concatenate()([x, L.Dense(3, activation="softplus")(b)])
    return keras.Model([a, b], [L.Dense(4, activation="softmax", name="probs")(x), L.Dense(1, name="score")(x)])


def frozen_base(keras):
    L = keras.layers
    base = keras.Sequential([L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), L.ReLU(), L.MaxPooling2D()], name="base")
    base.build((None, 16, 16, 3)) if keras.__name__ != "keras" else None
    inputs = keras.Input((16, 16, 3))
    x = L.RandomFlip("horizontal")(inputs)
    x = L.RandomZoom(0.2)(x)
    x = L.RandomContrast(0.2)(x)
    x = base(x, training=False)
    base.trainable = False
    x = L.Flatten()(x)
    return keras.Model(inputs, L.Dense(2, activation="softmax")(L.Dropout(0.2)(x)))


def recurrent(keras):
    L = keras.layers
    inputs = keras.Input((9, 4))
    x = L.LSTM(5, return_sequences=True)(inputs)
    x = L.Bidirectional(L.GRU(3, return_sequences=True))(x)
    x = L.TimeDistributed(L.Dense(4, activation="elu"))(x)
    x = L.SimpleRNN(4)(x)
    return keras.Model(inputs, L.Dense(2)(x))


def attention(keras):
    L = keras.layers
    inputs = keras.Input((None, 8))
    x = L.MultiHeadAttention(2, 4)(inputs, inputs)
    x = L.LayerNormalization()(L.Add()([x, inputs]))
    x = L.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu")(x)
    return keras.Model(inputs, L.GlobalMaxPooling1D()(x))


for kind, build in {"cnn": small_cnn, "frozen": frozen_base, "recurrent": recurrent, "attention": attention}.items():
    def both(kind=kind, build=build):
        import tf_keras
        tf_keras.utils.set_random_seed(1)
        keras_case(f"tf_keras_{kind}", tf_keras, build)
    def third(kind=kind, build=build):
        import keras
        keras.utils.set_random_seed(1)
        keras_case(f"keras3_{kind}", keras, build, export=True)
    cases[f"tf_keras_{kind}"] = both
    cases[f"keras3_{kind}"] = third


@case
def keras2_gru_open_time():
    import tf_keras as keras
    L = keras.layers

    def build(_):
        return keras.Sequential([keras.Input((None, 4)), L.Bidirectional(L.GRU(3)), L.Dense(2)])

    keras_case("keras2_gru_open_time", keras, build)


@case
def keras2_mixed_layer_norm():
    import tf_keras as keras
    L = keras.layers

    def build(_):
        inputs = keras.Input((6, 5, 3), dtype="float32")
        x = L.LayerNormalization(dtype="mixed_float16")(inputs)
        return keras.Model(inputs, L.Flatten(dtype="float32")(x))

    keras_case("keras2_mixed_layer_norm", keras, build)


@case
def keras3_dict_outputs():
    import keras
    L = keras.layers
    i = {"b": keras.Input((4,), name="b"), "a": keras.Input((3,), name="a")}
    x = L.Concatenate()([i["a"], i["b"]])
    m = keras.Model(i, {"z": L.Dense(2)(x), "y": L.Dense(3)(x)})
    m.export(folder("keras3_dict_outputs"), verbose=False)
    a, b = rand(2, 3), rand(2, 4)
    r = m({"a": a, "b": b})
    write("keras3_dict_outputs", [a, b], [r["y"], r["z"]], format="export")


def tf1(name, build, **options):
    graph = v1.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        inputs, outputs, feeds = build()
        session.run(v1.global_variables_initializer())
        results = session.run(outputs, feeds)
        builder = v1.saved_model.Builder(folder(name))
        sig = v1.saved_model.predict_signature_def(inputs, outputs)
        key = options.get("key", "serving_default")
        builder.add_meta_graph_and_variables(session, options.get("tags", ["serve"]), {key: sig}, saver=options.get("saver", lambda: None)())
        builder.save()
    write(name, [feeds[inputs[k]] for k in sorted(inputs)], [results[k] for k in sorted(outputs)])


@case
def tf1_partitioned():
    def build():
        x = v1.placeholder(tf.float32, [None, 6], name="x")
        with v1.variable_scope("p", partitioner=v1.fixed_size_partitioner(3), use_resource=False):
            w = v1.get_variable("w", [6, 5], initializer=v1.random_normal_initializer(seed=1))
        with v1.variable_scope("q", use_resource=True):
            r = v1.get_variable("r", [5, 4], initializer=v1.random_normal_initializer(seed=2))
        y = tf.matmul(tf.matmul(x, tf.convert_to_tensor(w)), r)
        return {"x": x}, {"y": y}, {x: rand(2, 6)}
    tf1("tf1_partitioned", build, tags=[], key="default")


@case
def tf1_learning_phase():
    def build():
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        training = v1.placeholder_with_default(False, [], name="keras_learning_phase")
        w = v1.get_variable("w", [3, 3, 3, 4], initializer=v1.random_normal_initializer(seed=1), use_resource=False)
        y = tf.nn.conv2d(x, w, 2, "SAME")
        y = v1.cond(training, lambda: tf.nn.dropout(y, 0.5), lambda: tf.identity(y) * 2.0)
        z = v1.cond(tf.logical_not(training), lambda: y + 1.0, lambda: y - 1.0)
        return {"x": x}, {"y": tf.reduce_mean(z, [1, 2])}, {x: rand(2, 8, 8, 3)}
    v1.disable_control_flow_v2()
    tf1("tf1_learning_phase", build)


@case
def tf1_cond_and_loop():
    def build():
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        w = v1.get_variable("w", [4, 4], initializer=v1.random_normal_initializer(seed=1), use_resource=True)
        y = v1.cond(tf.reduce_sum(x) > 0, lambda: tf.matmul(x, w), lambda: x - 1.0)
        _, y = v1.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, tf.tanh(tf.matmul(y, w)) + x), [0, y])
        return {"x": x}, {"y": y}, {x: rand(3, 4)}
    v1.disable_control_flow_v2()
    tf1("tf1_cond_and_loop", build)


@case
def tf1_renamed_saver():
    made = []
    def build():
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        w = v1.get_variable("w", [4, 3], initializer=v1.random_normal_initializer(seed=1), use_resource=False)
        made.append(w)
        return {"x": x}, {"y": tf.matmul(x, w)}, {x: rand(3, 4)}
    tf1("tf1_renamed_saver", build, saver=lambda: v1.train.Saver({"ema/w": made[0]}))


@case
def frozen_graph():
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, name="image")])
    def f(image):
        return tf.nn.softmax(tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(image, w, 1, "SAME")), [1, 2]), name="probabilities")
    w = tf.Variable(rand(3, 3, 3, 4))
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    graph = convert_variables_to_constants_v2(f.get_concrete_function()).graph.as_graph_def()
    (out / "frozen_graph").mkdir(parents=True, exist_ok=True)
    (out / "frozen_graph" / "frozen_graph.pb").write_bytes(graph.SerializeToString())
    x = rand(2, 8, 8, 3)
    write("frozen_graph", [x], [f(x)], format="frozen", file="frozen_graph.pb")


@case
def refuse_table():
    class M(tf.Module):
        def __init__(self):
            self.t = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tf.constant(["a", "b"]), tf.constant([1.0, 2.0])), 0.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, x):
            return self.t.lookup(x)

    tf.saved_model.save(M(), folder("refuse_table"))
    write("refuse_table", [], [], refused=True)


for name, make in cases.items():
    if only and name not in only:
        continue
    shutil.rmtree(out / name, ignore_errors=True)
    try:
        make()
        print("made", name)
    except Exception as error:
        print("FAILED", name, type(error).__name__, str(error)[:300])
