"""Networks of other frameworks: named, described once, pinned, built once, then without them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from manyheads.backbones import frameworks, registry
from manyheads.backbones.framework_builds import pooled_from
from manyheads.backbones.frameworks import FrameworkName
from manyheads.backbones.weights import cached, resolve
from manyheads.errors import (
    BackboneError,
    DownloadError,
    MissingExtraError,
    SettingError,
    WeightsError,
)
from tests.jobs import HeardJob

STAND_INS = Path(__file__).parents[2] / "stand_ins"
MAP = "keras_hub:small_map"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Path:
    """A stand-in for Keras Hub, which children find, and an empty cache."""
    monkeypatch.delenv("MANYHEADS_OFFLINE", raising=False)
    monkeypatch.syspath_prepend(STAND_INS)
    return own_cache


@pytest.fixture
def uninstall(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Hide the frameworks, here and from children."""

    def hide() -> None:
        monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(STAND_INS)])
        monkeypatch.setattr(
            frameworks, "importlib",
            SimpleNamespace(util=SimpleNamespace(find_spec=lambda _: None)),
        )  # fmt: skip

    return hide


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("timm:resnet18", ("timm", "resnet18", None, None)),
        ("timm:resnet18.a1_in1k@1.0.31#mean", ("timm", "resnet18.a1_in1k", "1.0.31", "mean")),
        ("open_clip:ViT-B-32/openai", ("open_clip", "ViT-B-32/openai", None, None)),
        ("keras_hub:a@0.32.0.dev1+x#cls+mean", ("keras_hub", "a", "0.32.0.dev1+x", "cls+mean")),
    ],
)
def test_a_name_has_parts(name: str, parts: tuple[str, str, str | None, str | None]) -> None:
    assert FrameworkName.of(name) == FrameworkName(*parts)
    assert registry.is_described(name)


@pytest.mark.parametrize(
    "name", ["timm:", "timm:hf_hub:a/b", "timm:../a", "timm:a--b", "keras_hub:hf://a", "timm:a b"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BackboneError, match="timm:NAME"):
        registry.get(name)


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(SettingError, match="cls, mean"):
        FrameworkName.of("timm:a#max")


@pytest.mark.usefixtures("own_cache")
def test_a_missing_framework_says_its_line(
    monkeypatch: pytest.MonkeyPatch, uninstall: Callable[[], None]
) -> None:
    uninstall()
    for platform, told in (("linux", "build for the CPU"), ("darwin", r"open-clip\]'$")):
        monkeypatch.setattr(sys, "platform", platform)
        with pytest.raises(MissingExtraError, match=r"no open_clip and no torch.*" + told):
            registry.get("open_clip:ViT-B-32/openai")
    with pytest.raises(MissingExtraError, match=r"pip install 'manyheads\[keras-hub\]'$"):
        registry.get(MAP)


@pytest.mark.when_changed("frameworks")
@pytest.mark.usefixtures("installed")
def test_a_backbone_is_what_its_framework_says() -> None:
    spec = registry.get(MAP)
    assert (spec.name, spec.pinned, spec.tokens, spec.fixed) == (MAP, f"{MAP}@0.1", None, False)
    how = spec.prepared()
    assert (how.size, how.resize, how.interpolation) == (48, "crop", "bilinear")
    assert spec.preprocessing == "mean=0.5,0.5,0.5,std=0.5,0.5,0.5"
    assert not spec.in_keras
    assert registry.get(str(spec.pinned)) == spec
    assert registry.get(f"{MAP}#mean").pinned == f"{MAP}@0.1#mean"
    assert registry.get(MAP, "caffe").preprocessing == "caffe"
    tokens = registry.get("keras_hub:small_tokens")
    assert (tokens.tokens, tokens.fixed) == ("mean", True)


@pytest.mark.when_changed("frameworks")
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("small_mop", "did you mean keras_hub:small_map"),
        ("small_text", r"a network of images .* found inputs token_ids \[None, 8\]"),
        ("small_wide", r"square RGB images .* found 3 × 32 × 64"),
        ("small_map@0.2", r"keras_hub 0.2, .* found keras_hub 0.1; .* @0.1"),
    ],
)
def test_what_is_no_backbone_is_told(name: str, found: str) -> None:
    with pytest.raises((BackboneError, MissingExtraError), match=found):
        registry.get(f"keras_hub:{name}")


