"""Recurrent layers and attention."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .harness import Collection, Fn, integers, node, normal

cases = Collection("sequence")


class WithLastState(nn.Module):
    """The sequence of outputs times a summary of the last states, so that both carry a gradient."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, *state):
        given = () if not state else (state[0] if len(state) == 1 else tuple(state),)
        out, last = self.layer(x, *given)
        last = last if isinstance(last, tuple) else (last,)
        return out * sum(value.sum() for value in last).tanh() + out


recurrent = {
    "lstm": (lambda: nn.LSTM(4, 3), 0, (5, 2, 4)),
    "lstm_batch_first_bidirectional": (lambda: nn.LSTM(4, 3, batch_first=True, bidirectional=True), 0, (2, 5, 4)),
    "lstm_two_layers_no_bias": (lambda: nn.LSTM(4, 3, num_layers=2, bias=False), 0, (5, 2, 4)),
    "lstm_initial_state": (lambda: nn.LSTM(4, 3), 2, (5, 2, 4)),
    "gru": (lambda: nn.GRU(4, 3), 0, (5, 2, 4)),
    "gru_batch_first_bidirectional": (lambda: nn.GRU(4, 3, batch_first=True, bidirectional=True), 0, (2, 5, 4)),
    "gru_initial_state": (lambda: nn.GRU(4, 3, bias=False), 1, (5, 2, 4)),
    "rnn_tanh": (lambda: nn.RNN(4, 3), 0, (5, 2, 4)),
    "rnn_relu_bidirectional": (lambda: nn.RNN(4, 3, nonlinearity="relu", bidirectional=True), 0, (5, 2, 4)),
    "rnn_initial_state": (lambda: nn.RNN(4, 3), 1, (5, 2, 4)),
}
for name, (layer, states, shape) in recurrent.items():
    cases.both(name, lambda layer=layer: WithLastState(layer()), normal(*shape), *[normal(1, 2, 3) for _ in range(states)])


class Unrolled(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        state = x.new_zeros(x.shape[1], 3)
        memory = state
        out = []
        for step in range(4):
            if isinstance(self.cell, nn.LSTMCell):
                state, memory = self.cell(x[step], (state, memory))
            else:
                state = self.cell(x[step], state)
            out.append(state)
        return torch.stack(out)


cases.both("lstm_cell_unrolled", lambda: Unrolled(nn.LSTMCell(4, 3)), normal(4, 2, 4))
cases.both("gru_cell_unrolled", lambda: Unrolled(nn.GRUCell(4, 3)), normal(4, 2, 4))


class SelfAttention(nn.Module):
    def __init__(self, mask=None, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **options)
        self.register_buffer("mask", mask)

    def forward(self, x, *memory):
        source = memory[0] if memory else x
        return self.attention(x, source, source, attn_mask=self.mask, need_weights=False)[0]


class Averaged(SelfAttention):
    def forward(self, x):
        out, weights = self.attention(x, x, x)
        return out + weights.mean()


causal = torch.triu(torch.full((5, 5), float("-inf")), 1)
cases.both("multihead_attention", lambda: SelfAttention(), normal(2, 5, 8))
cases.both("multihead_attention_cross", lambda: SelfAttention(), normal(2, 5, 8), normal(2, 3, 8))
cases.both("multihead_attention_causal", lambda: SelfAttention(causal), normal(2, 5, 8))
cases.both("multihead_attention_weights", lambda: Averaged(), normal(2, 5, 8))


def attend(**options):
    return lambda: Fn(lambda x, q, k, v: F.scaled_dot_product_attention(heads(x @ q), heads(x @ k), heads(x @ v), **options).transpose(1, 2).flatten(2), q=torch.randn(8, 8) * 0.5, k=torch.randn(8, 8) * 0.5, v=torch.randn(8, 8) * 0.5)


def heads(x):
    return x.reshape(x.shape[0], x.shape[1], 2, 4).transpose(1, 2)


cases.both("sdpa", attend(), normal(2, 5, 8))
cases.both("sdpa_causal", attend(is_causal=True), normal(2, 5, 8))
cases.both("sdpa_bias_and_scale", attend(attn_mask=torch.linspace(-1, 1, 25).reshape(5, 5), scale=0.3), normal(2, 5, 8), precise=False)
cases.both("sdpa_boolean_mask", attend(attn_mask=torch.ones(5, 5, dtype=torch.bool).tril(1)), normal(2, 5, 8))
cases.export("sdpa_opset23_attention", attend(), normal(2, 5, 8), dynamo=True, opset=23)
cases.export("sdpa_opset23_causal", attend(is_causal=True), normal(2, 5, 8), dynamo=True, opset=23)
cases.both("attention_by_hand_masked", lambda: Fn(lambda x, q, k: (x @ q @ (x @ k).transpose(1, 2) / 8**0.5).masked_fill(torch.ones(5, 5).triu(1).bool(), float("-inf")).softmax(-1) @ x, q=torch.randn(8, 4), k=torch.randn(8, 4)), normal(2, 5, 8))
cases.both("encoder_layer", lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), normal(2, 5, 8))
cases.both("encoder_layer_pre_norm_gelu", lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", batch_first=True, norm_first=True), normal(2, 5, 8))
cases.both("decoder_layer", lambda: nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, batch_first=True), normal(2, 4, 8), normal(2, 5, 8))
cases.both("rotary_embedding", lambda: Fn(rotate, w=torch.randn(8, 8) * 0.5), normal(2, 5, 8))
cases.both("relative_position_bias", lambda: Fn(lambda x, t: (x @ x.transpose(1, 2) + t[torch.arange(5)[:, None] - torch.arange(5)[None] + 4]).softmax(-1) @ x, t=torch.randn(9)), normal(2, 5, 8))


