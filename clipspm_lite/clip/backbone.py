"""open_clip behind one small interface: frames to features, class names to text features."""

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clipspm_lite.arguments import check_known
from clipspm_lite.clip.lora import merged_state
from clipspm_lite.clip.prompts import TEMPLATES, fill_templates
from clipspm_lite.clip.released_format import is_released, read_released
from clipspm_lite.data.names import readable
from clipspm_lite.storage.files import CheckpointError, fill, is_safetensors, one_line, read_torch
from clipspm_lite.threads import pick_device

TINY_CLIP_DIR = Path(__file__).parents[1] / "tiny_clip"
LOCAL_DIR, HUB = "local-dir:", "hf-hub:"  # open_clip's prefixes
WEIGHTS_FILE = "open_clip_model.safetensors"
OPENAI_ENTRIES = {"input_resolution", "context_length", "vocab_size"}  # only OpenAI's own files have these

Parts = tuple[Any, Callable[..., Tensor], dict[str, Any]]  # an open_clip model, its tokenizer and its configuration


class VisualOnly(nn.Module):
    """A CLIP without a text encoder."""

    def __init__(self, visual: nn.Module):
        super().__init__()
        self.visual = visual
        self.register_buffer("logit_scale", torch.tensor(100.0).log(), persistent=False)  # OpenAI's

    def encode_image(self, image: Tensor) -> Tensor:
        return self.visual(image)

    def encode_text(self, _tokens: Tensor) -> Tensor:
        raise ValueError("text_weights: class names need a text encoder: give an open_clip tag (openai) or a file")


