#!/usr/bin/env python3
"""Small noisy classifiers with random weights, and what PyTorch's autograd in
float64 says of them: log p(y | tokens, sigma) and its gradient with respect to
the one-hot input.  Written from the tables of operations alone, so that it
checks forward and backward both.

    python3 tests/make_classifier_golden.py tests/golden/classifier
"""
import json
import math
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)


class Weights(dict):
    """Random tensors by name, rounded to what the file holds."""

    def __init__(self, seed):
        super().__init__()
        self.gen = torch.Generator().manual_seed(seed)

    def get(self, name, *shape, mean=0.0, scale=None):
        if name not in self:
            fan = shape[1] * (9 if len(shape) == 4 else 1) if len(shape) > 1 else 1
            scale = scale or (1 / math.sqrt(fan) if len(shape) > 1 else 0.3)
            value = mean + scale * torch.randn(*shape, generator=self.gen)
            self[name] = value.to(torch.float32)
        return self[name].to(torch.float64)


def linear(w, x, name, out, bias=True):
    y = x @ w.get(name + ".weight", out, x.shape[-1]).T
    return y + w.get(name + ".bias", out) if bias else y


def layer_norm(w, x, name, shift, scale):
    y = F.layer_norm(x, x.shape[-1:], eps=1e-5) * w.get(name, x.shape[-1], mean=1.0)
    return y * (1 + scale) + shift


def rotary(x):
    n, half = x.shape[0], x.shape[-1] // 2
    angle = torch.arange(n)[:, None] * 10000.0 ** (-torch.arange(half) / half)
    c, s = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * c - b * s, b * c + a * s], -1)


