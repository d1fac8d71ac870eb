"""Folders as people have them: what systems, tools, courses and other programs leave."""

from __future__ import annotations

from collections import Counter

import pytest

from manyheads.data import image_kinds
from manyheads.data.checks import check_dataset
from manyheads.data.data_settings import SplitSettings
from manyheads.data.dataset import open_dataset
from manyheads.data.folders import scan_folder
from manyheads.data.image_lists import list_images
from manyheads.errors import DataError
from tests.folders import counts, left, picture, put
from tests.strategies import distinct_image, encoded

HALF = SplitSettings(validation=0.5, test=0.0)


# 1. Outputs of manyheads.


@pytest.mark.parametrize("mark", ["study.toml", "fit.json", ".manyheads"])
@pytest.mark.parametrize("at", ["runs/photos", "runs", "cat/run", "out/a/b/c"])
def test_a_folder_that_manyheads_wrote_is_no_data(image_folder, mark, at):
    root = image_folder({"cat": 2, "dog": 2})
    put(root / at / mark)
    picture(root / at / "curves.png")
    picture(root / at / "figures" / "scores.png")
    assert counts(root) == {"cat": 2, "dog": 2}
    assert set(left(root).values()) == {"folders that manyheads has written"}
    assert len(list_images(root).paths) == 4
    assert list_images(root).ignored == [root / at]


def test_outputs_beside_split_folders_are_no_obstacle(image_folder):
    root = image_folder({"train/cat": 2, "train/dog": 2, "test/cat": 1, "test/dog": 1})
    put(root / "runs" / "photos" / "study.toml")
    picture(root / "runs" / "photos" / "curves.png")
    put(root / "runs" / "photos-fit" / "search" / "150" / "study.toml")
    picture(root / "claims" / "shortcut.png")
    put(root / "claims" / "shortcut.json")
    assert counts(root) == {"train/cat": 2, "train/dog": 2, "test/cat": 1, "test/dog": 1}
    assert left(root).keys() == {"runs/photos", "runs/photos-fit/search/150", "claims", "runs"} & (
        left(root).keys()
    )


def test_the_cache_within_the_photographs_is_no_class(image_folder, monkeypatch):
    root = image_folder({"cat": 2, "dog": 2})
    monkeypatch.setenv("MANYHEADS_CACHE", str(root / "cache"))
    picture(root / "cache" / "data" / "clothing" / "x.png")
    assert counts(root) == {"cat": 2, "dog": 2}


@pytest.mark.parametrize("search", [scan_folder, list_images])
def test_a_run_folder_as_data_is_refused_by_its_name(image_folder, search):
    root = image_folder({"heads": 1, "claims": 1})
    put(root / "study.toml")
    with pytest.raises(DataError, match=r"a run folder that manyheads has written \(study\.toml"):
        search(root)


# 2. Split names.


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Training", "Testing"),
        ("training_set", "test_set"),
        ("train_images", "test_images"),
        ("Train1", "holdout"),
        ("seg_train", "seg_test"),
        ("训练集", "测试集"),
        ("Entraînement", "Test"),
    ],
)
def test_splits_by_the_names_of_the_wild(image_folder, train, test):
    root = image_folder({f"{train}/a": 3, f"{train}/b": 3, f"{test}/a": 1, f"{test}/b": 1})
    assert scan_folder(root).layout == "split folders"
    assert counts(root) == {"train/a": 3, "train/b": 3, "test/a": 1, "test/b": 1}


def test_a_doubtful_split_is_refused_with_the_reason(image_folder):
    root = image_folder({"train/a": 1, "train/b": 1, "eval/a": 1, "eval/b": 1})
    with pytest.raises(DataError, match="'eval', which may mean validation or test"):
        scan_folder(root)


@pytest.mark.parametrize("known", ["train", "Training", "valid"])
def test_a_mixture_says_what_to_rename(image_folder, known):
    root = image_folder({f"{f}/{c}": 1 for f in (known, "Zweite Sammlung") for c in "ab"})
    with pytest.raises(DataError, match=rf"both: '{known}' beside 'Zweite Sammlung'") as caught:
        scan_folder(root)
    assert caught.value.remedy.startswith("rename it to train, validation or test")
    assert "write a manifest" in caught.value.remedy


@pytest.mark.parametrize("names", [("valid", "invalid"), ("Training", "Resting"), ("dev", "ops")])
def test_classes_that_are_named_like_one_split_stay_classes(image_folder, names):
    root = image_folder(dict.fromkeys(names, 2))
    assert counts(root) == dict.fromkeys(names, 2)


