"""Repositories of the hub: named, pinned, fetched once, and never trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads.backbones import hub, hub_backbones, registry
from manyheads.backbones.hub import CONFIG, HubName, Repository
from manyheads.backbones.weights import cached, resolve
from manyheads.core import download
from manyheads.core.text import size_words
from manyheads.errors import BackboneError, DownloadError, SettingError
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.image_options import candidate_images, study_of
from tests import hub_server
from tests.hub_server import COMMIT, PROCESSOR, serving_hub, site_of
from tests.jobs import HeardJob
from tests.networks import save_onnx
from tests.unit.servers import Site

NAME = "people/net"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A repository's files: a network with its weights beside it, and a second one."""
    folder = tmp_path_factory.mktemp("repository")
    network = save_onnx(folder / "model.onnx", external="model.onnx_data")
    other = save_onnx(folder / "model_fp16.onnx")
    return {
        "config.json": json.dumps({"model_type": "dinov2"}).encode(),
        "preprocessor_config.json": json.dumps(PROCESSOR).encode(),
        "onnx/model.onnx": network.read_bytes(),
        "onnx/model.onnx_data": (folder / "model.onnx_data").read_bytes(),
        "onnx/model_fp16.onnx": other.read_bytes(),
        "README.md": b"#" * hub_server.LARGE,
    }


@pytest.fixture
def site(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    monkeypatch.setattr(download, "_PAUSES", (0.0, 0.0))
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "MANYHEADS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serving_hub(site_of(NAME, files)) as site:
        monkeypatch.setenv("HF_ENDPOINT", site.url)
        yield site


def found() -> Repository:
    return hub.repository(HubName.of(f"hf:{NAME}"))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("hf:a/b", ("a/b", "main", "", None)),
        ("hf:a/b.c@v1.0", ("a/b.c", "v1.0", "", None)),
        ("hf:a/b@refs/pr/1:model_fp16#mean", ("a/b", "refs/pr/1", "model_fp16", "mean")),
    ],
)
def test_a_name_has_parts(name: str, parts: tuple[str, str, str, str | None]) -> None:
    assert HubName.of(name) == HubName(*parts)