def test_a_framework_that_does_not_load_is_told(installed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "keras_hub.py").write_text("raise RuntimeError('operator nms does not exist')")
    sys.path.insert(0, str(broken))
    try:
        with pytest.raises(MissingExtraError, match="imported, found operator nms"):
            registry.get(MAP)
    finally:
        sys.path.remove(str(broken))
    assert not installed.exists()


@pytest.mark.when_changed("frameworks")
@pytest.mark.usefixtures("installed")
def test_a_network_is_announced_built_once_and_goes_on_without_its_framework(
    uninstall: Callable[[], None],
) -> None:
    spec, job = registry.get(MAP), HeardJob()
    assert cached(spec) is None
    weights = resolve(spec, job=job)
    assert weights.source == "small_map of keras_hub 0.1, which states no licence for it"
    assert job.notes == [f"Fetching about 0.7 kB, unless keras_hub has them: {weights.source}"]
    uninstall()
    again = registry.get(MAP)
    assert resolve(again, job=job) == weights == cached(again)
    with pytest.raises(MissingExtraError, match="to build keras_hub:small_map, once"):
        resolve(again, "random:0")


@pytest.mark.when_changed("frameworks")
@pytest.mark.usefixtures("installed")
def test_the_same_network_is_built_anew_with_the_same_digest(own_cache: Path) -> None:
    weights = resolve(registry.get(MAP))
    for file in own_cache.glob("frameworks/networks/*/network.bin"):
        file.write_bytes(b"damaged")
    assert resolve(registry.get(MAP)) == weights


@pytest.mark.when_changed("frameworks")
@pytest.mark.usefixtures("installed")
def test_random_weights_are_those_of_a_seed() -> None:
    spec = registry.get(MAP)
    found = {resolve(spec, given).digest for given in (None, "random:0", "random:1", "random:0")}
    assert len(found) == 3
    with pytest.raises(WeightsError, match=r"or random ones, found net\.h5"):
        resolve(spec, "net.h5")


@pytest.mark.when_changed("frameworks")
def test_weights_that_are_not_to_be_had_leave_nothing(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_UNREACHABLE", "1")
    spec = registry.get(MAP)
    with pytest.raises(DownloadError, match=r"keras_hub fetches, found no route; check the net"):
        resolve(spec)
    monkeypatch.setenv("MANYHEADS_OFFLINE", "1")
    with pytest.raises(DownloadError, match="without `offline`"):
        resolve(spec)
    assert not list(installed.glob("frameworks/networks/*/*"))


@pytest.mark.when_changed("frameworks")
@pytest.mark.usefixtures("installed")
def test_a_network_without_weights_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = registry.get(MAP)
    untrained = replace(frameworks.described(FrameworkName.of(MAP)), trained=False)
    monkeypatch.setattr(frameworks, "described", lambda _: untrained)
    with pytest.raises(BackboneError, match="set `weights` to random:0"):
        resolve(spec)


def test_what_a_member_pools_is_found() -> None:
    last, pooled = "last_hidden_state", "pooler_output"
    numbers = np.random.default_rng(0).standard_normal
    grid, tokens = numbers((2, 5, 3, 3), np.float32), numbers((2, 10, 5), np.float32)
    assert pooled_from({last: grid, pooled: grid.mean((2, 3))}) is None
    assert pooled_from({last: grid.transpose(0, 2, 3, 1), pooled: grid.mean((2, 3))}) is None
    assert pooled_from({last: grid, pooled: grid.max((2, 3))}) == "pooler"
    assert pooled_from({last: tokens, pooled: tokens[:, 0]}) == "cls"
    assert pooled_from({last: tokens, pooled: tokens[:, 1:].mean(1)}) == "mean"
    assert pooled_from({last: tokens, pooled: tokens.mean(1)}) == "pooler"
    assert pooled_from({last: tokens}) == "cls"
    assert pooled_from({last: tokens[:, 1:]}) == "mean"
    assert pooled_from({pooled: tokens[:, 0]}) == "pooler"
