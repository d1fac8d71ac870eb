"""Groups by folder, by expression, by EXIF and by column."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manyheads.core.settings import digest, plain
from manyheads.data.columns import Categorical
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.exif_values import exif_text
from manyheads.data.feature_files import open_features
from manyheads.data.folds import divide, pool_of
from manyheads.data.group_rules import GROUP_RULES, exif_tags, group_rule
from manyheads.errors import DataError, ManyheadsError, SettingError
from tests.strategies import distinct_image

SERIAL = 0xA431


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """Six patients with images of two classes, in folders of the patient within the class."""
    root = tmp_path / "photos"
    for number in range(36):
        folder = root / ("cat", "dog")[number % 2] / f"patient{number % 6}"
        folder.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[exif_tags()["Model"]] = f"Cam {number % 3}"
        exif.get_ifd(0x8769)[SERIAL] = f" SN{number % 4}\0"
        file = folder / f"s{number % 9}_{number}.jpg"
        distinct_image(str(number)).save(file, exif=exif)
    return root


def by(root: Path, rule: str, **more: Any) -> Dataset:
    """The data set in groups by a rule."""
    return open_dataset(root, split=SplitSettings(group_by=rule), **more)


def names(dataset: Dataset) -> set[str]:
    assert dataset.groups is not None
    return {*dataset.groups}


def whole(dataset: Dataset) -> bool:
    """Whether every group is in one split."""
    assert dataset.groups is not None
    pairs = {*zip(dataset.groups, dataset.splits, strict=True)}
    return len(pairs) == len(names(dataset))


@pytest.mark.parametrize(
    ("rule", "groups"),
    [
        ("parent", {f"patient{n}" for n in range(6)}),
        (" Parent ", {f"patient{n}" for n in range(6)}),
        (r"patient(\d)", {*"012345"}),
        (r"(patient\d)/s(\d)_", {f"patient{n % 6}/{n % 9}" for n in range(36)}),
        ("EXIF:Model", {"Cam 0", "Cam 1", "Cam 2"}),
        ("exif:bodyserialnumber", {f"SN{n}" for n in range(4)}),
    ],
)
def test_images_of_a_group_stay_together(patients: Path, rule: str, groups: set[str]) -> None:
    dataset = by(patients, rule)
    assert names(dataset) == groups
    assert whole(dataset)
    assert f"{len(groups)} groups by" in dataset.remarks[-1]
    pool = pool_of(dataset)
    if len(groups) == 6:
        (folds,) = divide(dataset, pool, 2, 1, 0)
        assert dataset.groups is not None
        held = {*zip(dataset.groups.take(pool), folds.tolist(), strict=True)}
        assert len(held) == len({*dataset.groups.take(pool)})


def test_a_class_folder_is_no_group(patients: Path) -> None:
    distinct_image("alone").save(patients / "cat" / "alone.jpg")
    dataset = by(patients, "parent")
    assert dataset.groups is not None
    assert dataset.groups[[*map(str, dataset.paths)].index(str(patients / "cat/alone.jpg"))] == ""
    assert dataset.remarks[-1].endswith("; 1 image without a group")


def test_a_patient_in_two_given_splits_is_one_group(tmp_path: Path) -> None:
    for number in range(24):
        split, label = ("train", "validation")[number % 2], ("cat", "dog")[number // 2 % 2]
        folder = tmp_path / "photos" / split / label / f"patient{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        distinct_image(str(number)).save(folder / f"{number}.png")
    dataset = by(tmp_path / "photos", "parent")
    assert names(dataset) == {"patient0", "patient1", "patient2"}
    assert len({*dataset.units.tolist()}) == 3
    assert Categorical.of(open_dataset(tmp_path / "photos").splits) == dataset.splits


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("(zzz)", "none for any of 36 images, such as cat/patient"),
        ("(jpg)", "one for all images, 'jpg'"),
        ("^([a-z]+)/", "the classes themselves, such as 'cat'"),
        ("EXIF:Artist", "none for any of 36 images"),
        ("sender", "found none"),
    ],
)
def test_groups_that_divide_nothing_are_refused(patients: Path, rule: str, found: str) -> None:
    with pytest.raises(DataError, match="group_by") as error:
        by(patients, rule)
    assert found in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("", "''"), ("  ", "'  '"), ("s(", "unterminated"), ("s)", "unbalanced"),
        ("(?:a)", "(?:a)"), ("EXIF:Modle", "did you mean EXIF:Model?"), ("EXIF:", "''"),
    ],
)  # fmt: skip
def test_rules_that_mean_nothing_are_refused(rule: str, found: str) -> None:
    with pytest.raises(SettingError) as error:
        SplitSettings(group_by=rule)
    assert found in str(error.value)


def test_a_study_without_the_setting_is_what_it_was() -> None:
    settings = SplitSettings()
    assert plain(settings) == {"validation": 0.2, "test": 0.2, "seed": 0, "rule": "stratified"}
    assert (
        digest(settings)
        == hashlib.sha256(b'{"rule":"stratified","seed":0,"test":0.2,"validation":0.2}').hexdigest()
    )
    grouped = SplitSettings(group_by="exif:model")
    assert (grouped.group_by, grouped.rule) == ("EXIF:Model", "balanced")
    assert SplitSettings.read(plain(grouped)) == grouped
    assert SplitSettings(group_by="parent", rule="place").rule == "place"
    assert grouped.group_arguments == ["--group-by", "EXIF:Model"]


def manifest(root: Path, column: str = "sender", more: str = "") -> Path:
    """A table of the photographs, with their senders."""
    rows = [
        f"{path.relative_to(root.parent).as_posix()},{path.parent.parent.name},"
        f"{path.name[:2] if place % 5 else ''}{more and ',old'}"
        for place, path in enumerate(sorted(root.rglob("*.jpg")))
    ]
    file = root.parent / "photos.csv"
    file.write_text("\n".join([f"path,label,{column}{more}", *rows]), encoding="utf-8")
    return file


def test_a_column_is_named(patients: Path) -> None:
    file = manifest(patients)
    dataset = by(file, "sender")
    assert names(dataset) == {f"s{n}" for n in range(9)} | {""}
    same = open_dataset(file, table=TableSettings(group_column="sender"))
    assert dataset.groups == same.groups
    assert by(file, "sender", table=TableSettings(group_column="sender")).groups == same.groups
    with pytest.raises(DataError, match="one column of groups"):
        by(file, "sender", table=TableSettings(group_column="label"))
    with pytest.raises(DataError, match="the column 'who'"):
        by(file, "who")


def test_a_rule_replaces_the_groups_of_a_table_and_says_so(patients: Path) -> None:
    dataset = by(manifest(patients, more=",group"), r"(patient\d)")
    assert names(dataset) == {f"patient{n}" for n in range(6)}
    assert "the groups of photos.csv are replaced" in dataset.remarks[-1]


def test_a_table_in_the_folder_has_the_column(patients: Path) -> None:
    paths = sorted(patients.rglob("*.jpg"))
    rows = [f"{path.relative_to(patients)},{path.name[1]}" for path in paths[2:]]
    file = patients / "metadata.csv"
    file.write_text("\n".join(["file_name,sender", *rows, "no/such.jpg,9"]), encoding="utf-8")
    dataset = by(patients, "sender")
    assert dataset.groups is not None
    assert [*dataset.groups] == ["", "", *(path.name[1] for path in paths[2:])]
    with pytest.raises(DataError, match=r"metadata\.csv with the columns file_name, sender"):
        by(patients, "who")
    (patients / "again.csv").write_text(file.read_text(), encoding="utf-8")
    with pytest.raises(DataError, match="found 2 of them"):
        by(patients, "sender")


def test_rows_of_features_are_grouped_too(tmp_path: Path) -> None:
    rows = [f"p{n % 5}/{n}.jpg,{'ab'[n % 2]},{n % 4}" for n in range(20)]
    table = tmp_path / "rows.csv"
    table.write_text("\n".join(["path,label,who", *rows]), encoding="utf-8")
    np.save(tmp_path / "f.npy", np.random.default_rng(0).normal(size=(20, 3)).astype("f4"))
    for rule, count in (("parent", 5), (r"/(\d)", 10), ("who", 4)):
        split = SplitSettings(group_by=rule)
        dataset = open_features(table, [str(tmp_path / "f.npy")], split=split)
        assert len(names(dataset)) == count
    split = SplitSettings(group_by="EXIF:Model")
    with pytest.raises(DataError, match="rows of features"):
        open_features(table, [str(tmp_path / "f.npy")], split=split)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_is_read_of_every_kind(tmp_path: Path, suffix: str) -> None:
    exif, file = Image.Exif(), tmp_path / f"a{suffix}"
    exif[exif_tags()["Model"]] = "Cam  é\n2"
    Image.new("RGB", (64, 64), "red").save(file, exif=exif)
    assert exif_text(file, exif_tags()["Model"]).startswith("Cam ")
    assert exif_text(file, SERIAL) == ""


def test_what_has_no_exif_has_no_group(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    for content in (b"", b"no image", b"\xff\xd8\xff\xe1\0\x08Exif\0\0", b"\x89PNG\r\n\x1a\n"):
        file.write_bytes(content)
        assert exif_text(file, SERIAL) == ""
    with pytest.raises(ManyheadsError):
        exif_text(tmp_path / "none.jpg", SERIAL)


def test_a_long_jpeg_is_read_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif, file = Image.Exif(), tmp_path / "a.jpg"
    exif[exif_tags()["Model"]] = "Cam"
    noise = np.random.default_rng(0).integers(0, 255, (700, 700, 3), np.uint8)
    Image.fromarray(noise).save(file, exif=exif, quality=95)
    assert file.stat().st_size > 1 << 18
    monkeypatch.setattr("manyheads.data.exif_values.read_bytes", None)
    assert exif_text(file, exif_tags()["Model"]) == "Cam"


def test_the_rules_are_told() -> None:
    assert [*GROUP_RULES] == ["parent", "REGEX", "EXIF:TAG", "COLUMN"]
    assert group_rule("age (years)").kind == "regex"
    assert group_rule("sender").kind == "column"
