"""What the released code writes and computes, from SPEC alone: its checkpoint's entries at any size, and its logits.

Nothing here calls clipspm_lite: it is what the converted checkpoint is compared with.
"""

import math

import numpy as np
import open_clip
import torch
from torch.nn import functional as F

SMOOTHING = 0.5


def _linear(out_width, in_width, bias=True):
    weights = {"weight": torch.randn(out_width, in_width) / math.sqrt(in_width)}
    return weights | ({"bias": 0.1 * torch.randn(out_width)} if bias else {})


def encoder(architecture):
    """Random entries of OpenAI's visual encoder."""

    def random(name, shape):
        if len(shape) > 1:
            return torch.randn(shape) / math.sqrt(math.prod(shape[1:]))
        if name.endswith("num_batches_tracked"):
            return torch.tensor(7)
        if name.endswith("running_var"):
            return 0.5 + torch.rand(shape)
        return name.endswith("weight") + 0.1 * torch.randn(shape)

    with torch.device("meta"):
        visual = open_clip.CLIP(**open_clip.get_model_config(architecture)).visual
    return {name: random(name, entry.shape) for name, entry in visual.state_dict().items()}


def vit_b16_features(state, pixels):
    """``[B, 3, 224, 224]`` → ``[B, 512]``."""

    def norm(name, x):
        return F.layer_norm(x, (768,), state[f"{name}.weight"], state[f"{name}.bias"])

    def linear(name, x):
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    patches = F.conv2d(pixels, state["conv1.weight"], stride=16).flatten(2).transpose(1, 2)
    first = state["class_embedding"].expand(len(patches), 1, -1)
    x = norm("ln_pre", torch.cat([first, patches], 1) + state["positional_embedding"])
    for block in (f"transformer.resblocks.{i}" for i in range(12)):
        joint = F.linear(
            norm(f"{block}.ln_1", x), state[f"{block}.attn.in_proj_weight"], state[f"{block}.attn.in_proj_bias"]
        )
        q, k, v = (part.unflatten(-1, (12, 64)).transpose(1, 2) for part in joint.chunk(3, -1))
        attended = ((q @ k.transpose(-1, -2) / 8).softmax(-1) @ v).transpose(1, 2).flatten(-2)
        x = x + linear(f"{block}.attn.out_proj", attended)
        hidden = linear(f"{block}.mlp.c_fc", norm(f"{block}.ln_2", x))
        x = x + linear(f"{block}.mlp.c_proj", hidden * torch.sigmoid(1.702 * hidden))
    return norm("ln_post", x[:, 0]) @ state["proj"]


RN50_LAYERS = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, blocks, stride


def rn50_features(state, pixels):
    """``[B, 3, 224, 224]`` → ``[B, 1024]``, BatchNorm with its stored statistics."""

    def conv(name, norm, x, stride=1):
        padding = state[f"{name}.weight"].shape[-1] // 2
        x = F.conv2d(x, state[f"{name}.weight"], stride=stride, padding=padding)
        statistics = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        return F.batch_norm(x, *statistics, state[f"{norm}.weight"], state[f"{norm}.bias"])

    x = conv("conv1", "bn1", pixels, stride=2).relu()
    x = conv("conv3", "bn3", conv("conv2", "bn2", x).relu()).relu()
    x = F.avg_pool2d(x, 2)
    for layer, (_width, blocks, stride) in enumerate(RN50_LAYERS, start=1):
        for block in range(blocks):
            name, pool = f"layer{layer}.{block}", stride if block == 0 else 1
            inner = conv(f"{name}.conv1", f"{name}.bn1", x).relu()
            inner = F.avg_pool2d(conv(f"{name}.conv2", f"{name}.bn2", inner).relu(), pool)
            inner = conv(f"{name}.conv3", f"{name}.bn3", inner)
            if block == 0:
                x = conv(f"{name}.downsample.0", f"{name}.downsample.1", F.avg_pool2d(x, pool))
            x = (inner + x).relu()
    cells = x.flatten(2).transpose(1, 2)
    tokens = torch.cat([cells.mean(1, keepdim=True), cells], 1) + state["attnpool.positional_embedding"]
    q, k, v = (
        F.linear(part, state[f"attnpool.{name}_proj.weight"], state[f"attnpool.{name}_proj.bias"])
        .unflatten(-1, (32, 64))
        .transpose(1, 2)
        for name, part in (("q", tokens[:, :1]), ("k", tokens), ("v", tokens))
    )
    pooled = ((q @ k.transpose(-1, -2) / 8).softmax(-1) @ v).transpose(1, 2).flatten(1)
    return F.linear(pooled, state["attnpool.c_proj.weight"], state["attnpool.c_proj.bias"])