def dit(w, k, onehot, sigma):
    d, heads, cond = k["hidden_size"], k["n_heads"], k["cond_dim"]
    h = onehot @ w.get("vocab_embed.embedding", k["vocab_size"], d, scale=1.0)
    f = torch.exp(-math.log(10000.0) * torch.arange(128) / 128)
    c = torch.cat([torch.cos(sigma * f), torch.sin(sigma * f)])
    c = F.silu(linear(w, F.silu(linear(w, c, "sigma_map.mlp.0", cond)), "sigma_map.mlp.2", cond))
    for b in range(k["n_blocks"]):
        p = "blocks.%d." % b
        m = linear(w, c, p + "adaLN_modulation", 6 * d).split(d)
        a = layer_norm(w, h, p + "norm1.weight", m[0], m[1])
        qkv = linear(w, a, p + "attn_qkv", 3 * d, False).view(-1, 3, heads, d // heads)
        q, key, v = rotary(qkv[:, 0]), rotary(qkv[:, 1]), qkv[:, 2]
        s = torch.einsum("ihd,jhd->hij", q, key) / math.sqrt(d // heads)
        a = torch.einsum("hij,jhd->ihd", s.softmax(-1), v).reshape(-1, d)
        h = h + m[2] * linear(w, a, p + "attn_out", d, False)
        a = layer_norm(w, h, p + "norm2.weight", m[3], m[4])
        a = F.gelu(linear(w, a, p + "mlp.0", 4 * d), approximate="tanh")
        h = h + m[5] * linear(w, a, p + "mlp.2", d)
    shift, scale = linear(w, c, "output_layer.adaLN_modulation", 2 * d).split(d)
    return layer_norm(w, h, "output_layer.norm_final.weight", shift, scale).mean(0)


def group_norm(w, x, name):
    n = x.shape[1]
    return F.group_norm(x, min(n // 4, 32), w.get(name + ".weight", n, mean=1.0), w.get(name + ".bias", n), eps=1e-6)


def conv(w, x, name, out, **how):
    return F.conv2d(x, w.get(name + ".weight", out, x.shape[1], 3, 3), w.get(name + ".bias", out), **how)


def nin(w, x, name, out):
    y = torch.einsum("bchw,co->bohw", x, w.get(name + ".W", x.shape[1], out, scale=1 / math.sqrt(x.shape[1])))
    return y + w.get(name + ".b", out)[None, :, None, None]


def res_block(w, k, x, temb, out, p):
    g = conv(w, F.silu(group_norm(w, x, p + "groupnorm0")), p + "conv0", out, padding=1)
    g = g + linear(w, F.silu(temb), p + "dense0", out)[None, :, None, None]
    g = conv(w, F.silu(group_norm(w, g, p + "groupnorm1")), p + "conv1", out, padding=1)
    if x.shape[1] != out:
        x = nin(w, x, p + "nin", out)
    return (x + g) / (math.sqrt(2) if k["skip_rescale"] else 1)


def attn_block(w, k, x, p):
    n = x.shape[1]
    a = group_norm(w, x, p + "GroupNorm_0")
    q, key, v = (nin(w, a, p + "NIN_%d" % i, n).flatten(2) for i in range(3))
    s = (torch.einsum("bci,bcj->bij", q, key) / math.sqrt(n)).softmax(-1)
    a = torch.einsum("bij,bcj->bci", s, v).view_as(x)
    return (x + nin(w, a, p + "NIN_3", n)) / (math.sqrt(2) if k["skip_rescale"] else 1)


def unet(w, k, onehot, sigma):
    V, ch, mult, t = k["vocab_size"], k["ch"], k["ch_mult"], k["time_embed_dim"]
    side = int(math.sqrt(k["length"] // 3))
    x = (onehot @ (2 * torch.arange(V) / V - 1)).view(1, 3, side, side)
    half = t // 2
    f = torch.exp(-math.log(10000.0) * torch.arange(half) / (half - 1)) * sigma * k["time_scale_factor"]
    temb = linear(w, torch.cat([torch.sin(f), torch.cos(f)]), "temb_modules.0", 4 * t)
    temb = linear(w, F.silu(temb), "temb_modules.1", 4 * t)
    h = conv(w, x, "input_conv", ch, padding=1)
    skips, i = [h], 0
    for s, m in enumerate(mult):
        for _ in range(k["num_res_blocks"]):
            h = res_block(w, k, h, temb, ch * m, "downsampling_modules.%d." % i)
            i += 1
            if s == k["scale_count_to_put_attn"]:
                h = attn_block(w, k, h, "downsampling_modules.%d." % i)
                i += 1
            skips.append(h)
        if s < len(mult) - 1:
            h = conv(w, F.pad(h, (0, 1, 0, 1)), "downsampling_modules.%d.conv" % i, h.shape[1], stride=2)
            i += 1
            skips.append(h)
    h = res_block(w, k, h, temb, h.shape[1], "middle_modules.0.")
    h = attn_block(w, k, h, "middle_modules.1.")
    h = res_block(w, k, h, temb, h.shape[1], "middle_modules.2.")
    i = 0
    for s in reversed(range(len(mult))):
        for _ in range(k["num_res_blocks"] + 1):
            h = res_block(w, k, torch.cat([h, skips.pop()], 1), temb, ch * mult[s], "upsampling_modules.%d." % i)
            i += 1
            if s == k["scale_count_to_put_attn"]:
                h = attn_block(w, k, h, "upsampling_modules.%d." % i)
                i += 1
        if s > 0:
            h = F.interpolate(h, scale_factor=2, mode="nearest")
            h = conv(w, h, "upsampling_modules.%d.conv" % i, h.shape[1], padding=1)
            i += 1
    return h.mean((0, 2, 3))


def make(folder, name, base, model, classes, seed, sigmas, scale=1.0):
    w, gen = Weights(seed), torch.Generator().manual_seed(seed + 1)
    L, V = model["length"], model["vocab_size"]
    out = {"tokens": [], "label": [], "log_p": [], "gradient": []}
    for i, sigma in enumerate(sigmas):
        tokens = torch.randint(V, (L,), generator=gen)
        onehot = F.one_hot(tokens, V).to(torch.float64).requires_grad_()
        pooled = (unet if base == "unet" else dit)(w, model, onehot, sigma)
        weight = w.get("classifier.weight", classes, pooled.shape[0], scale=scale)
        log_p = (weight @ pooled + w.get("classifier.bias", classes)).log_softmax(-1)
        label = i % classes
        gradient, = torch.autograd.grad(log_p[label], onehot)
        for key, value in zip(out, (tokens.to(torch.int32), torch.tensor(label, dtype=torch.int32), log_p.detach(), gradient)):
            out[key].append(value)
    golden = {key: torch.stack(value).contiguous() for key, value in out.items()}
    golden["sigma"] = torch.tensor(sigmas)
    config = {"algo": {"name": "classifier", "backbone": base, "time_conditioning": True}, "model": model,
              "noise": {"type": "log-linear", "eps": 1e-3}}
    path = "%s/%s" % (folder, name)
    save_file(dict(w), path + ".safetensors", {"family": "classifier", "base": base, "config": json.dumps(config)})
    save_file(golden, path + ".golden.safetensors")
    print(name, {key: list(value.shape) for key, value in golden.items()}, float(golden["gradient"].abs().max()))


def main():
    folder = sys.argv[1]
    make(folder, "dit", "dit", {"hidden_size": 24, "cond_dim": 10, "length": 14, "n_blocks": 2, "n_heads": 3, "vocab_size": 11,
                                "dropout": 0.1}, 3, 1, [0.05, 0.7, 3.0])
    make(folder, "unet", "unet", {"length": 192, "vocab_size": 16, "ch": 8, "num_res_blocks": 1, "num_scales": 2, "ch_mult": [1, 2],
                                  "scale_count_to_put_attn": 1, "time_scale_factor": 1000, "time_embed_dim": 8,
                                  "time_conditioning": True, "skip_rescale": True, "dropout": 0.1}, 4, 2, [0.1, 1.5])
    make(folder, "unet-plain", "unet", {"length": 48, "vocab_size": 17, "ch": 12, "num_res_blocks": 2, "num_scales": 2,
                                        "ch_mult": [1, 1], "scale_count_to_put_attn": 0, "time_scale_factor": 500,
                                        "time_embed_dim": 6, "time_conditioning": True, "skip_rescale": False, "mask": 16}, 2, 3, [0.4], 0.01)


main()
