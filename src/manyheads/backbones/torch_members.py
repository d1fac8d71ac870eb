"""Networks of timm and of open_clip, which PyTorch runs; imported in a child process alone."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from manyheads.backbones.framework_members import (
    OUTPUTS,
    Facts,
    interpolation,
    normalisation,
    square,
    unknown,
    unprepared,
)
from manyheads.backbones.processors import Preparation
from manyheads.core import openvino_runtime
from manyheads.errors import BackboneError

_EXAMPLE = 2  # images with which a network is traced that takes any number of them


class TorchMember:
    """A module of PyTorch's as a `Member`; `outputs` maps images to (last, pooled) tensors.

    `last` is None for a network whose pooled output is all that there is.
    """

    is_last = False

    def __init__(self, module: Any, outputs: Callable[[Any, Any], Any], facts: Facts) -> None:
        torch: Any = importlib.import_module("torch")

        class Both(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = module

            def forward(self, images: Any) -> Any:
                last, pooled = outputs(self.inner, images)
                return pooled if last is None else (last, pooled)

        self.facts = facts
        self._both = Both().eval().requires_grad_(False)

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        torch: Any = importlib.import_module("torch")
        with torch.inference_mode():
            found = self._both(torch.from_numpy(images))
        found = found if isinstance(found, tuple) else (None, found)
        return {
            name: each.numpy()
            for name, each in zip(OUTPUTS, found, strict=True)
            if each is not None
        }

    def converted(self, batch: int | None, size: int | None) -> Any:
        torch: Any = importlib.import_module("torch")
        side = size or self.facts.preparation.size
        example = torch.zeros(batch or _EXAMPLE, 3, side, side)
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # tracing warns of what the comparison shows
            model = openvino_runtime.openvino().convert_model(self._both, example_input=example)
        model.reshape([batch or -1, 3, size or -1, size or -1])
        model.input().set_names({"images"})
        for name, output in zip(OUTPUTS[-len(model.outputs) :], model.outputs, strict=True):
            output.get_tensor().set_names({name})
        return model


class Timm:
    """Networks of timm: the output of `forward_features`, and the pooled one before the classes."""

    def __init__(self) -> None:
        self._timm: Any = importlib.import_module("timm")
        self.version = str(self._timm.__version__)

    def whole_name(self, member: str) -> str:
        timm = self._timm
        architecture, _, tag = member.partition(".")
        if "/" in member or not timm.is_model(architecture):
            known = {*timm.list_models(), *timm.list_pretrained()}
            raise unknown("timm", member, known)
        if tag:
            tags = timm.list_pretrained(f"{architecture}.*")
            if member not in tags:
                raise unknown("timm", member, tags)
            return member
        config = timm.models.get_pretrained_cfg(architecture)
        return f"{architecture}.{config.tag}" if config and config.tag else architecture

    def opened(self, member: str, *, trained: bool, seed: int = 0) -> TorchMember:
        importlib.import_module("torch").manual_seed(seed)
        model = self._timm.create_model(member, pretrained=trained, num_classes=0)
        facts = Facts(
            preparation=self._preparation(member, model),
            licence=str(model.pretrained_cfg.get("license") or ""),
            parameters=_parameters(model),
            fixed=bool(model.pretrained_cfg.get("fixed_input_size")),
            trained=bool(self._timm.is_model_pretrained(member)),
        )
        return TorchMember(model, _timm_outputs, facts)

    def _preparation(self, member: str, model: Any) -> Preparation:
        config = self._timm.data.resolve_model_data_config(model)
        size = square(f"timm:{member}", *config["input_size"])
        whole = math.floor(size / config["crop_pct"])  # as timm rounds
        mode = config["crop_mode"]
        if mode == "center":
            resize = "crop" if whole == size else f"crop:{size / whole:.9g}"
        elif mode == "squash" and whole == size:
            resize = None
        else:
            raise unprepared(f"timm:{member}", f"crop_mode {mode}, crop_pct {config['crop_pct']}")
        return Preparation(
            size, resize, interpolation(f"timm:{member}", config["interpolation"]),
            normalisation(config["mean"], config["std"]),
        )  # fmt: skip


def _timm_outputs(model: Any, images: Any) -> tuple[Any, Any]:
    if not hasattr(model, "forward_head"):
        return None, model(images)
    last = model.forward_features(images)
    return last if last.ndim in (3, 4) else None, model.forward_head(last)


class OpenClip:
    """The image towers of open_clip: their cells as a map, and their embedding."""

    def __init__(self) -> None:
        self._clip: Any = importlib.import_module("open_clip")
        self.version = str(self._clip.__version__)

    def whole_name(self, member: str) -> str:
        architecture, _, tag = member.partition("/")
        if architecture not in self._clip.list_models():
            raise unknown("open_clip", architecture, self._clip.list_models())
        tags = self._clip.list_pretrained_tags_by_model(architecture)
        if tag not in (tags or [""]):
            some = ", ".join(tags[:6]) + (" …" if tags[6:] else "")
            remedy = f"take one of {some}" if tags else "leave out what follows the slash"
            raise BackboneError(
                f"weights that open_clip has for {architecture}, open_clip:{architecture}/WEIGHTS",
                repr(tag) if tag else "none", remedy,
            )  # fmt: skip
        return member

    def opened(self, member: str, *, trained: bool, seed: int = 0) -> TorchMember:
        architecture, _, tag = member.partition("/")
        config = self._clip.get_pretrained_cfg(architecture, tag) if tag else {}
        importlib.import_module("torch").manual_seed(seed)
        model = self._clip.create_model(
            architecture, pretrained=tag if trained else None, pretrained_text=False,
            # The activation that the weights were trained with, which the name may not say.
            force_quick_gelu=bool(config.get("quick_gelu")),
        )  # fmt: skip
        facts = Facts(
            preparation=_clip_preparation(f"open_clip:{member}", model.visual, config),
            licence="",
            parameters=_parameters(model),
            fixed=True,
            trained=bool(tag),
        )
        return TorchMember(model, _clip_outputs, facts)


def _clip_preparation(shown: str, tower: Any, config: dict[str, Any]) -> Preparation:
    said = {**tower.preprocess_cfg, **{k: v for k, v in config.items() if v is not None}}
    given = tower.image_size
    size = square(shown, 3, *(given if isinstance(given, tuple | list) else (given, given)))
    modes = {"shortest": "crop", "squash": None, "longest": "pad"}
    mode = said.get("resize_mode") or "shortest"
    if mode not in modes or said.get("fill_color", 0) != 0:
        raise unprepared(shown, f"resize_mode {mode}, fill_color {said.get('fill_color')}")
    return Preparation(
        size, modes[mode], interpolation(shown, said["interpolation"]),
        normalisation(said["mean"], said["std"]),
    )  # fmt: skip


def _clip_outputs(model: Any, images: Any) -> tuple[Any, Any]:
    pooled = model.encode_image(images, normalize=False)
    tower = model.visual
    # Attention over the cells replaces their norm, and with it what they mean by themselves.
    if not hasattr(tower, "forward_intermediates") or getattr(tower, "attn_pool", None) is not None:
        return None, pooled
    found = tower.forward_intermediates(
        images, indices=1, normalize_intermediates=True, intermediates_only=True
    )
    return found["image_intermediates"][-1], pooled


def _parameters(model: Any) -> int:
    return sum(each.numel() for each in model.parameters())