def head(dim, gates, head_width=256, mlp=2048):
    """The released head's entries; ``gates`` are the hidden widths of gate_vision and gate_text."""
    modules = {
        "token_tr.mlp.net.0": _linear(mlp, dim),
        "token_tr.mlp.net.3": _linear(dim, mlp),
        "gate_vision.0": _linear(gates[0], dim),
        "gate_vision.2": _linear(dim, gates[0]),
        "gate_text.0": _linear(gates[1], dim),
        "gate_text.2": _linear(dim, gates[1]),
    }
    for conv in ("motion_conv1", "motion_conv2"):
        modules[conv] = {"weight": torch.randn(dim, dim, 3) / math.sqrt(3 * dim), "bias": torch.randn(dim)}
    for block in ("context1.layers.0", "context2.layers.0"):
        modules[f"{block}.0.norm"] = {"weight": 1 + 0.1 * torch.randn(dim), "bias": 0.1 * torch.randn(dim)}
        modules |= {f"{block}.0.fn.to_{name}": _linear(8 * head_width, dim, bias=False) for name in "qkv"}
        modules[f"{block}.0.fn.to_out.0"] = _linear(dim, 8 * head_width)
        modules[f"{block}.1.net.0"] = _linear(mlp, dim)
        modules[f"{block}.1.net.3"] = _linear(dim, mlp)
    entries = {f"{module}.{name}": tensor for module, part in modules.items() for name, tensor in part.items()}
    return entries | {"mo_alpha1": torch.tensor(0.7), "scale": torch.tensor(1.0)}


def checkpoint(state):
    """What the released code saves around the state dict, its optimizer and scheduler cut short."""
    return {
        "model_state_dict": state,
        "optimizer_state_dict": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-5}]},
        "scheduler": {"last_epoch": 3, "_last_lr": [1e-5]},
        "iteration": 1000,
        "acc": np.float64(78.25),
    }


def otam(x, y):
    """SPEC section 2, both directions: x ``[Tx, C]``, y ``[Ty, C]`` → a number."""
    norms = x.norm(dim=-1)[:, None] * y.norm(dim=-1)[None] + 0.01
    distances = 1 - x @ y.T / norms
    return one_way(distances) + one_way(distances.T)


def one_way(distances):
    """OTAM's recursion cell by cell, for ``[Tx, Ty]``."""

    def softmin(*terms):
        return -SMOOTHING * torch.logsumexp(-torch.stack(terms) / SMOOTHING, 0)

    d = F.pad(distances, (1, 1))
    last = d.shape[1] - 1
    table = [[torch.zeros(())] for _ in d]
    for m in range(1, last + 1):
        table[0].append(d[0, m] + table[0][m - 1])
    for row in range(1, len(d)):
        for m in range(1, last + 1):
            above = [table[row - 1][m - 1]] + ([table[row - 1][m]] if m in (1, last) else [])
            table[row].append(d[row, m] + softmin(*above, table[row][m - 1]))
    return table[-1][last]


def logits(state, support, query, class_text, *, prompt_weight, gate_slope):
    """SPEC sections 2 to 4, transductive.

    support ``[N, K, T, C]``, query ``[Q, T, C]``, class_text ``[N, C]`` → ``[Q, N]``
    """

    def linear(name, x):
        return F.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))

    def block(name, x):
        normed = F.layer_norm(x, x.shape[-1:], state[f"{name}.0.norm.weight"], state[f"{name}.0.norm.bias"])
        q, k, v = (linear(f"{name}.0.fn.to_{part}", normed).unflatten(-1, (8, -1)).transpose(-2, -3) for part in "qkv")
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        a = linear(f"{name}.0.fn.to_out.0", (weights @ v).transpose(-2, -3).flatten(-2)) + x
        return linear(f"{name}.1.net.3", F.gelu(linear(f"{name}.1.net.0", a))) + a

    def gate(name, x):
        return torch.sigmoid(linear(f"{name}.2", F.leaky_relu(linear(f"{name}.0", x), gate_slope)))

    def fuse(video, prompt):
        gated = gate("gate_vision", video) * video + prompt_weight * gate("gate_text", prompt) * prompt
        return block("context2.layers.0", torch.cat([prompt, gated], -2))[1:]

    def generated(clip):
        hidden = linear("token_tr.mlp.net.0", class_text.mean(0) * clip.mean())
        return linear("token_tr.mlp.net.3", F.gelu(hidden))[None]

    def refine(tokens):
        return torch.stack([block("context1.layers.0", tokens[:, t]) for t in range(tokens.shape[1])], 1)

    def distances(queries, supports):
        return torch.stack([torch.stack([otam(p, q) for p in supports.mean(1)]) for q in queries])

    way = len(support)
    supports = torch.stack([torch.stack([fuse(clip, class_text[n][None]) for clip in support[n]]) for n in range(way)])
    queries = torch.stack([fuse(clip, generated(clip)) for clip in query])
    d_spm = distances(queries, supports)

    u = torch.stack([torch.cat([supports[n], queries]).mean(0) for n in range(way)])
    a = u.mean(0, keepdim=True)
    refined = refine(torch.cat([u, supports.flatten(0, 1)]))
    u, supports = refined[:way], refined[way:].unflatten(0, supports.shape[:2])
    refined = refine(torch.cat([a, queries]))
    a, queries = refined[:1], refined[1:]
    d_anchor = torch.stack([otam(one, a[0]) for one in u])
    return -(d_spm / 2 + distances(queries, supports) + d_anchor)
