"""Whole networks at reduced size, most through the dynamo exporter as training exports come."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from .harness import Collection, integers, normal

cases = Collection("networks")


def timm_model(model, **options):
    def make():
        import timm

        return timm.create_model(model, num_classes=4, **options)

    return make


def net(name, make, *inputs, script=False, size=64, batch=2, **options):
    """`script`: also through the TorchScript exporter."""
    inputs = inputs or (normal(batch, 3, size, size),)
    cases.export(f"net_{name}", make, *inputs, dynamo=True, tolerance=1e-3, **options)
    if script:
        cases.export(f"net_script_{name}", make, *inputs, tolerance=1e-3, **options)


for model in ("byobnet", "convnext", "convnext2", "convnext3", "efficientnet", "efficientnet_evos", "efficientnet_gn", "efficientnet_ln", "mambaout", "nfnet"):
    net(f"test_{model}", timm_model(f"test_{model}"), script=model in ("byobnet", "convnext", "efficientnet", "nfnet"))
for model in ("vit", "coatnet", "maxvit"):
    net(f"test_{model}", timm_model(f"test_{model}", img_size=64), script=model == "vit")

net("convnext_atto", timm_model("convnext_atto", depths=(1, 1, 2, 1), dims=(16, 32, 48, 64)), script=True)
net("convnext_atto_ols", timm_model("convnext_atto_ols", depths=(1, 1, 1, 1), dims=(16, 32, 48, 64)))
net("convnext_atto_rms", timm_model("convnext_atto_rms", depths=(1, 1, 1, 1), dims=(16, 32, 48, 64)))
net("convnextv2_atto", timm_model("convnextv2_atto", depths=(1, 1, 2, 1), dims=(16, 32, 48, 64)), script=True)
net("convnext_full_atto", timm_model("convnext_atto"))
small_vit = dict(img_size=48, patch_size=8, embed_dim=48, depth=3, num_heads=3)
net("vit_tiny", timm_model("vit_tiny_patch16_224", **small_vit), size=48, script=True)
net("vit_tiny_average_pool", timm_model("vit_tiny_patch16_224", **small_vit, class_token=False, global_pool="avg", qk_norm=True, init_values=0.1), size=48)
net("vit_full_tiny", timm_model("vit_tiny_patch16_224", img_size=64), size=64)
net("deit_tiny_distilled", timm_model("deit_tiny_distilled_patch16_224", **small_vit), size=48)
net("vit_registers", timm_model("vit_small_patch14_reg4_dinov2", img_size=56, embed_dim=48, depth=2, num_heads=3), size=56)
net("eva02", timm_model("eva02_tiny_patch14_224", img_size=56, embed_dim=48, depth=2, num_heads=3), size=56)
net("beit", timm_model("beit_base_patch16_224", img_size=64, embed_dim=48, depth=2, num_heads=3), size=64)
net("cait", timm_model("cait_xxs24_224", img_size=64, embed_dim=48, depth=2, num_heads=3))
net("xcit_nano", timm_model("xcit_nano_12_p16_224", depth=2))
net("efficientnet_b0", timm_model("efficientnet_b0"), script=True)
net("efficientnet_lite0", timm_model("efficientnet_lite0"), script=True)
net("tf_efficientnet_lite0", timm_model("tf_efficientnet_lite0"))
net("tf_efficientnetv2_b0", timm_model("tf_efficientnetv2_b0"))
net("mixnet_s", timm_model("mixnet_s"))
net("tf_mixnet_s", timm_model("tf_mixnet_s"))
net("mobilenetv3_small_050", timm_model("mobilenetv3_small_050"), script=True)
net("mobilenetv3_large_100", timm_model("mobilenetv3_large_100"))
net("tf_mobilenetv3_small_minimal", timm_model("tf_mobilenetv3_small_minimal_100"))
net("mobilenetv4_conv_small_050", timm_model("mobilenetv4_conv_small_050"), script=True)
net("mobilenetv2_100", timm_model("mobilenetv2_100"), script=True)
net("ghostnet_050", timm_model("ghostnet_050"), script=True)
net("ghostnetv2_100", timm_model("ghostnetv2_100"))
net("ghostnetv3_050", timm_model("ghostnetv3_050"))
net("repghostnet_050", timm_model("repghostnet_050"))
net("tinynet_e", timm_model("tinynet_e"))
net("lcnet_050", timm_model("lcnet_050"))
net("hardcorenas_a", timm_model("hardcorenas_a"))
net("rexnet_100", timm_model("rexnet_100"))
net("mnasnet_small", timm_model("mnasnet_small"))
net("fbnetc_100", timm_model("fbnetc_100"))
net("regnetx_002", timm_model("regnetx_002"))
net("regnety_002", timm_model("regnety_002"), script=True)
net("regnetz_005", timm_model("regnetz_005"))
net("nf_regnet_b0", timm_model("nf_regnet_b0"))
net("convmixer", lambda: timm_class("convmixer", "ConvMixer")(32, 3, kernel_size=5, patch_size=4, num_classes=4), script=True)
net("edgenext_xx_small", timm_model("edgenext_xx_small"))
net("mobilevit_xxs", timm_model("mobilevit_xxs"))
net("mobilevitv2_050", timm_model("mobilevitv2_050"))
net("swin_tiny", timm_model("swin_tiny_patch4_window7_224", img_size=64, window_size=4, embed_dim=16, depths=(2, 2), num_heads=(2, 4)), script=True)
net("swinv2_tiny", timm_model("swinv2_tiny_window8_256", img_size=64, window_size=4, embed_dim=16, depths=(2, 2), num_heads=(2, 4)))
net("fasternet_t0", timm_model("fasternet_t0"))
net("starnet_s050", timm_model("starnet_s050"))
net("efficientvit_b0", timm_model("efficientvit_b0"))
net("efficientvit_m0", timm_model("efficientvit_m0"))
net("efficientformerv2_s0", timm_model("efficientformerv2_s0", img_size=64))
net("repvit_m0_9", timm_model("repvit_m0_9"))
net("mobileone_s0", timm_model("mobileone_s0"))
net("inception_next_atto", timm_model("inception_next_atto"))
net("hgnetv2_b0", timm_model("hgnetv2_b0"))
net("ese_vovnet19b_slim_dw", timm_model("ese_vovnet19b_slim_dw"))
net("dla46_c", timm_model("dla46_c"))
net("pvt_v2_b0", timm_model("pvt_v2_b0"))
net("pit_tiny", timm_model("pit_ti_224", img_size=64))
net("davit", timm_model("davit_tiny", depths=(1, 1, 1, 1), embed_dims=(16, 32, 48, 64), num_heads=(1, 2, 3, 4)))
net("res2net", timm_model("res2net50d", layers=(1, 1, 1, 1), channels=(16, 16, 24, 32)))
net("vgg_bn", lambda: plain_vgg(), script=True)


def timm_class(module, name):
    from importlib import import_module

    return getattr(import_module(f"timm.models.{module}"), name)


def of_class(module, name, **options):
    """For models whose timm builder fixes the very numbers that make them large; classes are given by name."""

    def make():
        found = {
            key: [timm_class(module, one) for one in value] if isinstance(value, list) else timm_class(module, value)
            for key, value in options.items()
            if key in ("block_layer", "token_mixers", "mlp_layer", "norm_layers")
        }
        return timm_class(module, name)(**(options | found), num_classes=4)

    return make


quarter = dict(depths=(1, 1, 1, 1), dims=(16, 32, 64, 64))
net("poolformer", of_class("metaformer", "MetaFormer", **quarter, token_mixers=["Pooling"] * 4), script=True)
mixer = dict(img_size=64, patch_size=16, num_blocks=2, embed_dim=48)
net("mixer", of_class("mlp_mixer", "MlpMixer", **mixer))
net("focalnet", of_class("focalnet", "FocalNet", depths=(1, 1, 1, 1), embed_dim=16))
net("tiny_vit", of_class("tiny_vit", "TinyVit", depths=(1, 1, 1, 1), embed_dims=(16, 32, 64, 64), num_heads=(1, 2, 2, 2), window_sizes=(7, 7, 7, 7)))


def resnet(block, **options):
    def make():
        resnet_class, block_class = timm_class("resnet", "ResNet"), timm_class("resnet", block)
        return resnet_class(block_class, (1, 1, 1, 1), channels=(16, 32, 48, 64), num_classes=4, **options)

    return make


def blurred():
    from timm.layers import BlurPool2d

    return resnet("BasicBlock", aa_layer=BlurPool2d)()


net("resnet_d", resnet("Bottleneck", stem_type="deep", stem_width=8, avg_down=True), script=True)
net("resnet_plain", resnet("BasicBlock"), script=True)
net("seresnext", resnet("Bottleneck", cardinality=4, base_width=16, block_args=dict(attn_layer="se")))
net("ecaresnet", resnet("Bottleneck", block_args=dict(attn_layer="eca")))
net("resnet_blur", blurred)


def preactivated():
    from functools import partial

    from timm.layers import GroupNormAct

    norm = partial(GroupNormAct, num_groups=4)
    return timm_class("resnetv2", "ResNetV2")(layers=(1, 1, 1, 1), channels=(16, 32, 48, 64), num_classes=4, norm_layer=norm)


net("resnetv2_group_norm", preactivated)


def densenet():
    return timm_class("densenet", "DenseNet")(growth_rate=8, block_config=(2, 2, 2, 2), num_classes=4)


net("densenet", densenet, script=True)


def normfree(**options):
    def make():
        nfnet, cfg = timm_class("nfnet", "NormFreeNet"), timm_class("nfnet", "NfCfg")
        return nfnet(cfg(depths=(1, 1, 1, 1), channels=(16, 32, 48, 64), **options), num_classes=4)

    return make


net("dm_nfnet", normfree(stem_type="deep_quad", stem_chs=16, group_size=8, bottle_ratio=0.5, extra_conv=True, num_features=96, act_layer="gelu", attn_layer="se", attn_kwargs=dict(rd_ratio=0.5), same_padding=True, skipinit=True, gamma_in_act=True), script=True)
net("nf_ecaresnet", normfree(stem_type="7x7_pool", stem_chs=16, bottle_ratio=0.25, act_layer="silu", attn_layer="eca", attn_kwargs={}, std_conv_eps=1e-6), script=True)


def hrnet():
    module = __import__("timm.models.hrnet", fromlist=["x"])
    config = copy.deepcopy(module.cfg_cls["hrnet_w18_small"])
    for index in (2, 3, 4):
        stage = config[f"stage{index}"]
        stage["num_channels"] = tuple(8 * 2**branch for branch in range(index))
        stage["num_blocks"] = (1,) * index
        stage["num_modules"] = 1
    config["stage1"]["num_channels"] = (8,)
    config["stem_width"] = 16
    return module.HighResolutionNet(config, num_classes=4, head="classification")


net("hrnet", hrnet)


def googlenet():
    from torchvision.models import googlenet as build

    return build(weights=None, num_classes=4, aux_logits=False, init_weights=False)


net("googlenet", googlenet)


def squeezenet():
    from torchvision.models import squeezenet1_1

    return squeezenet1_1(num_classes=4)


net("squeezenet", squeezenet, script=True)


def shufflenet():
    from torchvision.models import shufflenet_v2_x0_5

    return shufflenet_v2_x0_5(num_classes=4)


net("shufflenet", shufflenet, script=True)


def plain_vgg():
    layers, channels = [], 3
    for width in (8, 16, 32):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.MaxPool2d(2, 2)]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 4))


class TextClassifier(nn.Module):
    """Token and position embeddings, two encoder layers, a padding mask from the tokens, mean over what is real."""

    def __init__(self, causal=False):
        super().__init__()
        self.tokens = nn.Embedding(50, 16)
        self.positions = nn.Embedding(12, 16)
        layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 3)
        self.causal = causal

    def forward(self, ids):
        mask = ids != 0
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        bias = torch.zeros(ids.shape[1], ids.shape[1]).masked_fill(torch.ones(ids.shape[1], ids.shape[1]).triu(1).bool(), -1e9).to(x.dtype) if self.causal else None
        x = self.encoder(x, mask=bias, is_causal=False) if self.causal else self.encoder(x)
        weight = mask.to(x.dtype).unsqueeze(-1)
        return self.head((x * weight).sum(1) / weight.sum(1))


def sentences():
    ids = torch.randint(1, 50, (3, 9))
    ids[1, 6:] = 0
    ids[2, 4:] = 0
    return ids


net("text_encoder", lambda: TextClassifier(), sentences, script=True)
net("text_encoder_causal", lambda: TextClassifier(True), sentences)


class BertLike(nn.Module):
    """BERT's attention written out, with an additive padding mask."""

    def __init__(self):
        super().__init__()
        self.words, self.positions, self.types = nn.Embedding(50, 16), nn.Embedding(16, 16), nn.Embedding(2, 16)
        self.norm = nn.LayerNorm(16, eps=1e-12)
        self.blocks = nn.ModuleList([nn.ModuleDict({"q": nn.Linear(16, 16), "k": nn.Linear(16, 16), "v": nn.Linear(16, 16), "o": nn.Linear(16, 16), "n1": nn.LayerNorm(16), "i": nn.Linear(16, 32), "f": nn.Linear(32, 16), "n2": nn.LayerNorm(16)}) for _ in range(2)])
        self.pooler, self.head = nn.Linear(16, 16), nn.Linear(16, 3)

    def forward(self, ids, mask):
        length = ids.shape[1]
        x = self.norm(self.words(ids) + self.positions(torch.arange(length)) + self.types(torch.zeros_like(ids)))
        bias = (1 - mask[:, None, None, :].to(x.dtype)) * -1e4
        for block in self.blocks:
            q, k, v = (block[key](x).reshape(-1, length, 4, 4).transpose(1, 2) for key in "qkv")
            attended = (q @ k.transpose(-1, -2) / 2 + bias).softmax(-1) @ v
            x = block["n1"](x + block["o"](attended.transpose(1, 2).reshape(-1, length, 16)))
            x = block["n2"](x + block["f"](F.gelu(block["i"](x))))
        return self.head(torch.tanh(self.pooler(x[:, 0])))


