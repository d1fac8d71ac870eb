"""Whatever is in a model file or its side file: it is read, or refused in one line."""

from __future__ import annotations

import copy
import io
import json
import random
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.backbones import registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.weights import resolve
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import ManyheadsError, ModelError
from manyheads.modelfiles import untrusted
from manyheads.models.card import ModelCard, card_path, read_card, write_card
from manyheads.models.classifier import load
from manyheads.models.importing.foreign import take_head

CARD = ModelCard(
    classes=("cat", "dog"),
    backbone="mobilenet_v2",
    weights="d" * 64,
    weights_source="a test",
    image=ImageSettings(size=32),
    preprocessing="keras.applications.mobilenet_v2.preprocess_input",
    data="photographs",
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["Lambda", "Dense", "relu", "../x", "keras.layers", "layers", "dense"]),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["class_name", "config", "name", "layers", "x"]), inner)
    ),
    max_leaves=6,
)


@pytest.mark.when_changed("model files")
@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks on Windows")
@pytest.mark.parametrize(("kind", "count"), [("h5", 15), ("keras", 15), ("onnx", 20)])
def test_damaged_files(tmp_path: Path, kind: str, count: int) -> None:
    found = damaged(tmp_path, kind, seed=20, count=count)
    assert found["read"]
    assert found["refused"] > count / 4


@pytest.mark.slow
@pytest.mark.when_changed("model files")
@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks on Windows")
@pytest.mark.parametrize("kind", ["h5", "keras", "onnx"])
def test_many_damaged_files(tmp_path: Path, kind: str) -> None:
    damaged(tmp_path, kind, seed=22, count=400)  # `python -m tests.fuzz` takes any seed


def damaged(folder: Path, kind: str, seed: int, count: int) -> Counter[str]:
    """How often what became of a damaged file, of which none may be unexpected.

    libhdf5 runs for ever on some, or crashes: that ends the process that reads it, no other.
    """
    from tests.fuzz import UNEXPECTED, outcomes

    found: Counter[str] = Counter()
    for ending, content in islice(outcomes(kind, seed, folder), count):
        found[ending] += 1
        if ending == UNEXPECTED:
            (folder / f"unexpected.{kind}").write_bytes(content)
            pytest.fail(f"seed {seed}: {folder}/unexpected.{kind} is neither read nor refused")
    return found


@pytest.mark.slow
@pytest.mark.when_changed("model files")
def test_damaged_networks_with_data_beside_them(tmp_path: Path) -> None:
    """Through the library that compiles them, in its child: features, or an error of one line."""
    from tests.fuzz import damaged as damage
    from tests.fuzz import small_onnx

    whole, chance, file = small_onnx(tmp_path), random.Random(7), tmp_path / "net.onnx"
    ended, lines = Counter[bool](), 0
    for _ in range(30):
        file.write_bytes(damage(whole, chance))
        try:
            spec = registry.get(file, "tf")
            with compile_backbone(spec, resolve(spec), 40) as backbone:
                pixels = np.zeros((1, 40, 40, 3), np.uint8)
                ended[len(dict(backbone.run([(0, pixels)]))) == 1] += 1
        except ManyheadsError as error:
            ended[False] += 1
            lines += str(error).count("\n")
    assert ended[True]
    assert ended[False]
    assert not lines


@pytest.mark.when_changed("model files")
@settings(max_examples=80)
@given(st.data())
def test_any_configuration(anywhere: Path, data: st.DataObject) -> None:
    """Parts of a configuration exchanged for anything at all."""
    from tests.fuzz import small_keras

    buffer = io.BytesIO(small_keras())
    with zipfile.ZipFile(buffer) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = exchanged(json.loads(parts["config.json"]), data)
    parts["config.json"] = json.dumps(config).encode()
    file = anywhere / "model.keras"
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    one_line_or_none(take_head, str(file), str(anywhere / "head.safetensors"))


@pytest.mark.when_changed("model files")
@settings(max_examples=120)
@given(st.data())
def test_any_side_file(anywhere: Path, data: st.DataObject) -> None:
    model = anywhere / "model.keras"
    write_card(model, CARD)
    document = json.loads(card_path(model).read_text(encoding="utf-8"))
    text = json.dumps(exchanged(document, data))
    card_path(model).write_text(text, encoding="utf-8")
    one_line_or_none(read_card, model)
    one_line_or_none(load, model)


@settings(max_examples=80)
@given(st.binary(max_size=60), st.integers(0, 900))
def test_bytes_in_a_side_file(anywhere: Path, content: bytes, at: int) -> None:
    model = anywhere / "model.keras"
    write_card(model, CARD)
    whole = card_path(model).read_bytes()
    card_path(model).write_bytes(whole[:at] + content + whole[at + len(content) :])
    one_line_or_none(read_card, model)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "1" * 10_000])
def test_a_side_file_without_a_bottom(anywhere: Path, text: str) -> None:
    model = anywhere / "model.keras"
    card_path(model).write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="the side file"):
        read_card(model)


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a small model, where files are read in this very process, without bounds."""
    from tests.fuzz import small_keras

    folder = tmp_path_factory.mktemp("law")
    (folder / "model.keras").write_bytes(small_keras())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(untrusted, "bound", lambda _file: None)
        yield folder


def exchanged(document: Any, data: st.DataObject) -> Any:
    """`document` with one to three of its parts exchanged."""
    document = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 3))):
        at: Any = document
        for _ in range(data.draw(st.integers(0, 5))):
            inner = [value for value in children(at) if isinstance(value, dict | list) and value]
            if not inner:
                break
            at = data.draw(st.sampled_from(inner))
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if keys:
            at[data.draw(st.sampled_from(keys))] = data.draw(ANYTHING)
    return document


def children(entry: Any) -> list[Any]:
    return list(entry.values()) if isinstance(entry, dict) else list(entry)


def one_line_or_none(function: Any, *arguments: Any) -> None:
    refusal = ""
    try:
        function(*arguments)
    except ManyheadsError as error:
        refusal = str(error)
    assert not refusal or refusal.startswith("expected ")
    assert "\n" not in refusal