def test_a_class_that_is_named_test_is_possible_by_a_manifest(image_folder):
    root = image_folder({"test": 2, "cat": 2})
    rows = [f"{c}/{n:04d}.png,{c}" for c in ("test", "cat") for n in range(2)]
    (root / "m.csv").write_text("\n".join(["path,label", *rows]))
    assert open_dataset(root / "m.csv").classes == ("cat", "test")


def test_all_classes_with_the_same_folders_are_remarked_and_a_problem(image_folder):
    root = image_folder({f"{f}/{c}": 2 for f in ("fold1", "fold2") for c in ("cat", "dog")})
    (remark,) = scan_folder(root).remarks
    assert remark.startswith(
        "all 2 classes ('fold1', 'fold2') hold the same folders ('cat', 'dog')"
    )
    assert remark in check_dataset(open_dataset(root, split=HALF)).problems
    plain = image_folder({"cat/images": 2, "dog/images": 2}, name="plain")
    assert scan_folder(plain).remarks == ()
    seasons = image_folder({"cat/summer": 2, "dog/winter": 2}, name="seasons")
    assert scan_folder(seasons).remarks == ()


def test_splits_inside_the_classes_are_refused(image_folder):
    root = image_folder({f"{c}/{s}": 1 for c in ("cat", "dog") for s in ("train", "test")})
    with pytest.raises(DataError, match=r"'test', 'train' inside each of 'cat', 'dog'"):
        scan_folder(root)


# 3. Folders and files of systems and tools.

SYSTEM = [
    *["__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", ".ipynb_checkpoints", ".git"],
    *[".thumbnails", ".Trash-1000", ".AppleDouble", ".picasaoriginals", "#snapshot", "@Recycle"],
    *("FOUND.000", "__pycache__", "System Volume Information", ".hidden"),
]


@pytest.mark.parametrize("name", SYSTEM)
@pytest.mark.parametrize("layout", ["{}", "train/{}", "train/cat/{}"])
def test_a_systems_folder_is_passed_over_by_every_reader(image_folder, name, layout):
    given = {"train/cat": 1, "train/dog": 1, "test/cat": 1, "test/dog": 1}
    root = image_folder(given)
    picture(root / layout.format(name) / "thumb.jpg")
    picture(root / layout.format(name) / "cat" / "thumb.jpg")
    assert counts(root) == given
    assert left(root) == {layout.format(name): left(root).get(layout.format(name))}
    assert len(list_images(root).paths) == 4
    assert list(list_images(root).ignored) == [root / layout.format(name)]


@pytest.mark.parametrize(
    "name",
    [
        *("._0000.png", ".x.png", "Thumbs.db", "desktop.ini", ".DS_Store", "Icon\r"),
        *("0000.png:Zone.Identifier", "0000.png@SynoEAStream"),
    ],
)
def test_a_systems_file_is_passed_over_and_counted(image_folder, name):
    root = image_folder({"cat": 1, "dog": 1})
    picture(root / "cat" / name)  # an image by its bytes
    assert counts(root) == {"cat": 1, "dog": 1}
    assert left(root).keys() == {f"cat/{name}"}
    assert open_dataset(root, split=HALF).left_out in (
        "1 of 3 files (33.3 %): 1 system file", "1 of 3 files (33.3 %): 1 hidden file"
    )  # fmt: skip
    assert len(list_images(root / "cat").paths) == 1


# 4. What is left out, and images of other names.


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.jfif", "JPEG"), ("a.jpe", "JPEG"), ("a.JIF", "JPEG"), ("photo", "JPEG"),
        ("a.JPG_large", "JPEG"), ("a.webp.download", "WEBP"), ("a.tif", "TIFF"),
        ("a.TIFF", "TIFF"), ("notes.txt", "PNG"), ("a.heic", "JPEG"), ("a.jpg.1", "JPEG"),
    ],
)  # fmt: skip
def test_an_image_is_one_whatever_its_name(image_folder, name, format):
    root = image_folder({"cat": 1, "dog": 1})
    put(root / "cat" / name, encoded(distinct_image(name), format))
    assert counts(root) == {"cat": 2, "dog": 1}
    assert left(root) == {}
    assert len(list_images(root).paths) == 3