@pytest.mark.parametrize(
    "name", ["hf:", "hf:a", "hf:a/b/c", "hf:a/../b", "hf:a--b/c", "hf:a/b@", "hf:a b/c"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BackboneError, match="hf:ORG/NAME"):
        HubName.of(name)


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(SettingError, match="cls, mean"):
        HubName.of("hf:a/b#max")


@pytest.mark.usefixtures("site")
def test_a_backbone_is_what_its_repository_says() -> None:
    spec = registry.get(f"hf:{NAME}")
    assert (spec.name, spec.default_size, spec.tokens) == (f"hf:{NAME}", 56, "cls+mean")
    assert spec.hub == f"hf:{NAME}@{COMMIT}#cls+mean"
    how = spec.prepared()
    assert (how.size, how.resize, how.interpolation) == (56, "crop:0.875", "bicubic")
    assert spec.preprocessing == "mean=0.5,0.5,0.5,std=0.25,0.25,0.25"
    assert not spec.in_keras
    assert registry.get(str(spec.hub)) == spec


def test_the_network_is_announced_fetched_and_then_not_asked_for(
    site: Site, files: dict[str, bytes]
) -> None:
    spec, job = registry.get(f"hf:{NAME}"), HeardJob()
    assert cached(spec) is None
    weights = resolve(spec, job=job)
    assert weights.source == f"{NAME} at {COMMIT[:12]}, licence apache-2.0"
    size = len(files["onnx/model.onnx"]) + len(files["onnx/model.onnx_data"])
    assert job.notes == [f"Fetching {size_words(size)}: {weights.source}"]
    assert weights.path.read_bytes() == files["onnx/model.onnx"]
    assert (weights.path.parent / "model.onnx_data").is_file()
    asked = len(site.requests)
    assert resolve(registry.get(f"hf:{NAME}")) == weights == cached(spec)
    assert resolve(registry.get(f"hf:{NAME}@{COMMIT}")) == weights
    assert len(site.requests) == asked


@pytest.mark.usefixtures("site")
def test_what_is_whole_in_the_cache_is_listed_without_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = registry.get(f"hf:{NAME}")
    assert hub_backbones.in_cache() == []  # the network is not there yet
    resolve(spec)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert hub_backbones.in_cache() == [f"hf:{NAME}@{COMMIT}"]
    assert cached(registry.get(f"hf:{NAME}@{COMMIT}")) is not None
    (hub_backbones.hub.repository(HubName.of(f"hf:{NAME}")).folder / CONFIG).unlink()
    assert hub_backbones.in_cache() == []


def test_a_revision_stays_at_its_first_commit(site: Site) -> None:
    registry.get(f"hf:{NAME}")
    other = {
        name: content.replace(COMMIT.encode(), b"f" * 40) for name, content in site.files.items()
    }
    site.files.update(other)
    assert found().commit == COMMIT


def test_a_network_is_asked_for_by_name(site: Site) -> None:
    spec = registry.get(f"hf:{NAME}:model_fp16")
    assert spec.name == f"hf:{NAME}:model_fp16"
    assert resolve(spec).path.name == "model_fp16.onnx"
    with pytest.raises(BackboneError, match=r"onnx/other\.onnx, found onnx/model\.onnx"):
        registry.get(f"hf:{NAME}:other")
    assert not any("model.onnx" in path for path, _ in site.requests)


def test_without_a_network_what_is_missing_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANYHEADS_OFFLINE", "1")
    with pytest.raises(DownloadError, match="no network is to be used"):
        registry.get(f"hf:{NAME}")
    assert not site.requests


def test_the_token_is_shown_to_the_hub(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.token = "secret"
    with pytest.raises(DownloadError, match=r"people/net to be open.*HF_TOKEN"):
        registry.get(f"hf:{NAME}")
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert resolve(registry.get(f"hf:{NAME}")).path.is_file()


def test_a_revision_that_is_not_there_is_told(site: Site) -> None:
    with pytest.raises(DownloadError, match=r"the revision v9 of people/net .*, found none"):
        registry.get(f"hf:{NAME}@v9")
    assert site.requests


@pytest.mark.parametrize(
    "answer",
    [b"<html>sign in</html>", b"[]", b'{"sha": "main", "siblings": []}', b'{"sha": 3}',
     json.dumps({"sha": COMMIT, "siblings": [{"rfilename": "../x", "size": 1}]}).encode()],
    ids=["HTML", "list", "no commit", "no files", "a path that climbs"],
)  # fmt: skip
def test_another_description_than_the_hubs_is_refused(site: Site, answer: bytes) -> None:
    site.files = dict.fromkeys(site.files, answer)
    with pytest.raises(DownloadError, match="HF_ENDPOINT"):
        registry.get(f"hf:{NAME}")


@pytest.mark.parametrize("file", ["onnx/model.onnx", "onnx/model.onnx_data"])
def test_a_file_that_changed_under_its_commit_is_refused(
    site: Site, files: dict[str, bytes], file: str
) -> None:
    spec = registry.get(f"hf:{NAME}")
    content = files[file]
    site.files[f"{NAME}/resolve/{COMMIT}/{file}"] = content[:-1] + b"?"
    with pytest.raises(DownloadError, match=f"{Path(file).name} of {NAME} as it is at the commit"):
        resolve(spec)
    assert cached(spec) is None
    assert spec.file is not None
    assert not (spec.file.parent.parent / file).exists()


def test_a_large_file_has_the_digest_that_the_hub_tells(site: Site) -> None:
    repository = found()
    repository.fetch("README.md")
    (repository.folder / "README.md").unlink()
    site.files[f"{NAME}/resolve/{COMMIT}/README.md"] = b"?" * hub_server.LARGE
    with pytest.raises(DownloadError, match="the digest"):
        repository.fetch("README.md")
    assert repository.present("README.md") is None


def test_a_processor_that_is_no_json_is_refused(site: Site, files: dict[str, bytes]) -> None:
    site.files = site_of(NAME, files | {"preprocessor_config.json": b"<html>"})
    with pytest.raises(BackboneError, match=r"settings as JSON in preprocessor_config\.json"):
        registry.get(f"hf:{NAME}")


def test_a_repository_without_a_network_is_refused(site: Site, files: dict[str, bytes]) -> None:
    few = {name: content for name, content in files.items() if "onnx" not in name}
    site.files = site_of(NAME, few)
    with pytest.raises(BackboneError, match=r"onnx/model\.onnx.*, found no \.onnx file"):
        registry.get(f"hf:{NAME}")


def test_what_tokens_become_follows_from_the_family(site: Site, files: dict[str, bytes]) -> None:
    site.files = site_of(NAME, files | {"config.json": b'{"model_type": "siglip_vision_model"}'})
    assert hub_backbones.spec_of(f"hf:{NAME}").tokens == "pooler"
    assert hub_backbones.spec_of(f"hf:{NAME}#mean").tokens == "mean"


@pytest.mark.usefixtures("site")
def test_a_fit_prepares_images_as_the_repository_says() -> None:
    settings = FitSettings(data="photos", backbone=f"hf:{NAME}", budget=60)
    assert candidate_images(None, registry.get(f"hf:{NAME}")) == [(56, 1), (56, 0)]
    study = study_of(settings, 5, (56, 0))
    assert (study.image.resize, study.image.size) == ("crop:0.875", 56)
    assert study.backbone == f"hf:{NAME}@{COMMIT}#cls+mean"
