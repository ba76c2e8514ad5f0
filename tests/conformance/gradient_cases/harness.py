"""How one gradient case is made: a model, an input, PyTorch's own answer, and a check that the model says the same.

A case is made from a torch module (exported to ONNX) or from hand-written ONNX beside a torch function that
means the same. Every model is run in ONNX Runtime first: a case whose two forward results differ is refused,
so that a wrong translation never becomes an expected gradient.
"""

import copy
import io
import json
import logging
import os
import re
import warnings
import zlib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
torch.set_num_threads(1)

FLOATS = (np.float16, np.float32, np.float64)


class Case:
    """A named recipe. `make(folder)` writes model.onnx, case.npz, case.json and returns the list of operators."""

    def __init__(self, name, group, make):
        self.name, self.group, self.make = name, group, make


class Collection(list):
    """The recipes in the order they were written down; a name is used once."""

    def __init__(self, group):
        super().__init__()
        self.group = group

    def export(self, name, module, *inputs, **options):
        """A torch module (or a function that makes one) and its inputs, through an exporter."""
        self.append(Case(name, self.group, lambda folder: make_export(name, folder, module, inputs, **options)))

    def both(self, name, module, *inputs, **options):
        """The same module through the TorchScript exporter and through the dynamo exporter."""
        self.export(name, module, *inputs, **options)
        self.export(f"dynamo_{name}", module, *inputs, dynamo=True, **options)

    def craft(self, name, build, judge, **options):
        """Hand-written ONNX: `build()` gives nodes and values, `judge(**values)` the same function in torch."""
        self.append(Case(name, self.group, lambda folder: make_crafted(name, folder, build, judge, **options)))

    def linear(self, name, build, **options):
        """Hand-written ONNX that is linear in its only float input; ONNX Runtime gives its Jacobian column by column."""
        self.append(Case(name, self.group, lambda folder: make_linear(name, folder, build, **options)))


class Fn(torch.nn.Module):
    """A function with named parameters, so that an operator case has initializers to differentiate too."""

    def __init__(self, function, **parameters):
        super().__init__()
        self.function = function
        self.names = list(parameters)
        for key, value in parameters.items():
            self.register_parameter(key, torch.nn.Parameter(value))

    def forward(self, *inputs):
        return self.function(*inputs, **{name: getattr(self, name) for name in self.names})


def seed_of(name):
    return zlib.crc32(name.encode())


def normal(*shape, scale=1.0, shift=0.0):
    """A recipe for an input; drawn when the case is made, from the case's own seed."""
    return lambda: torch.randn(*shape) * scale + shift


def uniform(*shape, low, high):
    return lambda: torch.rand(*shape) * (high - low) + low


def integers(*shape, below, low=0):
    return lambda: torch.randint(low, below, shape)


def distinct(*shape, step=0.1):
    """All values different by at least `step`, shuffled: no ties for maxima and sorts."""
    count = int(np.prod(shape))
    return lambda: ((torch.randperm(count).float() - count / 2) * step).reshape(shape)


def randomise_statistics(module):
    """Fresh batch norms are the identity and would judge nothing; neither would zero layer scales and biases."""
    for child in module.modules():
        if getattr(child, "running_mean", None) is not None:
            child.running_mean.normal_(0, 0.3)
            child.running_var.uniform_(0.5, 1.5)
        if isinstance(child, (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm)):
            if child.weight is not None:
                torch.nn.init.uniform_(child.weight, 0.6, 1.4)
                if child.bias is not None:
                    torch.nn.init.normal_(child.bias, 0, 0.2)
    for parameter in module.parameters():
        flat = parameter.detach().flatten()
        if flat.numel() and bool((flat == flat[0]).all()) and flat[0].abs() < 1e-3:
            torch.nn.init.normal_(parameter, 0, 0.2)


def quietly(work):
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return work()