def rotate(x, w):
    angle = torch.arange(5)[:, None] * 10 ** (-torch.arange(4) / 4)
    cosine, sine = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    query = x @ w
    left, right = query[..., :4], query[..., 4:]
    return torch.cat([left * cosine - right * sine, right * cosine + left * sine], -1)


def lstm_step(x, h, c, w, r, b, peephole=None):
    # ONNX's order: input, output, forget, cell.
    wb, rb = b.chunk(2)
    i, o, f, g = ((x @ w.T + wb) + (h @ r.T + rb)).chunk(4, -1)
    if peephole is not None:
        pi, po, pf = peephole.chunk(3)
        i, f = i + pi * c, f + pf * c
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    if peephole is not None:
        o = o + po * c
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_step(x, h, w, r, b, linear_before_reset):
    # ONNX's order: update, reset, hidden.
    wz, wr, wh = w.chunk(3)
    rz, rr, rh = r.chunk(3)
    bz, br, bh, cz, cr, ch = b.chunk(6)
    z = torch.sigmoid(x @ wz.T + h @ rz.T + bz + cz)
    reset = torch.sigmoid(x @ wr.T + h @ rr.T + br + cr)
    if linear_before_reset:
        g = torch.tanh(x @ wh.T + bh + reset * (h @ rh.T + ch))
    else:
        g = torch.tanh(x @ wh.T + bh + (reset * h) @ rh.T + ch)
    return (1 - z) * g + z * h


def walk(x, lengths, reverse, h, c, step):
    """One direction; beyond a sequence's own length the output is zero and the state stays. [time, batch, hidden]"""
    time = x.shape[0]
    rows = []
    for n in range(x.shape[1]):
        length = time if lengths is None else int(lengths[n])
        order = range(length - 1, -1, -1) if reverse else range(length)
        hn, cn = h[n], None if c is None else c[n]
        outs = [torch.zeros_like(hn)] * time
        for t in order:
            hn, cn = step(x[t, n], hn, cn)
            outs[t] = hn
        rows.append((torch.stack(outs), hn, cn))
    ys = torch.stack([row[0] for row in rows], 1)
    return ys, torch.stack([row[1] for row in rows]), None if c is None else torch.stack([row[2] for row in rows])


def recurrence(name, operator, directions=1, lengths=None, initial=False, peepholes=False, use="Y", **attributes):
    """`use`: which output the answer is made from: Y, Y_h or Y_c."""
    time, batch, size, hidden = 4, 3, 3, 2
    count = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator]

    def build():
        values = {
            "w": torch.randn(directions, count * hidden, size) * 0.7,
            "r": torch.randn(directions, count * hidden, hidden) * 0.7,
            "b": torch.randn(directions, 2 * count * hidden) * 0.3,
        }
        feeds = {"x0": torch.randn(time, batch, size)}
        names = ["x0", "w", "r", "b", "", "", "", ""]
        if lengths is not None:
            values["lengths"] = np.array(lengths, np.int32)
            names[4] = "lengths"
        if initial:
            feeds["h"] = torch.randn(directions, batch, hidden)
            names[5] = "h"
            if operator == "LSTM":
                feeds["c"] = torch.randn(directions, batch, hidden)
                names[6] = "c"
        if peepholes:
            values["p"] = torch.randn(directions, 3 * hidden) * 0.5
            names[7] = "p"
        while names[-1] == "":
            names.pop()
        outputs = {"Y": ["s"], "Y_h": ["", "s"], "Y_c": ["", "", "s"]}[use]
        direction = {"direction": "bidirectional"} if directions == 2 else {}
        return [node(operator, names, outputs, hidden_size=hidden, **direction, **attributes), node("Mul", ["s", "s"])], feeds, values

    def judge(x0, w, r, b, lengths=None, h=None, c=None, p=None):
        parts = []
        for d in range(directions):
            reverse = d == 1 or attributes.get("direction") == "reverse"
            zero = x0.new_zeros(batch, hidden)
            h0 = zero if h is None else h[d]
            c0 = (zero if c is None else c[d]) if operator == "LSTM" else None

            def step(x, hn, cn, d=d):
                if operator == "LSTM":
                    return lstm_step(x, hn, cn, w[d], r[d], b[d], None if p is None else p[d])
                if operator == "GRU":
                    return gru_step(x, hn, w[d], r[d], b[d], attributes.get("linear_before_reset", 0)), None
                wb, rb = b[d].chunk(2)
                kind = attributes.get("activations", ["Tanh"])[0]
                value = x @ w[d].T + hn @ r[d].T + wb + rb
                return {"Tanh": torch.tanh, "Relu": torch.relu, "Sigmoid": torch.sigmoid}[kind](value), None

            parts.append(walk(x0, lengths, reverse, h0, c0, step))
        chosen = {"Y": 0, "Y_h": 1, "Y_c": 2}[use]
        stacked = torch.stack([part[chosen] for part in parts], 1 if use == "Y" else 0)
        return stacked * stacked

    cases.craft(name, build, judge)