net("bert_like", lambda: BertLike(), sentences, lambda: torch.tensor([[1] * 9, [1] * 6 + [0] * 3, [1] * 4 + [0] * 5]), script=True)


class GptLike(nn.Module):
    """Pre-norm, fused qkv, causal attention, output tied to the embedding."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(40, 16)
        self.places = nn.Parameter(torch.randn(9, 16) * 0.1)
        self.blocks = nn.ModuleList([nn.ModuleDict({"n1": nn.LayerNorm(16), "qkv": nn.Linear(16, 48), "o": nn.Linear(16, 16), "n2": nn.LayerNorm(16), "i": nn.Linear(16, 32), "f": nn.Linear(32, 16)}) for _ in range(2)])
        self.norm = nn.LayerNorm(16)

    def forward(self, ids):
        x = self.words(ids) + self.places[: ids.shape[1]]
        for block in self.blocks:
            q, k, v = (part.reshape(*ids.shape, 4, 4).transpose(1, 2) for part in block["qkv"](block["n1"](x)).chunk(3, -1))
            x = x + block["o"](F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(*ids.shape, 16))
            x = x + block["f"](F.gelu(block["i"](block["n2"](x)), approximate="tanh"))
        return self.norm(x) @ self.words.weight.T


net("gpt_like", lambda: GptLike(), integers(2, 9, below=40), script=True)


def audio():
    layers, channels = [], 1
    for width, stride in ((8, 4), (16, 2), (32, 2)):
        layers += [nn.Conv1d(channels, width, 9, stride=stride, padding=4), nn.BatchNorm1d(width), nn.ReLU(), nn.MaxPool1d(2)]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 5))


net("audio_cnn", audio, normal(2, 1, 512), script=True)


class TemporalBlock(nn.Module):
    """A causal dilated convolution block of a TCN, gated as in WaveNet."""

    def __init__(self, channels, dilation):
        super().__init__()
        self.dilation = dilation
        self.filter, self.gate = nn.Conv1d(channels, channels, 2, dilation=dilation), nn.Conv1d(channels, channels, 2, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        padded = F.pad(x, (self.dilation, 0))
        return x + self.mix(torch.tanh(self.filter(padded)) * torch.sigmoid(self.gate(padded)))


net("wavenet", lambda: nn.Sequential(nn.Conv1d(1, 8, 1), *[TemporalBlock(8, 2**i) for i in range(4)], nn.ReLU(), nn.Conv1d(8, 3, 1)), normal(2, 1, 40), script=True)


class UNet(nn.Module):
    def __init__(self, transpose=True):
        super().__init__()
        double = lambda i, o: nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU())  # noqa: E731
        self.down1, self.down2, self.bottom = double(3, 8), double(8, 16), double(16, 32)
        self.pool = nn.MaxPool2d(2)
        up = (lambda i, o: nn.ConvTranspose2d(i, o, 2, stride=2)) if transpose else (lambda i, o: nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), nn.Conv2d(i, o, 1)))
        self.up2, self.up1 = up(32, 16), up(16, 8)
        self.join2, self.join1 = double(32, 16), double(16, 8)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        first = self.down1(x)
        second = self.down2(self.pool(first))
        x = self.bottom(self.pool(second))
        x = self.join2(torch.cat([self.up2(x), second], 1))
        x = self.join1(torch.cat([self.up1(x), first], 1))
        return self.head(x)


net("unet", lambda: UNet(), size=24, script=True)
net("unet_bilinear", lambda: UNet(False), size=24, script=True)


class Crnn(nn.Module):
    """Convolutions over an image of text, a bidirectional LSTM along its width."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d((2, 1)))
        self.recurrent = nn.LSTM(16 * 4, 12, bidirectional=True, batch_first=True)
        self.head = nn.Linear(24, 7)

    def forward(self, x):
        x = self.features(x).permute(0, 3, 1, 2).flatten(2)
        return self.head(self.recurrent(x)[0]).log_softmax(-1)