def run_onnx(model, feeds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    # Plain operator by operator: fused kernels may approximate.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    wanted = {value.name for value in session.get_inputs()}
    return session.run(["y"], {key: value for key, value in feeds.items() if key in wanted})[0]


def operators_of(model):
    found = set()

    def visit(nodes):
        for node in nodes:
            found.add(node.op_type)
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    visit(attribute.g.node)

    visit(model.graph.node)
    for function in model.functions:
        visit(function.node)
    return sorted(found)


def compare(name, got, expected, tolerance):
    if got.shape != expected.shape:
        raise ValueError(f"the model gives shape {got.shape}, the judge {expected.shape}")
    scale = max(float(np.abs(expected).max(initial=0)), 1e-6)
    worst = float(np.abs(got.astype(np.float64) - expected).max(initial=0)) / scale
    if not worst <= tolerance:
        raise ValueError(f"the model and the judge differ by {worst:.2e} of the largest element")


def check_direction(model, feeds, initializers, gradients, dy, seed, tolerance=0.05):
    """A coarse numeric look in one random direction, only to catch a gradient put under the wrong name."""
    random = np.random.default_rng(seed)
    slope, direction = 0.0, {}
    for key, gradient in gradients.items():
        direction[key] = random.standard_normal(gradient.shape)
        slope += float((direction[key] * gradient).sum())

    def at(distance):
        moved = copy.deepcopy(model)
        shifted = dict(feeds)
        for key, way in direction.items():
            if key in feeds:
                shifted[key] = (feeds[key] + distance * way).astype(feeds[key].dtype)
            else:
                target = next(item for item in moved.graph.initializer if item.name == key)
                value = initializers[key] + distance * way
                target.CopyFrom(numpy_helper.from_array(value.astype(initializers[key].dtype), key))
        return float((run_onnx(moved, shifted).astype(np.float64) * dy).sum())

    # A kink may lie within one step of the point; it seldom does within both.
    for step in (1e-3, 1e-4):
        numeric = (at(step) - at(-step)) / (2 * step)
        if abs(numeric - slope) <= tolerance * max(abs(slope), abs(numeric), 1.0):
            return ""
    return f"numeric slope {numeric:.4g}, judge {slope:.4g}"


def write_case(name, folder, model, inputs, y, dy, gradients, not_checked, judge, tolerance=1e-4):
    model = copy.deepcopy(model)
    feeds = dict(inputs)
    compare(name, run_onnx(model, feeds), y, tolerance)
    initializers = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    note = check_direction(model, feeds, initializers, gradients, dy, seed_of(name))
    members = {"y": y.astype(np.float32) if y.dtype == np.float64 else y, "dy": dy.astype(np.float32)}
    members |= {f"in:{key}": value for key, value in inputs.items()}
    members |= {f"grad:{key}": value.astype(np.float32) for key, value in gradients.items()}
    if not all(np.isfinite(value).all() for value in members.values() if value.dtype.kind == "f"):
        raise ValueError("the judge gives values that are not finite")
    path = Path(folder) / name
    path.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path / "model.onnx")
    np.savez(path / "case.npz", **members)
    operators = operators_of(model)
    description = {
        "name": name,
        "inputs": list(inputs),
        "output": "y",
        "gradients": list(gradients),
        "not_checked": not_checked,
        "operators": operators,
        "judge": judge,
    }
    (path / "case.json").write_text(json.dumps(description, indent=1) + "\n")
    return operators, note


def differentiate(function, tensors, dy=None):
    """`function(**tensors)` in float64, and the gradients of its product with `dy`."""
    leaves = {
        key: (value.double() if value.is_floating_point() else value).clone() for key, value in tensors.items()
    }
    for value in leaves.values():
        if value.is_floating_point():
            value.requires_grad_(True)
    y = function(**leaves)
    if dy is None:
        dy = torch.randn(y.shape)
    (y * dy.double()).sum().backward()
    gradients = {
        key: (value.grad if value.grad is not None else torch.zeros_like(value)).numpy()
        for key, value in leaves.items()
        if value.is_floating_point()
    }
    return y.detach().numpy(), dy.numpy(), gradients


JUDGE = f"torch {torch.__version__}"


