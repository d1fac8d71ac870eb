"""Whatever labelled images are given as, they are the same images with the same labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from manyheads.data.data_settings import TableSettings
from manyheads.data.labelled_images import LabelledImage, labelled_images
from manyheads.errors import DataError
from tests.strategies import distinct_image

PATHS, LABELS = ["a.png", "b.png", "c.png"], ["cat", "dog", "cat"]
PAIRS = list(zip(PATHS, LABELS, strict=True))
PIXELS = np.stack([np.asarray(distinct_image(path, 8)) for path in PATHS])
NUMBERS, CLASSES = np.array([0, 1, 0]), ["cat", "dog"]


class Tensor:
    """An array of another library, such as a tensor of PyTorch."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)
        self.shape = self.values.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        del dtype, copy
        return self.values

    def __len__(self) -> int:
        return len(self.values)


class Samples:
    """A data set of PyTorch: samples by their places, which do not end by themselves."""

    classes = CLASSES

    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: int) -> tuple[Any, Any]:
        return PIXELS[place % 3], NUMBERS[place % 3]


class Batches:
    """A data set of Keras: batches of tensors one after the other."""

    class_names = CLASSES

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        yield Tensor(PIXELS[:2]), Tensor(NUMBERS[:2, np.newaxis])
        yield Tensor(PIXELS[2:]), Tensor(NUMBERS[2:, np.newaxis])


class Image:
    """The kind of a column of Hugging Face."""

    def __init__(self, decode: bool = True) -> None:
        self.decode = decode


class ClassLabel:
    """The same, of classes."""

    names = CLASSES


class HubData:
    """A data set of Hugging Face, whose images are decoded at each access unless it is told."""

    def __init__(self, decode: bool = True) -> None:
        self.features = {"image": Image(decode), "kind": ClassLabel(), "id": object()}
        self.column_names = list(self.features)

    def cast_column(self, name: str, kind: Image) -> HubData:
        assert name == "image"
        return HubData(kind.decode)

    def __getitem__(self, name: str) -> list[Any]:
        raise AssertionError("a whole column would be decoded at once")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for place, number in enumerate(NUMBERS.tolist()):
            image = {"bytes": b"file %d" % place, "path": None}
            yield {"image": image if not self.features["image"].decode else None,
                   "kind": number, "id": place}  # fmt: skip


def read(given: Any, **table: Any) -> list[LabelledImage]:
    return list(labelled_images(given, TableSettings(**table)))


def of_paths() -> list[LabelledImage]:
    return [LabelledImage(*pair) for pair in PAIRS]


@pytest.mark.parametrize(
    "given",
    [
        PAIRS,
        tuple(PAIRS),
        iter(PAIRS),
        zip(PATHS, LABELS, strict=True),
        (PATHS, LABELS),
        (tuple(PATHS), np.array(LABELS)),
        {"path": PATHS, "label": LABELS},
        [{"path": path, "label": label} for path, label in PAIRS],
    ],
    ids=["list", "tuple", "iterator", "zip", "lists", "array", "columns", "records"],
)
def test_paths_with_labels(given: Any) -> None:
    assert read(given) == of_paths()


def test_data_frames() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"path": PATHS, "label": LABELS})
    assert read(frame) == of_paths()
    assert read((frame["path"], frame["label"].astype("category"))) == of_paths()
    named = frame.rename(columns={"path": "file", "label": "species"})
    assert read(named, path_column="file", label_column="species") == of_paths()
    with pytest.raises(DataError, match="did you mean `path_column` file `label_column` species"):
        read(named)
    numbered = pandas.DataFrame(PAIRS)
    assert read(numbered, path_column="0", label_column="1") == of_paths()
    frame["split"], frame["group"] = ["train", "test", None], [7.0, 8.0, float("nan")]
    assert [each[2:] for each in read(frame)] == [("train", "7"), ("test", "8"), ("", "")]
    frame["label"] = ["cat", None, 3.0]
    assert [each.label for each in read(frame)] == ["cat", "", "3"]


def test_arrow_tables() -> None:
    arrow = pytest.importorskip("pyarrow")
    assert read(arrow.table({"path": PATHS, "label": LABELS})) == of_paths()


def test_a_table_that_is_not_computed_yet() -> None:
    class Lazy:
        columns = ("path", "label")

        def collect(self) -> None: ...

    with pytest.raises(DataError, match=r"Lazy, which is not computed yet; collect\(\)"):
        read(Lazy())


@pytest.mark.parametrize(
    "given",
    [
        (PIXELS, LABELS),
        (Tensor(PIXELS), LABELS),
        (list(PIXELS), LABELS),
        Samples(),
        Batches(),
        [(Tensor(image), label) for image, label in zip(PIXELS, LABELS, strict=True)],
    ],
    ids=lambda given: type(given).__name__,
)
def test_images_in_memory_with_labels(given: Any) -> None:
    found = read(given)
    assert [each.label for each in found] == LABELS
    np.testing.assert_array_equal(np.stack([np.asarray(each.image) for each in found]), PIXELS)


def test_numbers_without_names_are_classes() -> None:
    assert [each.label for each in read((PIXELS, NUMBERS))] == ["0", "1", "0"]
    assert [each.label for each in read((PATHS, [True, False, 2.0]))] == ["True", "False", "2"]


def test_a_data_set_of_hugging_face_gives_its_files_undecoded() -> None:
    found = read(HubData())
    assert [each.image for each in found] == [b"file 0", b"file 1", b"file 2"]
    assert [each.label for each in found] == LABELS
    assert [each.label for each in read(HubData(), label_column="id")] == ["0", "1", "2"]


def test_a_dictionary_by_split() -> None:
    found = read({"train": PAIRS[:2], "val": (PATHS[2:], LABELS[2:])})
    assert [each.split for each in found] == ["train", "train", "val"]
    assert [each._replace(split="") for each in found] == of_paths()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (7, "found int"),
        (None, "found NoneType"),
        (PIXELS, "found ndarray"),
        (PATHS, r"found the path 'a.png' alone; give \(paths, labels\)"),
        ([("a.png", "cat", "train")], "found tuple as sample 0"),
        ([PIXELS[0]], "found ndarray as sample 0"),
        (("a.png", "cat"), "found the path 'a.png' alone"),
        ((PATHS, LABELS[:2]), "a label for each image, found 3 images and 2 labels"),
        ((PATHS, np.eye(3)), r"one class .*found float64 \[3\]; .* labels.argmax\(axis=1\)"),
        ((PATHS, [["cat"], ["dog"], [3]]), r"names of an image's labels as a list, found \[3\]"),
        ((PATHS, [["cat"], ["a;b"], []]), "labels without ';', none empty, found 'a;b'"),
        ({"image": PATHS, "label": LABELS}, "did you mean `path_column` image"),
    ],
)
def test_what_is_none_of_these(given: Any, found: str) -> None:
    with pytest.raises(DataError, match=found):
        read(given)


@pytest.mark.parametrize("given", [7, PATHS, PIXELS])
def test_the_error_lists_what_is_taken(given: Any) -> None:
    with pytest.raises(DataError, match=r"a folder, a manifest .* PyTorch, Keras or Hugging Face"):
        read(given)


def test_a_number_that_is_no_class() -> None:
    given = Samples()
    given.classes = ["cat"]
    with pytest.raises(DataError, match="a class from 0 to 0, found 1; correct the label"):
        read(given)