def test_what_is_left_out_is_one_line_with_a_share(image_folder, monkeypatch):
    monkeypatch.setattr(image_kinds, "_reads_heic", lambda: False)
    root = image_folder({"cat": 12, "dog": 1})
    for number in range(2):
        put(root / "cat" / f"IMG_{number}.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    put(root / "cat" / "IMG_7.dng", encoded(distinct_image("x"), "TIFF"))
    put(root / "dog" / "IMG_8.MOV", b"\0\0\0\x14ftypqt  \0\0\0\0qt  ")
    put(root / "cat" / "notes.txt")
    put(root / "cat" / "Thumbs.db")
    put(root / "@eaDir" / "x.jpg")
    (root / "cat" / "gone.png").symlink_to(root / "nowhere.png")
    assert open_dataset(root).left_out == (
        "7 of 20 files (35.0 %): 2 HEIC images (to read them: pip install 'manyheads[heif]'), "
        "1 broken link (gone.png), 1 RAW image (save them as JPEG, PNG or TIFF), "
        "1 file that is no image (notes.txt), 1 video, 1 system file; 1 system folder (@eaDir)"
    )
    report = check_dataset(open_dataset(root, split=HALF))
    assert any("2 HEIC images left out: cat/IMG_0.HEIC" in line for line in report.problems)
    assert not any("system" in line for line in report.problems)


def test_nothing_is_said_of_nothing(image_folder):
    assert open_dataset(image_folder({"cat": 2, "dog": 2}), split=HALF).left_out == ""


# 5. A level too high or too low, and images without labels.


def test_one_level_too_high(image_folder, monkeypatch):
    root = image_folder({"animals/cat": 2, "animals/dog": 2})
    monkeypatch.chdir(root.parent)
    for source in ("data", root):
        with pytest.raises(DataError, match=r"did you mean data/animals\?"):
            open_dataset(source)
    assert open_dataset("data/animals", split=HALF).classes == ("cat", "dog")


def test_one_level_too_high_beside_a_loose_image(image_folder, monkeypatch):
    root = image_folder({"animals/cat": 2, "animals/dog": 2})
    picture(root / "banner.png")
    monkeypatch.chdir(root.parent)
    with pytest.raises(DataError, match=r"did you mean data/animals\?"):
        scan_folder(root)


def test_a_folder_of_images_beside_a_table(image_folder):
    root = image_folder({"images": 4})
    put(root / "labels.csv", b"image,label\n")
    with pytest.raises(DataError, match=r"class folders in .*images, found images without class"):
        scan_folder(root)


def test_two_levels_too_high_beside_what_a_mac_leaves(image_folder, monkeypatch):
    root = image_folder({"archive/photos/train/cat": 1, "archive/photos/train/dog": 1,
                         "archive/photos/test/cat": 1, "__MACOSX/archive": 1})  # fmt: skip
    monkeypatch.chdir(root.parent)
    with pytest.raises(DataError, match=r"did you mean data/archive/photos\?"):
        scan_folder(root)


def test_one_level_too_low(image_folder, monkeypatch):
    root = image_folder({"cat": 2, "dog": 2})
    monkeypatch.chdir(root.parent)
    with pytest.raises(DataError, match=r"images without class folders") as caught:
        scan_folder(root / "cat")
    assert caught.value.remedy.startswith("did you mean data?")


@pytest.mark.parametrize("where", ["test", "test/unknown", "test/images", "test/test", "test/1"])
def test_a_test_split_without_labels_is_left_to_predict(image_folder, monkeypatch, where):
    root = image_folder({"train/cat": 3, "train/dog": 3, where: 4})
    monkeypatch.chdir(root.parent)
    assert counts(root) == {"train/cat": 3, "train/dog": 3}
    listing = scan_folder(root)
    assert set(listing.ignored.reasons) == {"images without a label"}
    assert len(listing.ignored) == 4
    (remark,) = listing.remarks
    assert remark.startswith("4 images have no label")
    assert remark.endswith("manyheads predict RUN data/test")
    open_dataset(root, split=HALF).require_trainable()


def test_kaggles_folders_of_a_split_of_the_same_name(image_folder):
    twice = {f"seg_{s}/seg_{s}/{c}": n for s, n in (("train", 2), ("test", 1)) for c in "ab"}
    root = image_folder(twice | {"seg_pred": 3})
    assert counts(root) == {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1}
    assert Counter(left(root).values()) == {"images without a label": 3}


def test_an_unknown_class_in_a_test_split_of_labels_stays_a_class(image_folder):
    root = image_folder({"train/cat": 1, "train/dog": 1, "test/cat": 1, "test/cow": 1})
    assert counts(root)["test/cow"] == 1