def make_export(
    name,
    folder,
    module,
    inputs,
    dynamo=False,
    opset=18,
    optimize=False,
    fold=False,
    training=False,
    dynamic=None,
    differentiate_inputs=True,
    precise=True,
    tolerance=1e-4,
):
    """`precise`: the judge works in float64, so that an expected gradient carries no rounding of its own."""
    # A gradient that is zero but for rounding, or that float32 cannot give within the tolerance, judges nobody.
    limit = (1e-3 if name.startswith("net_") else 1e-4) / 3
    names = [f"x{index}" for index in range(len(inputs))]
    best = None
    for attempt in range(6 if precise else 1):
        # The two exporters of one module get one seed: the same weights and inputs, so that only the graph differs.
        torch.manual_seed(seed_of(re.sub("^dynamo_|script_", "", name)) + attempt)
        answer = ask_torch(module, inputs, names, training, differentiate_inputs, precise)
        vague = {key for key, apart in answer["strays"].items() if apart > limit}
        largest = max(np.abs(value).max(initial=0) for value in answer["gradients"].values())
        # Zeros stay zeros whatever is drawn; what strays for another reason stands on an edge, and the next draw may not.
        on_edge = [key for key in vague if np.abs(answer["gradients"][key]).max() > 1e-6 * largest]
        if best is None or len(vague) < len(best[1]):
            best = (answer, vague)
        if not on_edge:
            break
    answer, vague = best
    module, values, y, dy = answer["module"], answer["values"], answer["y"], answer["dy"]

    buffer = io.BytesIO()
    exported = copy.deepcopy(module)
    if dynamo:
        shapes = None
        if dynamic:
            axes = [{int(axis): torch.export.Dim.AUTO for axis in (dynamic.get(key) or {})} for key in names]
            shapes = (tuple(axes),) if isinstance(module, Fn) else tuple(axes)
        program = quietly(
            lambda: torch.onnx.export(
                exported,
                tuple(values),
                dynamo=True,
                opset_version=opset,
                input_names=names,
                output_names=["y"],
                optimize=optimize,
                dynamic_shapes=shapes,
                verbose=False,
            )
        )
        model = program.model_proto
    else:
        quietly(
            lambda: torch.onnx.export(
                exported,
                tuple(values),
                buffer,
                dynamo=False,
                opset_version=opset,
                input_names=names,
                output_names=["y"],
                do_constant_folding=fold,
                dynamic_axes=dynamic,
                training=torch.onnx.TrainingMode.TRAINING if training else torch.onnx.TrainingMode.PRESERVE,
            )
        )
        model = onnx.load_from_string(buffer.getvalue())

    present = {item.name for item in model.graph.initializer} | {value.name for value in model.graph.input}
    gradients = {key: value for key, value in answer["gradients"].items() if key in present and key not in vague}
    not_checked = [key for key in answer["gradients"] if key not in gradients]
    feeds = {key: value.detach().numpy() for key, value in zip(names, values) if key in present}
    operators, note = write_case(name, folder, model, feeds, y, dy, gradients, not_checked, JUDGE, tolerance)
    if vague:
        worst = max(vague, key=answer["strays"].get)
        note += f" left out, as float32 strays: {len(vague)} of {len(answer['gradients'])}, most {worst} by {answer['strays'][worst]:.0e}"
    return operators, note.strip()


def ask_torch(module, inputs, names, training, differentiate_inputs, precise):
    """Weights and inputs drawn anew, the answer to them, and by how much the same in float32 strays from it."""
    module = module() if not isinstance(module, torch.nn.Module) else copy.deepcopy(module)
    module.train(training)
    with torch.no_grad():
        randomise_statistics(module)
    values = [make() if callable(make) else make for make in inputs]

    def run(dtype, dy):
        judge = copy.deepcopy(module).to(dtype)
        points = [value.clone().to(dtype) if value.is_floating_point() else value for value in values]
        for value in points:
            if value.is_floating_point() and differentiate_inputs:
                value.requires_grad_(True)
        y = judge(*points)
        if dy is None:
            dy = torch.randn(y.shape)
        (y * dy.to(y.dtype)).sum().backward()
        leaves = [*zip(names, points), *judge.named_parameters()]
        gradients = {
            key: (value.grad if value.grad is not None else torch.zeros_like(value)).numpy()
            for key, value in leaves
            if value.requires_grad
        }
        return y.detach().numpy(), dy, gradients

    y, dy, gradients = run(torch.float64 if precise else torch.float32, None)
    strays = {}
    if precise:
        single = run(torch.float32, dy)[2]
        for key, exact in gradients.items():
            scale = np.abs(exact).max(initial=0)
            strays[key] = float(np.abs(single[key] - exact).max() / scale) if scale else 0.0
    return {"module": module, "values": values, "y": y, "dy": dy.numpy(), "gradients": gradients, "strays": strays}


