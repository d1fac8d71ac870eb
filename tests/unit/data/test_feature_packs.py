"""Packs of features: what was packed is read, and nothing else is taken for a pack."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from manyheads.data.columns import Categorical
from manyheads.data.data_settings import TableSettings
from manyheads.data.feature_files import open_features, read_matrix
from manyheads.data.feature_packs import (
    NO_CHECKSUM,
    checksum,
    has_several_labels,
    is_pack,
    read_pack,
)
from manyheads.data.several_labels import may_have_several
from manyheads.errors import DataError
from manyheads.features.packing import write_pack
from tests.packs import CLASSES, LABELS, NAMES, SETS, VALUES, pack_of_labels, small_pack


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A pack of six images."""
    return write(tmp_path / "p.safetensors")


def write(path: Path, storage: str = "f32", **changes: Any) -> Path:
    pack = replace(small_pack(), **changes)
    write_pack(path, pack, np.arange(len(VALUES)), storage)
    return path


def rewritten(file: Path, change: Callable[[dict[str, Any], dict[str, str]], None]) -> Path:
    """The pack with other tensors or metadata and the checksum that then is right."""
    size = int.from_bytes(file.read_bytes()[:8], "little")
    about = json.loads(file.read_bytes()[8 : 8 + size])["__metadata__"]
    tensors = load_file(file)
    change(tensors, about)
    about["checksum"] = NO_CHECKSUM
    save_file(tensors, file, metadata=about)
    file.write_bytes(file.read_bytes().replace(NO_CHECKSUM.encode(), checksum(file).encode(), 1))
    return file


def test_what_was_packed_is_read(file: Path) -> None:
    pack = read_pack(file)
    np.testing.assert_array_equal(pack.features, VALUES)
    assert isinstance(pack.features, np.memmap)
    assert not pack.features.flags.writeable
    assert list(pack.contents) == list(small_pack().contents)
    assert (pack.names, pack.licence) == (NAMES, "CC0")
    assert pack.labels == ("cat", "None", "cat", "None", "cat", "None")
    assert pack.splits == ("train",) * 4 + ("validation",) * 2
    assert pack.recipe == small_pack().recipe
    assert pack.words == "3 each, float32, of xception, 150×150, bicubic; licence: CC0"


def test_rows_are_taken_as_they_are_asked_for(tmp_path: Path) -> None:
    rows = np.array([2, 0])
    whole = small_pack()
    part = replace(whole, contents=whole.contents.take(rows), listing=None)
    write_pack(tmp_path / "p.safetensors", part, rows)
    pack = read_pack(tmp_path / "p.safetensors")
    np.testing.assert_array_equal(pack.features, VALUES[rows])
    assert (pack.listing, pack.names, pack.labels, pack.splits) == (None,) * 4


def test_half_precision_rounds(tmp_path: Path) -> None:
    pack = read_pack(write(tmp_path / "p.safetensors", "f16"))
    np.testing.assert_array_equal(pack.features, VALUES.astype(np.float16))
    assert pack.identity() != small_pack().identity()
    assert pack.identity("F32") == small_pack().identity()


def test_any_reader_of_safetensors_reads_it(file: Path) -> None:
    tensors = load_file(file)
    assert set(tensors) == {"features", "contents", "names", "labels", "splits", "groups"}
    np.testing.assert_array_equal(tensors["features"], VALUES)


def test_it_is_a_data_set(file: Path) -> None:
    dataset = open_features(file, ["features"])
    assert (dataset.name, dataset.layout, dataset.classes) == (
        "p",
        "features",
        tuple(sorted(CLASSES)),
    )
    assert list(dataset.digests) == list(small_pack().contents)
    assert dataset.rows("validation").tolist() == [4, 5]
    assert dataset.name_of(1) == NAMES[1]
    assert dataset.units[0] == dataset.units[1]  # of one group
    assert len(set(dataset.units.tolist())) == 5
    np.testing.assert_array_equal(read_matrix(file, ["features"]), VALUES)


def test_several_labels_are_read_as_they_were_packed(tmp_path: Path, file: Path) -> None:
    packed = write(tmp_path / "several.safetensors", listing=pack_of_labels().listing)
    tensors = load_file(packed)
    assert tensors["labels"].tolist() == [
        [0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]
    ]  # fmt: skip
    pack = read_pack(packed)
    assert pack.labels == SETS
    assert pack.listing is not None
    assert pack.listing.label_names == LABELS
    dataset = open_features(packed, ["features"])
    assert dataset.label_names == LABELS
    assert dataset.counts(np.arange(6)).tolist() == [2, 4, 1]
    assert (has_several_labels(packed), has_several_labels(file)) == (True, False)
    assert not has_several_labels(tmp_path / "none.safetensors")
    found = [may_have_several(each, TableSettings()) for each in (packed, file, tmp_path)]
    assert found == [True, False, False]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            lambda tensors, _: tensors.update(labels=tensors["labels"] + 1),
            "labels that are neither 0",
        ),
        (
            lambda tensors, _: tensors.update(labels=tensors["labels"][:, :2].copy()),
            r"labels that are uint8 \[6, 2\]",
        ),
        (
            lambda tensors, _: tensors.update(labels=tensors["labels"].astype(np.int32)),
            r"labels that are int32 \[6, 3\]",
        ),
        (lambda _, about: about.update(classes='["dark", "red;blue", "ż"]'), "labels with ';'"),
        (lambda _, about: about.update(classes='["dark", "(none)", "ż"]'), "or called"),
        (lambda _, about: about.update(classes='["dark", "dark", "ż"]'), "one class twice"),
    ],
)
def test_labels_that_are_none_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any], dict[str, str]], None], found: str
) -> None:
    packed = write(tmp_path / "several.safetensors", listing=pack_of_labels().listing)
    with pytest.raises(DataError, match=found):
        read_pack(rewritten(packed, change))


