"""What is said of a folder that is no data set, or perhaps another than was meant."""

from __future__ import annotations

import os
import shlex
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from manyheads.core.addresses import is_web
from manyheads.data.left_out import LeftOut
from manyheads.data.name_rules import NEUTRAL_FOLDERS, class_name, likeness, printable
from manyheads.data.remote_path import FilePath
from manyheads.data.split_names import SplitFolders, named
from manyheads.data.walk import Content, read_folder
from manyheads.errors import DataError

_CLASS_FOLDERS = "put the images of each class into a folder named after the class"
_MANIFEST = "or write a manifest (.csv) with the columns path and label"
_MOST = 50  # folders that are looked into for a hint


def _refused(expected: str, found: str, remedy: str) -> DataError:
    return DataError(printable(expected), printable(found), printable(remedy))


def refuse_output(content: Content) -> None:
    """Raise `DataError` if manyheads has written this folder."""
    if not content.output:
        return
    what = "a run folder" if content.output == "study.toml" else "a folder"
    found = f"{what} that manyheads has written ({content.output} is in it)"
    raise _refused(
        f"a folder of images, at {content.folder}", found, "give the folder of your images"
    )


def no_class_folders(content: Content, first: str) -> DataError:
    """The error for training images without class folders."""
    return _refused(
        f"class folders in {content.folder}",
        f"images without class folders ({first!r} is the first)",
        f"{_CLASS_FOLDERS}, {_MANIFEST}, also if {Path(content.folder).name!r} is a class",
    )


def two_of_one_split(root: FilePath, split: str, folders: Sequence[str]) -> DataError:
    """The error for two folders that mean one split."""
    found = " and ".join(map(repr, folders))
    return _refused(f"one {split} folder in {root}", found, "merge them into one")


def mixed(root: FilePath, found: SplitFolders, others: Sequence[str]) -> DataError:
    """The error for split folders beside others that hold images."""
    splits = ", ".join(f"{folder!r}" for folder in found.splits)
    strangers = _some(others)
    it, all_ = ("it", "it is") if len(others) == 1 else ("them", "they are")
    if unclear := [folder for folder in others if folder in found.doubtful]:
        remedy = f"rename {unclear[0]!r}, which may mean validation or test, to what it is"
    else:
        remedy = (
            f"rename {it} to train, validation or test if that is what {all_}, or move {it} away"
        )
    remedy += "; if a class has the name of a split, write a manifest (.csv with path and label)"
    return _refused(
        f"either split folders or class folders in {root}", f"both: {splits} beside {strangers}",
        remedy,
    )  # fmt: skip


def splits_inside(root: FilePath, classes: Sequence[str], splits: Sequence[str]) -> DataError:
    """The error for split folders in every class folder."""
    first = f"{splits[0]}/{classes[0]}"
    return _refused(
        f"split folders above the class folders in {root}",
        f"{_some(splits)} inside each of {_some(classes)}",
        f"turn them round ({first} instead of {classes[0]}/{splits[0]}), {_MANIFEST} and split",
    )


def same_inside(classes: Sequence[str], shared: Sequence[str]) -> str:
    """The remark on class folders that all hold folders of the same names."""
    return printable(
        f"all {len(classes):,} classes ({_some(classes)}) hold the same folders ({_some(shared)}): "
        "are those the classes? A level too high, folds, or splits of other names look like this; "
        "rename split folders to train, validation and test"
    )


def glued_to_classes(classes: Sequence[str]) -> str:
    """The remark on class folders whose names are a split and a class in one."""
    return printable(
        f"the names of all classes ({_some(classes)}) are of a split and a class: are those the "
        "classes? If not, make folders of them: train/A for trainA"
    )


def unlabelled_words(count: int, folder: str) -> str:
    """The remark on images of a split that have no labels."""
    images = f"{count:,} images have" if count != 1 else "1 image has"
    return printable(
        f"{images} no label, and take no part: {shown(folder)} has no folder of a class. "
        f"Classify them afterwards: manyheads predict RUN {shlex.quote(shown(folder))}"
    )