recurrence("onnx_lstm_lengths_bidirectional", "LSTM", directions=2, lengths=(4, 2, 3), initial=True)
recurrence("onnx_lstm_reverse_last_state", "LSTM", lengths=(4, 1, 3), use="Y_h", direction="reverse")
recurrence("onnx_lstm_cell_state", "LSTM", initial=True, use="Y_c")
recurrence("onnx_lstm_peepholes", "LSTM", peepholes=True)
recurrence("onnx_gru_reset_before", "GRU", initial=True)
recurrence("onnx_gru_linear_before_reset_lengths", "GRU", directions=2, lengths=(4, 2, 3), linear_before_reset=1)
recurrence("onnx_gru_last_state", "GRU", lengths=(2, 4, 1), use="Y_h", direction="reverse", linear_before_reset=1)
recurrence("onnx_rnn_lengths", "RNN", directions=2, lengths=(4, 2, 3), initial=True)
recurrence("onnx_rnn_sigmoid_last", "RNN", use="Y_h", activations=["Sigmoid"])


def attention(name, judge, q=(2, 2, 5, 4), k=(2, 2, 6, 4), v=(2, 2, 6, 3), extra=None, **attributes):
    """The Attention operator of opset 23, whose exporters write it for scaled_dot_product_attention."""

    def build():
        given = {key: make() for key, make in (extra or {}).items()}
        return (
            [node("Attention", ["x0", "x1", "x2", *given], **attributes)],
            {"x0": torch.randn(*q), "x1": torch.randn(*k), "x2": torch.randn(*v)},
            given,
        )

    cases.craft(name, build, judge, opset=23)


attention("onnx_attention", lambda x0, x1, x2: F.scaled_dot_product_attention(x0, x1, x2))
attention("onnx_attention_causal_scaled", lambda x0, x1, x2: F.scaled_dot_product_attention(x0, x1, x2, torch.ones(5, 6).tril().bool(), scale=0.4), is_causal=1, scale=0.4)
attention("onnx_attention_learned_bias", lambda x0, x1, x2, bias: F.scaled_dot_product_attention(x0, x1, x2, bias), extra={"bias": lambda: torch.randn(5, 6)})
attention("onnx_attention_shared_heads", lambda x0, x1, x2: F.scaled_dot_product_attention(x0, x1, x2, enable_gqa=True), q=(2, 4, 5, 4))
attention("onnx_attention_softcap", lambda x0, x1, x2: (2 * torch.tanh(x0 @ x1.transpose(-1, -2) / 2 / 2)).softmax(-1) @ x2, softcap=2.0)


def folded_heads(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


attention(
    "onnx_attention_three_dimensions",
    lambda x0, x1, x2: F.scaled_dot_product_attention(*(folded_heads(x, 2) for x in (x0, x1, x2))).transpose(1, 2).flatten(2),
    q=(2, 5, 8),
    k=(2, 6, 8),
    v=(2, 6, 6),
    q_num_heads=2,
    kv_num_heads=2,
)


def rotary(name, interleaved, part):
    """Rotary positions on the first `part` of each head's numbers."""

    def build():
        angle = torch.arange(7)[:, None] / 10 ** (torch.arange(part // 2) / 4)
        return (
            [node("RotaryEmbedding", ["x0", "cos", "sin", "where"], interleaved=interleaved, **({"rotary_embedding_dim": part} if part < 8 else {}))],
            {"x0": torch.randn(2, 3, 5, 8), "where": torch.tensor([[0, 1, 2, 3, 4], [2, 3, 4, 5, 6]])},
            {"cos": angle.cos(), "sin": angle.sin()},
        )

    def judge(x0, where, cos, sin):
        turned, rest = x0[..., :part], x0[..., part:]
        left, right = (turned[..., 0::2], turned[..., 1::2]) if interleaved else turned.chunk(2, -1)
        c, s = cos[where][:, None], sin[where][:, None]
        real, imaginary = left * c - right * s, left * s + right * c
        turned = torch.stack([real, imaginary], -1).flatten(-2) if interleaved else torch.cat([real, imaginary], -1)
        return torch.cat([turned, rest], -1)

    cases.craft(name, build, judge, opset=23, zero=["cos", "sin"])


rotary("onnx_rotary_embedding", 0, 8)
rotary("onnx_rotary_embedding_interleaved", 1, 8)
