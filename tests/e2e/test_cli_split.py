"""How whole commands divide images: by class and group, written down, and as once begun."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from manyheads.data.data_settings import SplitSettings
from manyheads.data.dataset import open_dataset
from manyheads.run.fit import image_options
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from manyheads.study.study_document import read_study, read_toml
from tests.e2e.conftest import Command, Said, refused
from tests.studies import rows_of

Sweep = Callable[..., Said]
Folder = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("free")


@pytest.mark.when_changed("commands")
def test_sixty_photographs_of_ten_classes_train(sweep: Sweep, image_folder: Folder) -> None:
    said = sweep(image_folder(dict.fromkeys("abcdefghij", 6)))
    assert said.code == 0, said.err
    assert "train 40, validation 10, test 10" in said.err
    assert "seed" not in said.complaint
    (advice,) = [line for line in said.err.splitlines() if line.startswith("Advice ")]
    assert advice.endswith("all 50 validate, instead of 10: add --folds 5")
    assert "Advice" not in sweep(Path("data"), "--folds", 5, "--out", "folds").err


def test_a_division_is_written_down(command: Command, sweep: Sweep, image_folder: Folder) -> None:
    root = image_folder({"cat": 20, "dog, brown": 10, "hat": 1})
    said = command("split", root, "--out", "photos.csv", "--split-seed", 3)
    assert said.code == 0, said.err
    rows = rows_of(Path("photos.csv"))
    assert list(rows[0]) == ["path", "label", "split", "group"]
    counts = Counter((row["label"], row["split"]) for row in rows)
    assert [counts["cat", split] for split in ("train", "validation", "test")] == [12, 4, 4]
    assert [counts["dog, brown", split] for split in ("train", "validation", "test")] == [6, 2, 2]
    assert counts["hat", "train"] == 1
    lines = [line.split() for line in said.out.splitlines()]
    assert ["class", "train", "validation", "test", "all"] in lines
    assert ["dog,", "brown", "6", "2", "2", "10"] in lines
    assert ["all", "19", "6", "6", "31"] in lines
    assert "Classes  not validated: 'hat' (1 image); it only trains" in said.out
    assert said.out.endswith("Next     manyheads sweep photos.csv\n")
    assert "instead of 6: manyheads sweep photos.csv --folds 5" in said.out
    direct = open_dataset(root, split=SplitSettings(seed=3))
    assert Counter(open_dataset("photos.csv").splits) == Counter(direct.splits)
    assert open_dataset("photos.csv").content == direct.content
    assert sweep("photos.csv").code == 0


def test_a_division_overwrites_nothing_and_changes_no_photograph(
    command: Command, image_folder: Folder
) -> None:
    root = image_folder({"cat": 4, "dog": 4})
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    Path("mine.csv").write_text("mine")
    refused(command("split", root, "--out", "mine.csv"), "nothing is overwritten")
    assert Path("mine.csv").read_text() == "mine"
    refused(command("split", root, "--out", "mine.txt"), "ends in .csv")
    assert command("split", root, "--out", "new/folder/m.csv").code == 0
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    again = command("split", "new/folder/m.csv", "--out", "again.csv", "--json")
    assert json.loads(again.out)["divided"] == "as its splits are given"
    assert json.loads(again.out)["counts"]["train"] == {"cat": 2, "dog": 2}


def test_groups_are_written_and_kept_whole(command: Command, image_folder: Folder) -> None:
    root = image_folder({"cat": 12, "dog": 12})
    rows = [f"data/{path.relative_to(root)},{path.parent.name},{'gang' if n % 3 else ''}"
            for n, path in enumerate(sorted(root.rglob("*.png")))]  # fmt: skip
    Path("in.csv").write_text("\n".join(["path,label,group", *rows]), encoding="utf-8")
    said = command("split", "in.csv", "--out", "out.csv")
    assert "divided by class and group" in said.out
    written = rows_of(Path("out.csv"))
    gang = [row["split"] for row in written if row["group"]]
    assert len(gang) == 16
    assert len({*gang}) == 1
    assert {row["split"] for row in written} == {"train", "validation", "test"}


def test_a_table_of_other_columns_is_divided_and_what_is_left_out_is_said(
    command: Command, image_folder: Folder
) -> None:
    root = image_folder({"cat": 12, "dog": 12})
    rows = [f"{path.relative_to(root).with_suffix('')};{path.parent.name};s{number // 2}"
            for number, path in enumerate(sorted(root.rglob("*.png")))]  # fmt: skip
    rows[0] = rows[0].replace(";cat;", ";nan;")
    Path("in.csv").write_text("\n".join(["image;class;sender", *rows]), encoding="utf-8")
    asked = ["split", "in.csv", "--path-column", "image", "--label-column", "class"]
    asked += ["--group-column", "sender", "--images-in", root, "--suffix", ".png"]
    said = command(*asked, "--out", "out.csv")
    assert said.code == 0, said.err
    assert "divided by class and group" in said.out
    assert "Left out 1 of 24 rows (4.2 %): 1 row without a label" in said.out
    assert len({row["group"] for row in rows_of(Path("out.csv"))}) == 12
    document = json.loads(command(*asked, "--out", "again.csv", "--json").out)
    assert document["left_out"] == "1 of 24 rows (4.2 %): 1 row without a label"


def begun_before(sweep: Sweep, root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a study as it was before there was a rule, in `run`; returns the line on its data."""
    from manyheads.cli import options

    with monkeypatch.context() as patch:
        new = options.split_settings
        patch.setattr(
            options, "split_settings",
            lambda args: SplitSettings(seed=new(args).seed, rule="place"),
        )  # fmt: skip
        said = sweep(root)
    assert said.code == 0, said.err
    text = Path("run/study.toml").read_text(encoding="utf-8")
    Path("run/study.toml").write_text(text.replace('rule = "place"\n', ""), encoding="utf-8")
    assert "rule" not in RunFolder("run").document()["split"]
    return next(line for line in said.err.splitlines() if line.startswith("Data "))


