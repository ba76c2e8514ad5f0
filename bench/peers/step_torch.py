"""MobileNetV2's training steps in PyTorch, built to be Keras's network; see protocol.py for the conversation."""

import copy
import os

import protocol

options = protocol.arguments(__doc__.splitlines()[0])
channel = protocol.own_stdout()
protocol.keep_freed_memory()
os.environ |= {"OMP_NUM_THREADS": str(options.threads), "MKL_NUM_THREADS": str(options.threads), "CUDA_VISIBLE_DEVICES": ""}

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

torch.set_num_threads(options.threads)
torch.manual_seed(1)
torch.backends.mkldnn.enabled = True
# As TensorFlow does: numbers too small to matter must not cost more than others.
torch.set_flush_denormal(True)
# Every row and variant compiles its own copy of the same code.
torch._dynamo.config.recompile_limit = 256

LEARNING_RATE = 1e-3
# expansion, channels, repeats, first stride: as in keras.applications.mobilenet_v2 with alpha 1.
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
# Everything from Keras's block_11_expand on: the last six blocks, Conv_1 and the head.
LOWER_BLOCKS = 11


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm with stored statistics, ReLU6 or nothing; "same" padding as TensorFlow's."""

    def __init__(self, before, after, kernel, stride=1, groups=1, activation=True):
        super().__init__()
        self.asymmetric = stride == 2
        self.conv = nn.Conv2d(before, after, kernel, stride, 0 if self.asymmetric else kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(after, eps=1e-3)
        self.activation = nn.ReLU6(inplace=True) if activation else nn.Identity()

    def forward(self, x):
        if self.asymmetric:
            x = F.pad(x, (0, 1, 0, 1))
        return self.activation(self.norm(self.conv(x)))


class Block(nn.Module):
    def __init__(self, before, after, expansion, stride):
        super().__init__()
        wide = before * expansion
        layers = [] if expansion == 1 else [ConvNorm(before, wide, 1)]
        layers += [ConvNorm(wide, wide, 3, stride, groups=wide), ConvNorm(wide, after, 1, activation=False)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and before == after

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(1280, 2)

    def forward(self, x):
        return self.dense(x.mean((2, 3)))


def make():
    blocks, channels = [], 32
    for expansion, width, repeats, stride in STAGES:
        for index in range(repeats):
            blocks.append(Block(channels, width, expansion, stride if index == 0 else 1))
            channels = width
    lower = nn.Sequential(ConvNorm(3, 32, 3, 2), *blocks[:LOWER_BLOCKS])
    upper = nn.Sequential(*blocks[LOWER_BLOCKS:], ConvNorm(320, 1280, 1), Head())
    model = nn.Sequential(lower, upper).to(memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
    return model


images = (torch.rand(options.batch, 3, options.size, options.size) * 2 - 1).to(memory_format=torch.channels_last)
labels = torch.randint(0, 2, (options.batch,))


def settle_statistics(model):
    """Statistics of the images themselves: with fresh ones activations would fade or grow from block to block."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    model.train()
    with torch.no_grad():
        model(images)
    return model.eval()


original = settle_statistics(make())
assert sum(p.numel() for p in original.parameters()) == 2_223_872 + 2_562, "not Keras's MobileNetV2"
with torch.no_grad():
    activations = original[0](images).contiguous(memory_format=torch.channels_last)


def trained(model, row, frozen):
    part = model if row == "all" else model[1]
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    chosen = []
    for module in part.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) or (isinstance(module, nn.BatchNorm2d) and not frozen):
            chosen += list(module.parameters(recurse=False))
    for parameter in chosen:
        parameter.requires_grad_(True)
    return chosen


def build(row, frozen, variant):
    # A copy, since each variant trains its own.
    model = copy.deepcopy(original)
    compiled = variant.startswith("compiled")
    if row == "forward":
        if variant == "eager, norms folded":
            model = fold_norms(model)
        torch._inductor.config.freezing = variant == "compiled, weights frozen"
        run = torch.compile(model) if compiled else model

        def forward():
            with torch.inference_mode():
                run(images)

        return forward

    torch._inductor.config.freezing = False
    parameters = trained(model, row, frozen)
    optimizer = torch.optim.SGD(parameters, lr=LEARNING_RATE)
    lower, upper = model[0], model[1]
    trunk = model if row == "all" else upper
    if compiled:
        trunk, lower = torch.compile(trunk), torch.compile(lower)

    def step():
        if row == "top6":
            # Not inference mode: autograd refuses to save what that made.
            with torch.no_grad():
                x = lower(images)
        else:
            x = activations if row == "top6-cached" else images
        loss = F.cross_entropy(trunk(x), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"loss is {loss.item()}")

    return step


def fold_norms(model):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for module in model.modules():
        if isinstance(module, ConvNorm):
            module.conv, module.norm = fuse_conv_bn_eval(module.conv, module.norm), nn.Identity()
    return model.to(memory_format=torch.channels_last)


def variants(row):
    plain = ["eager", "eager, norms folded"] if row == "forward" else ["eager"]
    if options.no_compile:
        return plain
    return [*plain, "compiled", *(["compiled, weights frozen"] if row == "forward" else [])]


def count(row, frozen):
    return 0 if row == "forward" else sum(p.numel() for p in trained(copy.deepcopy(original), row, frozen))


protocol.Peer(options, "torch", {"torch": torch.__version__.split("+")[0]}, variants, build, count).serve(channel)