net("crnn", lambda: Crnn(), normal(2, 1, 16, 20), script=True)


class KeypointHead(nn.Module):
    """A decoder with pixel shuffle, and the soft-argmax that turns its maps into coordinates."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.PReLU(16), nn.Conv2d(16, 32, 3, padding=1), nn.PixelShuffle(2), nn.Hardswish(), nn.Conv2d(8, 2, 1))

    def forward(self, x):
        maps = self.net(x)
        weight = maps.flatten(2).softmax(-1).reshape(maps.shape)
        row = torch.linspace(-1, 1, maps.shape[2]).to(x.dtype)
        column = torch.linspace(-1, 1, maps.shape[3]).to(x.dtype)
        return torch.stack([(weight.sum(3) * row).sum(2), (weight.sum(2) * column).sum(2)], -1)


net("keypoints", lambda: KeypointHead(), size=16, script=True)
net("optimized_resnet", resnet("BasicBlock"), optimize=True)
net("optimized_convnext", timm_model("convnext_atto", depths=(1, 1, 1, 1), dims=(16, 32, 48, 64)), optimize=True)
net("optimized_vit_tiny", timm_model("vit_tiny_patch16_224", **small_vit), size=48, optimize=True)
net("dynamic_batch_mobilenetv3", timm_model("mobilenetv3_small_050"), dynamic={"x0": {0: "n"}}, script=True)
net("dynamic_batch_vit", timm_model("vit_tiny_patch16_224", **small_vit), size=48, dynamic={"x0": {0: "n"}}, script=True)
net("training_mode_resnet", resnet("BasicBlock"), size=32, batch=4, training=True, script=True)
net("opset20_convnext", timm_model("convnext_atto", depths=(1, 1, 1, 1), dims=(16, 32, 48, 64)), opset=20)
net("opset23_vit_tiny", timm_model("vit_tiny_patch16_224", **small_vit), size=48, opset=23)