class Backbone(nn.Module):
    """A CLIP model that turns frames and class names into vectors of one joint space, of width ``dim`` = C.

    The text encoder is frozen, the visual encoder ``clip.visual`` too until `set_trainable(True)`. BatchNorm (RN50)
    keeps its stored statistics in training: those of an episode's few clips would leak from one clip to another.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, parts: Parts, *, name: str, weights: str | None, normalize_pixels: bool):
        super().__init__()
        clip, self.tokenizer, self._config = parts
        self.clip: Any = clip.to(memory_format=torch.channels_last)  # several times faster on a CPU
        self.name, self.weights = name, weights  # an open_clip tag, a file's name, "random", or None: the folder's own
        self.dim = int(self._config["embed_dim"])
        size = clip.visual.image_size
        self.image_size = int(size if isinstance(size, int) else size[0])
        self.benchmark_resize = round(self.image_size * 256 / 224)  # shorter side before the crop (SPEC section 4)
        self.normalize_pixels = normalize_pixels
        self.register_buffer("pixel_mean", torch.tensor(clip.visual.image_mean).view(3, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(clip.visual.image_std).view(3, 1, 1), persistent=False)
        self.set_trainable(False).eval()

    def set_trainable(self, trainable: bool) -> "Backbone":
        """Thaw or freeze the visual encoder; the text encoder stays frozen."""
        self.clip.requires_grad_(False)
        self.clip.visual.requires_grad_(trainable)
        return self

    def train(self, mode: bool = True) -> "Backbone":
        """Training mode for the visual encoder, except its BatchNorm; the text encoder stays in eval mode."""
        super().train(mode)
        self.clip.eval()
        self.clip.visual.train(mode)
        for module in self.clip.visual.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def encode_frames(self, frames: Tensor, *, chunk: int = 256, recompute: bool = False) -> Tensor:
        """Features `[..., T, C]` from visual encoder and projection; not L2-normalised (SPEC section 1).

        Args:
            frames: float RGB in [0, 1], `[..., T, 3, H, W]` with H = W = `image_size`; otherwise ValueError.
            chunk: how many frames pass the encoder at once; fewer need less memory.
            recompute: the backward pass computes activations again, chunk by chunk (open_clip's does not for a ResNet).
        """
        size = self.image_size
        if frames.ndim < 4 or frames.shape[-3:] != (3, size, size):
            wanted = f"[..., T, 3, {size}, {size}], as from load_video(path, size={size}),"
            raise ValueError(f"frames: expected {wanted} for {self.name}, found {list(frames.shape)}")
        flat = frames.reshape(-1, 3, size, size).to(self.pixel_mean)  # type and device
        # A resize may overshoot by a rounding error, hence the margin.
        if frames.dtype == torch.uint8 or (len(flat) and not -1e-3 <= flat.min() <= flat.max() <= 1.001):
            found = f"{frames.dtype} in [{flat.min():.3g}, {flat.max():.3g}]"
            raise ValueError(f"frames: expected floats in [0, 1], found {found}: use frames / 255, not normalised")
        encode = partial(checkpoint, self._encode_chunk, use_reentrant=False) if recompute else self._encode_chunk
        features = [encode(part) for part in flat.split(chunk)] if len(flat) else [flat.new_zeros(0, self.dim)]
        return torch.cat(features).view(*frames.shape[:-3], self.dim)

    def _encode_chunk(self, frames: Tensor) -> Tensor:
        if self.normalize_pixels:
            frames = (frames - self.pixel_mean) / self.pixel_std
        return self.clip.encode_image(frames.contiguous(memory_format=torch.channels_last))

    @torch.no_grad()
    def encode_class_names(self, names: Sequence[str], templates: Sequence[str] = TEMPLATES) -> Tensor:
        """Mean of the text features of each name in every template, `[N, C]`, not L2-normalised (SPEC section 1).

        Names are made `readable`; a template is a sentence with one `{}`. Raises TypeError or ValueError.
        """
        if isinstance(names, str):
            raise TypeError(f"names: expected a sequence of class names, found a string: use [{names!r}]")
        if not all(isinstance(name, str) and readable(name) for name in names):
            raise ValueError(f"names: expected class names with words to read, found {list(names)!r}")
        features = []
        for name in names:
            tokens = self.tokenizer(fill_templates(readable(name), templates))
            features.append(self.clip.encode_text(tokens.to(self.pixel_mean.device)).mean(dim=0))
            named = [t[: t.index("{}")] + readable(name) for t in templates]  # what follows the name may be cut off
            if (self.tokenizer(named, context_length=tokens.shape[1] + 1)[:, :-1] != self.tokenizer(named)).any():
                warnings.warn(f"cut off, too long for the text encoder of {self.name}: {name!r}", stacklevel=3)
        return torch.stack(features) if features else self.pixel_mean.new_zeros(0, self.dim)

    @property
    def cosine_scale(self) -> float:
        """What this CLIP was trained to multiply a cosine by before a softmax, 100 for OpenAI's."""
        return float(self.clip.logit_scale.exp())

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of architecture, weights as they are now, and normalisation: equal means equal features."""
        return self._digest("")

    @property
    def visual_fingerprint(self) -> str:
        """The same without the text encoder's weights: equal means equal frame features."""
        return self._digest("visual.")

    def _digest(self, prefix: str) -> str:
        mean, std = self.pixel_mean.flatten().tolist(), self.pixel_std.flatten().tolist()
        settings = json.dumps([self._config, self.normalize_pixels, mean, std], sort_keys=True)
        digest = hashlib.sha256(settings.encode())
        for key, tensor in sorted(merged_state(self.clip).items()):
            if key.startswith(prefix):
                digest.update(f"{key} {tensor.dtype} {list(tensor.shape)}".encode())
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()


def load_backbone(
    name: str = "tiny",
    *,
    weights: str | Path | None = None,
    text_weights: str | Path | None = None,
    device: str | torch.device = "auto",
    normalize_pixels: bool = True,
) -> Backbone:
    """Build a frozen backbone: the tiny CLIP, any open_clip architecture, or a CLIP from a folder or the hub.

    Args:
        name: "tiny", an open_clip architecture, or, with its own configuration, "local-dir:FOLDER" or "hf-hub:NAME".
        weights: for an architecture an open_clip tag such as "openai" (downloaded once), a file (OpenAI's own, a state
            dict or .safetensors), or "random". A checkpoint of the released code gives its fine-tuned visual encoder.
        text_weights: a tag or a file for the text encoder, which a released checkpoint lacks.
        device: a name that torch knows, or "auto": cuda, mps or the CPU, the first of them that there is.
        normalize_pixels: False feeds raw [0, 1] pixels, as the released code does (SPEC section 1).

    Raises ValueError for an unknown name, tag or file, or a file that does not fit, FileNotFoundError for a folder.
    """
    if name == "tiny" or name.startswith((LOCAL_DIR, HUB)):
        parts = _from_folder(f"{LOCAL_DIR}{TINY_CLIP_DIR}" if name == "tiny" else name, weights)
    elif weights is not None and is_released(weights):
        parts = _from_released(name, weights, text_weights)
    else:
        parts = _from_architecture(name, weights)
    source = None if weights is None else Path(weights).name
    return Backbone(parts, name=name, weights=source, normalize_pixels=normalize_pixels).to(pick_device(device))


def public_name(name: str) -> str:
    """A backbone's name without the folders around a local one, for files that may be given away."""
    return LOCAL_DIR + Path(name.removeprefix(LOCAL_DIR)).name if name.startswith(LOCAL_DIR) else name


def _from_folder(name: str, weights: str | Path | None) -> Parts:
    """A CLIP with its own configuration: in a folder, or on the hub, from where open_clip downloads it."""
    folder, own = Path(name.removeprefix(LOCAL_DIR)), weights is None
    if weights not in (None, "random"):
        raise ValueError(f"weights: {name} holds its own; leave weights out or give 'random', found {str(weights)!r}")
    if name.startswith(LOCAL_DIR) and own and not any(folder.glob("open_clip_*model.*")):  # it would take another file
        raise FileNotFoundError(f"the folder of a CLIP needs {WEIGHTS_FILE}, not found: {folder}")
    try:
        config: Any = open_clip.get_model_config(name)
        clip = open_clip.create_model(name, load_weights=own, require_pretrained=own, weights_only=True)
        text, how = config["text_cfg"], dict[str, Any]()
        if text.get("hf_tokenizer_name"):
            how["trust_remote_code"] = False  # whatever the configuration says
        elif merges := text.get("tokenizer_kwargs", {}).get("bpe_path"):
            how["bpe_path"] = str(folder / Path(merges).name)  # open_clip looks for it in the working directory
        return clip, open_clip.get_tokenizer(name, **how), config
    except Exception as error:  # whatever is in the folder, or the network does
        offline = "without a network give local-dir:FOLDER; " if name.startswith(HUB) else ""
        raise ValueError(f"backbone {name}: {offline}{type(error).__name__}: {one_line(error)}") from error


def _from_architecture(name: str, weights: str | Path | None) -> Parts:
    if name not in open_clip.list_models():
        known = f"'tiny', {LOCAL_DIR}FOLDER, {HUB}NAME or one of open_clip.list_models()"
        raise ValueError(f"backbone: expected {known}, found {name!r}")
    config: Any = open_clip.get_model_config(name)
    if weights == "random":
        clip = open_clip.create_model(name, load_weights=False, pretrained_text=False)
    elif isinstance(weights, str) and (tag := open_clip.get_pretrained_cfg(name, weights)):
        if tag.get("quick_gelu", False) != config.get("quick_gelu", False):
            raise ValueError(f"weights: {weights!r} needs QuickGELU: use the name '{name}-quickgelu'")
        clip = open_clip.create_model(name, weights, require_pretrained=True, weights_only=True)
    elif weights is not None and Path(weights).is_file():
        clip = _from_file(name, Path(weights))
    else:  # open_clip itself would go on with random weights and only a warning
        known = f"a file, 'random' or a tag of {open_clip.list_pretrained_tags_by_model(name)}"
        raise ValueError(f"weights of {name}: expected {known}, found {weights!r}")
    return clip, open_clip.get_tokenizer(name), config


def _from_file(name: str, path: Path) -> nn.Module:
    ambiguous = f"{name}-quickgelu" in open_clip.list_models()
    try:
        content = load_file(path) if is_safetensors(path) else read_torch(path)
        state = _state_dict(content)
        if ambiguous and state.keys() >= OPENAI_ENTRIES:
            raise ValueError(f"OpenAI's, made with QuickGELU: use the name {name}-quickgelu")
        if any(key.startswith(("vision_model.", "text_model.")) for key in state):
            raise ValueError(f"in the format of transformers: take {WEIGHTS_FILE} from its page, or OpenAI's .pt file")
        wanted = {k: v for k, v in state.items() if k not in OPENAI_ENTRIES and not k.endswith("attn_mask")}
        own = wanted.keys() == content.keys()  # open_clip reads it, and knows older forms
        clip = open_clip.create_model(name, str(path), load_weights=own, require_pretrained=own, weights_only=True)
        if not own:
            clip.load_state_dict(wanted)
    except Exception as error:  # torch, pickle and safetensors raise types of their own for a bad file
        raise ValueError(f"not weights of {name} ({type(error).__name__}: {one_line(error)}): {path}") from error
    if ambiguous:
        advice = f"{name} computes with GELU; weights that come from OpenAI need the name {name}-quickgelu"
        warnings.warn(f"{path.name} does not say which activation it was trained with: {advice}", stacklevel=4)
    return clip


def _state_dict(content: Any) -> dict[str, Any]:
    """The weights of a CLIP in what a file holds, from the dict around them and without their prefix ("module.")."""
    for found in (content, *content.values()):
        names = map(str, found) if isinstance(found, dict) else ()
        if scale := next((name for name in names if name.endswith("logit_scale")), None):  # every CLIP has it
            return {name.removeprefix(scale.removesuffix("logit_scale")): tensor for name, tensor in found.items()}
    return content.get("state_dict", content)


def _from_released(name: str, path: str | Path, text_weights: str | Path | None) -> Parts:
    architecture, tensors, _ = read_released(path)
    config = open_clip.get_model_config(architecture)
    with torch.device("meta"):  # takes no memory, and no text encoder is ever made
        visual: Any = open_clip.CLIP(**config).visual
    visual.image_mean, visual.image_std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    try:
        check_known("backbone", name, [architecture])
        fill(visual, tensors)
    except ValueError as error:
        raise CheckpointError(f"not the visual encoder of {name} ({error}): {path}") from None
    if text_weights is None:
        return VisualOnly(visual), open_clip.get_tokenizer(name), config
    parts = _from_architecture(name, text_weights)
    parts[0].visual = visual
    return parts