def node(operator, inputs, outputs=("y",), domain="", **attributes):
    return helper.make_node(operator, list(inputs), list(outputs), domain=domain, **attributes)


def onnx_type(array):
    return helper.np_dtype_to_tensor_dtype(np.asarray(array).dtype)


def build_model(nodes, inputs, initializers, y, opset, check=True):
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info(key, onnx_type(value), value.shape) for key, value in inputs.items()],
        [helper.make_tensor_value_info("y", onnx_type(y), y.shape)],
        [numpy_helper.from_array(np.array(value, order="C"), key) for key, value in initializers.items()],
    )
    version = 10 if opset <= 22 else 11
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=version)
    if check:
        onnx.checker.check_model(model)
    return model


def make_crafted(name, folder, build, judge, opset=18, tolerance=1e-4, zero=(), check=True):
    """`build()` gives (nodes, inputs, initializers) with values as NumPy arrays or torch tensors."""
    torch.manual_seed(seed_of(name))
    nodes, inputs, initializers = build()
    inputs = {key: np.asarray(value) for key, value in inputs.items()}
    initializers = {key: np.asarray(value) for key, value in initializers.items()}
    tensors = {key: torch.from_numpy(value.copy()) for key, value in {**inputs, **initializers}.items()}
    dtype = next(value.dtype for value in inputs.values())
    y, dy, gradients = differentiate(judge, tensors)
    y = y.astype(np.float32)
    model = build_model(nodes, inputs, initializers, y, opset, check)
    largest = max((np.abs(value).max(initial=0) for value in gradients.values()), default=0)
    # A gradient that is zero but for rounding judges nobody.
    faint = [key for key, value in gradients.items() if 0 < np.abs(value).max(initial=0) < 1e-6 * largest]
    not_checked = [key for key in gradients if key in zero or key in faint]
    gradients = {key: value for key, value in gradients.items() if key not in not_checked}
    return write_case(name, folder, model, inputs, y, dy, gradients, not_checked, JUDGE, tolerance)


def make_linear(name, folder, build, opset=18):
    """The judge is the operator itself: gradient = Jᵀ·dy, with J's columns the images of the basis inputs."""
    torch.manual_seed(seed_of(name))
    nodes, x, initializers = build()
    x = np.asarray(x)
    initializers = {key: np.asarray(value) for key, value in initializers.items()}
    # The output's shape is not known yet.
    draft = helper.make_model(
        helper.make_graph(
            nodes,
            "main_graph",
            [helper.make_tensor_value_info("x0", TensorProto.FLOAT, x.shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, key) for key, value in initializers.items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=10,
    )
    y = run_onnx(draft, {"x0": x})
    zero = run_onnx(draft, {"x0": np.zeros_like(x)})
    dy = torch.randn(y.shape).numpy()
    gradient = np.zeros(x.size)
    for index in range(x.size):
        basis = np.zeros(x.size, np.float32)
        basis[index] = 1
        image = run_onnx(draft, {"x0": basis.reshape(x.shape)}).astype(np.float64) - zero
        gradient[index] = (image * dy).sum()
    model = build_model(nodes, {"x0": x}, initializers, y, opset)
    judge = f"onnxruntime {onnxruntime.__version__} on basis inputs"
    return write_case(name, folder, model, {"x0": x}, y, dy, {"x0": gradient.reshape(x.shape)}, [], judge)
