from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads.backbones import exported, keras_server, registry, weights
from manyheads.backbones.backbone_catalogue import HUB, RECOMMENDED, HubEntry, licence_of
from manyheads.backbones.backbone_cost import remember_images
from manyheads.backbones.hub import HubName
from manyheads.backbones.known import known
from manyheads.cli.main import main
from manyheads.errors import BackboneError
from manyheads.run import backbone_list
from manyheads.run.backbone_list import ListedBackbone, list_backbones
from tests.hub_server import PROCESSOR, serving_hub, site_of
from tests.networks import save_onnx
from tests.unit.servers import Site

ENTRY = HubEntry("hf:people/net:model", 96, 3, 12_345_678, "Their-Own", classes=1000)


@pytest.fixture(autouse=True)
def nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that is empty, and servers that are not there."""
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("MANYHEADS_KERAS_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(keras_server, "fetched", None)


def named(name: str, image_size: int | None = None) -> ListedBackbone:
    (found,) = [each for each in list_backbones(image_size=image_size).entries if each.name == name]
    return found


def test_the_recommended_ones_come_first_and_the_lessons_before_all() -> None:
    names = [each.name for each in list_backbones().entries]
    assert names == [*RECOMMENDED, *(entry.name for entry in HUB)]
    assert names[0] == "xception"
    assert {"efficientnet_lite0", "efficientnet_lite2"} <= set(names)


def test_all_names_are_listed_once() -> None:
    names = [each.name for each in list_backbones(everything=True).entries]
    assert len(names) == len(set(names))
    assert set(names) == {*registry.names(), *(entry.name for entry in HUB)}


def test_what_is_known_without_a_network() -> None:
    found = named("xception")
    assert found == ListedBackbone(
        name="xception", image_size=299, features=2048, megabytes=83.44592, gflop=16.711,
        images_per_second=None, licence="MIT", cached=False,
    )  # fmt: skip
    remember_images("xception", 299, 12.5)
    assert named("xception").images_per_second == 12.5
    small = named("hf:onnx-community/dinov2-small")
    assert (small.megabytes, small.licence, small.cached) == (88.532934, "Apache-2.0", False)
    assert small.gflop is None


def test_costs_are_those_of_the_size_that_is_asked_for() -> None:
    remember_images("xception", 150, 47.0)
    found = named("xception", image_size=150)
    assert (found.image_size, found.gflop, found.images_per_second) == (150, None, 47.0)
    assert named("xception", image_size=299).gflop == 16.711
    with pytest.raises(BackboneError, match="at least 71 for xception, found 64"):
        list_backbones(image_size=64)


def test_every_entry_can_be_named() -> None:
    for entry in HUB:
        assert HubName.of(entry.name).repository in entry.name
        assert entry.image_size > 0
    for name in registry.names():
        spec = registry.get(name)
        assert licence_of(spec), name
        assert (facts := known(spec)) is not None
        assert facts.gflop > 0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A hub with the only repository of the catalogue."""
    monkeypatch.setattr(backbone_list, "HUB", (ENTRY,))
    files = {
        "config.json": b"{}",
        "preprocessor_config.json": json.dumps(PROCESSOR).encode(),
        "onnx/model.onnx": save_onnx(tmp_path / "model.onnx").read_bytes(),
    }
    with serving_hub(site_of("people/net", files)) as site:
        monkeypatch.setenv("HF_ENDPOINT", site.url)
        yield site


def test_what_the_hub_says_replaces_what_the_catalogue_has(site: Site) -> None:
    before = named(ENTRY.name)
    assert (before.image_size, before.megabytes, before.licence) == (96, 12.345678, "Their-Own")
    assert not site.requests
    spec = registry.get(ENTRY.name)
    described = named(ENTRY.name)
    size = len(site.files[next(name for name in site.files if name.endswith("model.onnx"))])
    assert (described.image_size, described.megabytes) == (56, size / 1e6)
    assert (described.licence, described.cached) == ("apache-2.0", False)
    kept = weights.resolve(spec)
    asked = len(site.requests)
    assert (found := named(ENTRY.name)).cached
    assert found.gflop is None
    exported.program(spec, kept, 56)
    assert (named(ENTRY.name).gflop or 0) > 0
    assert len(site.requests) == asked


def test_one_that_cannot_be_used_says_why(site: Site) -> None:
    page = next(name for name in site.files if name.endswith("preprocessor_config.json"))
    about = [name for name in site.files if name.startswith("api/")]
    odd = json.dumps(PROCESSOR | {"do_flip": True}).encode()
    changed = site_of("people/net", {Path(page).name: odd, "onnx/model.onnx": b"x" * 9})
    site.files |= changed
    assert about
    with pytest.raises(BackboneError):
        registry.get(ENTRY.name)
    found = named(ENTRY.name)
    assert found.remark.startswith("it cannot be used: expected only fields that are known")
    assert not found.cached


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    remember_images("xception", 299, 12.5)
    assert main(["backbones"]) == 0
    shown = capsys.readouterr().out
    (line,) = [each for each in shown.splitlines() if each.startswith("xception ")]
    assert line.split() == ["xception", "299", "2,048", "83.4", "16.7", "12.5", "MIT", "no"]
    assert "vgg16" not in shown
    assert "convnextv2-tiny-22k-224: its features are the scores of 1,000 classes." in shown
    assert main(["backbones", "--all"]) == 0
    assert "vgg16" in capsys.readouterr().out
    assert main(["backbones", "--json", "--image-size", "150"]) == 0
    first = json.loads(capsys.readouterr().out)["backbones"][0]
    assert first["name"] == "xception"
    assert (first["image_size"], first["gflop"], first["cached"]) == (150, None, False)
    assert main(["backbones", "--image-size", "20"]) == 1
    assert "at least 71" in capsys.readouterr().err


def test_a_list_is_a_finding() -> None:
    first = list_backbones().sentences[0]
    assert first == (
        "xception: 299 pixels, 2,048 features, 83.4 MB, 16.71 GFLOP per image, MIT, not in the "
        "cache."
    )