def no_images(content: Content, ignored: LeftOut) -> DataError:
    """The error for a folder without one image in a class folder."""
    expected = f"class folders with images in {content.folder}"
    if not content.folders and (first := content.first_image()):
        found = f"images without class folders ({first!r} is the first)"
        hint = _above(content)
        return _refused(expected, found, hint or f"{_CLASS_FOLDERS}, {_MANIFEST}")
    if not (content.files or content.folders or content.others):
        return _refused(expected, "an empty folder", _CLASS_FOLDERS)
    told = ignored.line(0)
    return _refused(expected, f"no image ({told})" if told else "no image", _CLASS_FOLDERS)


def refuse_another_level(content: Content, classes: Sequence[Collection[str]]) -> None:
    """Raise `DataError` if the classes of a folder lie a level below or deeper, or nowhere.

    `classes` are the names of the class folders that were found, of each class; at most one.
    """
    path, inner = [], content
    for _ in range(_MOST):
        known = [name for name in inner.folders if not _is_output(inner.below(name))]
        if not path and classes:
            known = sorted(classes[0])
        if len(known) != 1 or (path and inner.first_image() is not None):
            break
        path.append(known[0])
        inner = read_folder(inner.below(known[0]))
        if holds_classes(inner):
            raise _refused(
                f"two or more classes in {content.folder}",
                f"one folder, {'/'.join(path)!r}, and {_some(inner.folders)} in it",
                f"did you mean {shown(inner.folder)}?",
            )
    below = [name for names in classes for name in names]
    if len(below) == 1 and below[0].lower() in NEUTRAL_FOLDERS:
        inner = read_folder(content.below(below[0]))
        if first := inner.first_image():
            raise no_class_folders(inner, first)


def holds_classes(content: Content) -> bool:
    """Whether two or more folders here are split folders, or hold images."""
    if len(content.folders) < 2 or content.first_image() is not None:
        return False
    if named(content.folders).all_are_splits:
        return True
    return sum(_has_images(content.below(name)) for name in content.folders[:_MOST]) > 1


def _has_images(folder: str) -> bool:
    try:
        content = read_folder(folder)
    except OSError:
        return False
    return not content.output and content.first_image() is not None


def _is_output(folder: str) -> bool:
    try:
        return bool(read_folder(folder).output)
    except OSError:
        return False


def _above(content: Content) -> str:
    """`did you mean …?` for one class's folder among others."""
    parent = Path(content.folder).parent
    try:
        around = read_folder(parent)
    except OSError:
        return ""
    if around.output or around.first_image() is not None:
        return ""
    beside = [name for name in around.folders if name != Path(content.folder).name]
    if any(_has_images(around.below(name)) for name in beside[:_MOST]):
        return f"did you mean {shown(str(parent))}? Else {_CLASS_FOLDERS}, {_MANIFEST}"
    return ""


def readable_class(folder: str, name: str) -> str:
    """The class that a folder's name means; raises `DataError` for a name that is none."""
    if is_web(folder):
        name = unquote(name)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        found = f"{os.fsencode(name)!r} in {folder}"
        raise _refused("class folders named in UTF-8", found, "rename the folder") from error
    label = class_name(name)
    if not label:
        found = f"{name!r} in {folder}"
        raise _refused("class folders with a name", found, "rename the folder")
    return label


def refuse_likeness(root: FilePath, names: Mapping[str, Collection[str]]) -> None:
    """Raise `DataError` for class folders that differ in next to nothing; `names` are by class."""
    alike: defaultdict[str, set[str]] = defaultdict(set)
    for found in names.values():
        for name in found:
            # Composed and decomposed letters are one name.
            alike[likeness(name)].add(unicodedata.normalize("NFC", name))
    for likes in alike.values():
        if len(likes) > 1:
            raise _refused(
                f"class names in {root} that differ in more than case, white space or line ends",
                " and ".join(repr(name) for name in sorted(likes)),
                "merge these folders, or rename one of them",
            )


def shown(folder: str) -> str:
    """A path as one may type it here: relative if it lies below the current folder."""
    path = Path(folder)
    try:
        return str(path.relative_to(Path.cwd())) if path.is_absolute() else folder
    except (ValueError, OSError):
        return folder


def _some(names: Sequence[str]) -> str:
    more = ", …" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more