def test_no_other_features_belong_to_it(file: Path) -> None:
    with pytest.raises(DataError, match="no other features than its own of the pack p"):
        read_matrix(file, ["others"])


def test_one_without_labels_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels in the pack .* found none"):
        open_features(write(tmp_path / "p.safetensors", listing=None), ["features"])


def test_what_is_not_finite_is_told_by_its_row(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[3, 1] = np.nan
    file = write(tmp_path / "p.safetensors", features=values)
    with pytest.raises(DataError, match="finite numbers in row 3"):
        open_features(file, ["features"])


def test_every_changed_byte_is_noticed(file: Path) -> None:
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[place] ^= 1
        file.write_bytes(changed)
        with pytest.raises(DataError, match="a whole pack of features in"):
            read_pack(file)
    file.write_bytes(whole)
    read_pack(file)


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_truncated_file(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DataError, match="a whole pack of features in"):
        read_pack(file)


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    other = tmp_path / "weights.safetensors"
    save_file({"features": VALUES}, other)
    with pytest.raises(DataError, match="found a safetensors file of something else"):
        read_pack(other)
    with pytest.raises(DataError, match="found a folder"):
        read_pack(tmp_path)
    with pytest.raises(DataError, match="found no such file"):
        read_pack(tmp_path / "none.safetensors")
    assert (is_pack("a.SafeTensors"), is_pack("a.npy")) == (True, False)


def test_a_newer_format(file: Path) -> None:
    newer = rewritten(file, lambda _, about: about.update(format="manyheads features 2"))
    with pytest.raises(DataError, match="one of a newer format"):
        read_pack(newer)


def _set(name: str, value: Any) -> Callable[[dict[str, Any], dict[str, str]], None]:
    return lambda tensors, _: tensors.update({name: value})


def _state(name: str, value: str) -> Callable[[dict[str, Any], dict[str, str]], None]:
    return lambda _, about: about.update({name: value})


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_set("labels", np.full(6, 2, np.int32)), "labels outside of what there is"),
        (_set("labels", np.full(6, -1, np.int32)), "labels outside of what there is"),
        (_set("labels", np.zeros(5, np.int32)), r"labels that are int32 \[5\]"),
        (_set("splits", np.full(6, 3, np.uint8)), "splits outside"),
        (_set("groups", np.full(6, 9, np.int32)), "groups outside"),
        (_set("contents", np.zeros((5, 32), np.uint8)), "contents that are"),
        (_set("contents", np.zeros((6, 31), np.uint8)), "contents that are"),
        (_set("names", np.frombuffer(b"a\0b", np.uint8)), "another number of names"),
        (_set("features", np.zeros((6, 3), np.int8)), "features that are I8"),
        (_set("features", np.zeros(6, np.float32)), "features that are F32"),
        (_set("features", np.zeros((0, 3), np.float32)), "features that are F32"),
        (lambda tensors, _: tensors.pop("features"), "one without 'features'"),
        (lambda tensors, _: tensors.pop("contents"), "one without 'contents'"),
        (_state("classes", '["a", "a"]'), "one class twice"),
        (_state("classes", '["a", 3]'), "classes that are no list of names"),
        (_state("classes", "["), "found Expecting value"),
        (_state("recipe", "{}"), "one without 'backbone'"),
        (_state("recipe", "[]"), "list indices"),
        (_state("recipe", '{"backbone": 1, "weights": "", "preprocessing": ""}'), "no backbone"),
        (_state("recipe", json.dumps(small_pack().recipe | {"image": {"size": 1}})), "image_size"),
        (_state("recipe", json.dumps(small_pack().recipe | {"backbone": "a\x1b"})), "no name"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_though_the_checksum_is_right(
    file: Path, change: Callable[[dict[str, Any], dict[str, str]], None], found: str
) -> None:
    with pytest.raises(DataError, match=found):
        read_pack(rewritten(file, change))


def test_a_note_cannot_write_to_the_terminal(file: Path) -> None:
    changed = rewritten(file, _state("licence", "mine\x1b[31m\nall"))
    assert read_pack(changed).licence == "mine[31mall"


def test_groups_that_are_no_longer_used_take_no_numbers(tmp_path: Path) -> None:
    listing = small_pack().listing
    assert listing is not None
    groups = Categorical(["", *map(str, range(40))], np.array([0, 40, 40, 7, 0, 0], np.int32))
    pack = read_pack(write(tmp_path / "p.safetensors", listing=replace(listing, groups=groups)))
    assert pack.listing is not None
    assert pack.listing.groups is not None
    assert [bool(name) for name in pack.listing.groups] == [False, True, True, True, False, False]
    assert pack.listing.groups[1] == pack.listing.groups[2] != pack.listing.groups[3]