@pytest.mark.when_changed("commands")
def test_a_study_that_was_begun_by_the_former_rule_goes_on_by_it(
    sweep: Sweep, command: Command, image_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = image_folder({"cat": 23, "dog": 17})
    before = begun_before(sweep, root, monkeypatch)
    again = sweep(root)
    assert again.code == 0, again.err
    assert before in again.err
    assert "features and heads are there already" in again.err
    planned = sweep(root, "--dry-run")
    assert before in planned.out
    assert "0 of 1 heads to train" in planned.out
    new = sweep(root, "--out", "new")
    assert before not in new.err
    assert "train 25, validation 8, test 7" in new.err
    assert command("report", "run").code == 0
    opened = command("test", "run")
    assert opened.code == 0, opened.err
    assert f"Test       {before.rsplit(' ', 1)[1]} images" in opened.out


def test_a_study_with_given_splits_goes_on_too(sweep: Sweep, photos: Path, monkeypatch) -> None:
    begun_before(sweep, photos, monkeypatch)
    again = sweep(photos)
    assert again.code == 0, again.err
    assert "features and heads are there already" in again.err


def small_grid(copies: int) -> Grid:
    """One head for plain images, two with a copy."""
    return Grid((0.01,), (4,), (0.0, 0.5), augmented_copies=(0, 1)[: copies + 1], epochs=(9,))


def test_a_fit_that_was_begun_by_the_former_rule_is_read_by_it(
    command: Command, image_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_options, "search_grid", small_grid)
    root = image_folder({"cat": 23, "dog": 17})
    split = SplitSettings(test=0.2, rule="place")
    data = str(root.absolute())
    former = FitSettings(
        data=data, backbone="xception", heads=2, folds=2, size=71, split=split
    )  # fmt: skip
    images = run_fit(former, "fit").images
    for file in [Path("fit/fit.json"), *Path("fit/search").glob("*/study.toml")]:
        text = file.read_text(encoding="utf-8")
        text = re.sub(r'rule = "place"\n|,\s*"rule": "place"', "", text)
        assert "place" not in text
        file.write_text(text, encoding="utf-8")
    asked = "fit", root, "--heads", 2, "--folds", 2, "--image-size", 71, "--test-share", 0.2
    asked += "--backbone", "xception"
    again = command(*asked, "--out", "fit", "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["images"] == images
    Path("fit/fit.json").unlink()  # as if it had been interrupted
    resumed = command(*asked, "--out", "fit", "--json")
    assert resumed.code == 0, resumed.err
    assert json.loads(resumed.out)["images"] == images


def test_a_golden_study_is_of_the_former_rule() -> None:
    file = Path(__file__).parents[1] / "golden" / "study_before_rules.toml"
    settings, _ = read_study(read_toml(file))
    assert settings.split == SplitSettings(rule="place")


def no_nan(text: str) -> None:
    """Assert that nothing in `text` is a number that is none."""
    assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE), text


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("given", [False, True])
def test_rare_classes_train_and_what_is_not_validated_is_said(
    sweep: Sweep, command: Command, image_folder: Folder, given: bool
) -> None:
    if given:
        counts = {"train/cat": 9, "train/dog": 9, "train/hat": 1, "train/scarf": 2}
        counts |= {"validation/cat": 4, "validation/dog": 4, "test/cat": 3, "test/dog": 3}
        unvalidated = "'hat' (1 image), 'scarf' (2 images); they only train"
    else:
        counts = {"cat": 30, "dog": 30, "hat": 1, "scarf": 2}
        unvalidated = "'hat' (1 image); it only trains"
    root = image_folder(counts)
    said = sweep(root, "--seeds", 2, "--droprate", 0, 0.5)
    assert said.code == 0, said.err
    assert f"Classes    not validated: {unvalidated}" in said.err
    no_nan(said.out + said.err)
    for table in ("results.csv", "history.csv", "comparisons.csv"):
        no_nan(Path("run", table).read_text(encoding="utf-8"))
    assert f"- not validated: {unvalidated}" in command("check", root).out
    assert command("report", "run").code == 0
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "Classes that are not validated" in page
    shown = command("test", "run")
    assert shown.code == 0, shown.err
    no_nan(shown.out)
    assert command("compare", "run").code == 0
    planned = sweep(root, "--folds", 5, "--out", "folds")
    assert planned.code == 0, planned.err
    assert "hat (1 image), only trained on" in planned.err
    no_nan(planned.out)


def test_a_class_that_only_validates_is_refused(sweep: Sweep, image_folder: Folder) -> None:
    counts = {f"{split}/{name}": 3 for split in ("train", "validation") for name in ("cat", "dog")}
    refused(
        sweep(image_folder(counts | {"validation/hat": 2})),
        "every class among the train images", "none of 'hat'", "add train images of 'hat'",
    )  # fmt: skip


@pytest.mark.when_changed("commands")
def test_a_fit_says_it_too(
    command: Command, image_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_options, "search_grid", small_grid)
    root = image_folder({"train/cat": 6, "train/dog": 6})
    shutil.copytree(root / "train", root / "validation")
    said = command("fit", root, "--heads", 2, "--folds", 2, "--image-size", 71)
    assert said.code == 0, said.err
    assert (
        "Overlap    all 12 validation images are training images too (same bytes); folds keep such "
        "images together"
    ) in said.err


def test_validation_images_that_train_too_are_said_before_training(
    sweep: Sweep, command: Command, image_folder: Folder
) -> None:
    root = image_folder({"train/cat": 6, "train/dog": 6, "test/cat": 2, "test/dog": 2})
    shutil.copytree(root / "train", root / "validation")
    shutil.copy(root / "train/cat/0000.png", root / "test/cat/again.png")
    said = sweep(root, "--dry-run").out
    assert (
        "Overlap    all 12 validation images are training images too (same bytes); scores on them "
        "say nothing of new images"
    ) in said
    assert "Overlap    1 of 5 test images are training images too (same bytes)" in said
    folds = sweep(root, "--dry-run", "--folds", 3).out
    assert "Overlap    all 12 validation images are training images too" in folds
    assert "folds keep such images together" in folds
    assert "1 of 5 test images are training and validation images too" in folds
    assert "identical images in more than one split" in command("check", root).out
    clean = image_folder({"train/cat": 3, "train/dog": 3, "val/cat": 1, "val/dog": 1}, name="clean")
    assert "Overlap" not in sweep(clean, "--dry-run").out


def test_a_table_is_divided_by_its_columns(command: Command, image_folder: Folder) -> None:
    root = image_folder({"cat": 6, "dog": 6})
    rows = [f"{path.relative_to(root)},{path.parent.name}" for path in sorted(root.glob("*/*"))]
    (root / "photos.csv").write_text("\n".join(["file,animal", *rows]), encoding="utf-8")
    columns = ("--path-column", "file", "--label-column", "animal")
    said = command("split", root / "photos.csv", "--out", "divided.csv", *columns)
    assert said.code == 0, said.err
    assert Counter(row["label"] for row in rows_of(Path("divided.csv"))) == {"cat": 6, "dog": 6}
    assert "manyheads sweep divided.csv --folds 5" in said.out
    said = command("check", root / "photos.csv", *columns)
    assert f"photos.csv {' '.join(columns)} --folds 5" in said.out


def test_folders_of_patients_are_kept_whole_by_every_command(
    command: Command, sweep: Sweep, image_folder: Folder
) -> None:
    root = image_folder({f"{name}/p{n}": 3 for name in ("cat", "dog") for n in range(6)})
    asked = ("--group-by", "parent")
    said = command("split", root, *asked, "--out", "photos.csv")
    assert said.code == 0, said.err
    assert "6 groups by parent, the largest, p0, with 16.7 % of the images" in said.out
    rows = rows_of(Path("photos.csv"))
    assert len({(row["group"], row["split"]) for row in rows}) == 6
    swept = sweep(root, *asked)
    assert swept.code == 0, swept.err
    found = RunFolder("run").document()["split"]
    assert (found["group_by"], found["rule"]) == ("parent", "balanced")
    assert "features and heads are there already" in sweep(root, *asked).err
    other = sweep(root)
    assert other.code == 1
    assert "split.group_by: parent → none" in other.err
    assert "are those the classes?" in other.err
    assert "are those the classes?" not in swept.err
    resumed = sweep(root, "--out", "again", "--config", "run", "--dry-run")
    assert resumed.code == 0, resumed.err
    counts = Counter(row["split"] for row in rows)
    assert f"train {counts['train']}, validation {counts['validation']}" in resumed.out
    assert "--group-by parent" in command("check", root, *asked).out
    wrong = sweep(root, "--group-by", "(", "--out", "new").complaint
    assert "a regular expression as --group-by" in wrong
    assert not Path("new").exists()


def test_a_split_says_what_groups_keep_it_from(command: Command, image_folder: Folder) -> None:
    counts = {"cat/p0": 30, "dog/p1": 4, "cat/p2": 2, "dog/p3": 2, "dog/p4": 2}
    said = command("split", image_folder(counts), "--group-by", "parent", "--out", "m.csv")
    assert said.code == 0, said.err
    assert "not tested: 'cat' (32 images, 2 groups)" in said.out
    assert "train 85.0 % (asked: 60 %), validation 10.0 % (asked: 20 %)" in said.out
    assert "groups stay whole, and the largest of 5, p0, has 75.0 %" in said.out


def test_a_fit_keeps_groups_together_and_remembers_the_rule(
    command: Command, image_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_options, "search_grid", small_grid)
    root = image_folder({f"{name}/p{n}": 4 for name in ("cat", "dog") for n in range(4)})
    asked = "fit", root, "--heads", 2, "--folds", 2, "--image-size", 71, "--backbone", "xception"
    said = command(*asked, "--group-by", "parent", "--out", "fit")
    assert said.code == 0, said.err
    assert "4 groups by parent" in said.err
    split = json.loads(Path("fit/fit.json").read_text(encoding="utf-8"))["settings"]["split"]
    assert (split["group_by"], split["rule"]) == ("parent", "balanced")
    refused(command(*asked, "--out", "fit"), "settings")
