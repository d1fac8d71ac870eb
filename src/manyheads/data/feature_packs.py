"""Feature packs: the features of images in one file, with what it takes to use them elsewhere.

A pack is a safetensors file with the tensors `features` (float32 or float16) and `contents`, the
SHA-256 of each image's file; where labels are passed on, also `names` (text, separated by zero
bytes), `labels` and `splits` (places in the classes and in `SPLITS`), and `groups` (a number, −1
for none). Where an image may have several labels, `labels` are `[images, labels]`, 0 or 1, and the
classes are all labels. Its metadata are the format, the recipe and the classes (JSON), a licence
note, and a checksum. Packs come from anywhere: everything is checked before it is used, and nothing
is run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from manyheads.core.label_sets import JOINER, NO_LABELS, set_text
from manyheads.core.settings import digest
from manyheads.data.columns import DIGEST_BYTES, Categorical, Digests
from manyheads.data.data_settings import ImageSettings
from manyheads.data.left_out import LeftOut
from manyheads.data.listing import Listing
from manyheads.data.paths import Paths
from manyheads.data.splits import SPLITS
from manyheads.errors import DataError, SettingError

PACK_SUFFIX = ".safetensors"
FORMAT = "manyheads features 1"
NO_CHECKSUM = "0" * 64  # what stands in the checksum's place while it is computed
NO_GROUP = -1
TYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
_WORDS = {"F32": "float32", "F16": "float16"}
_BLOCK = 1 << 24


@dataclass(frozen=True, eq=False)
class FeaturePack:
    """The features of images, `[images, features]`, their contents, and the recipe of the features.

    The `recipe` names backbone, weights and the preparation of images. `listing` has names, labels,
    splits and groups; it is None of a pack without labels. `licence` is a note for people.
    """

    features: Float[np.ndarray, "images features"]
    contents: Digests
    recipe: dict[str, Any]
    listing: Listing | None = None
    licence: str = ""

    @property
    def storage(self) -> str:
        """How a number is kept: F32 or F16."""
        return next(name for name, kind in TYPES.items() if kind == self.features.dtype)

    @cached_property
    def image(self) -> ImageSettings:
        """How the images were prepared."""
        return ImageSettings(**self.recipe["image"])

    @property
    def names(self) -> tuple[str, ...] | None:
        """The name of each image; None of a pack without labels."""
        return None if self.listing is None else tuple(self.listing.paths.texts())

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The class of each image; None of a pack without labels.

        Of several labels per image, all that it has, as text: `long;shirt`, or `(none)`.
        """
        return None if self.listing is None else tuple(self.listing.labels)

    @property
    def splits(self) -> tuple[str, ...] | None:
        """The split of each image; None of a pack without labels."""
        splits = None if self.listing is None else self.listing.splits
        return None if splits is None else tuple(splits)

    @property
    def recipe_words(self) -> str:
        """What the features are, such as `xception, 150×150, bicubic`."""
        precision = self.recipe.get("precision", "f32")
        how = [self.recipe["backbone"], self.image.words]
        return ", ".join([*how, f"in {precision}"] if precision != "f32" else how)

    @property
    def words(self) -> str:
        """How many features an image has, in which precision, of what, under which licence."""
        licence = f"; licence: {self.licence}" if self.licence else ""
        width = f"{self.features.shape[1]:,} each"
        return f"{width}, {_WORDS[self.storage]}, of {self.recipe_words}{licence}"

    @property
    def source(self) -> str:
        """The origin of the features, as a study records it."""
        weights = self.recipe["weights"][:12]
        return f"none, features ({_WORDS[self.storage]}) of {self.recipe_words}, weights {weights}"

    def identity(self, storage: str | None = None) -> str:
        """SHA-256 over the recipe and the storage: with an image's content, all that shapes a row.

        That of the same features as another `storage` keeps them, if one is given.
        """
        return digest({"recipe": self.recipe, "storage": storage or self.storage})


def is_pack(path: str | Path) -> bool:
    """Whether a path is that of a pack, by its name."""
    return str(path).lower().endswith(PACK_SUFFIX)


def has_several_labels(path: Path) -> bool:
    """Whether the images of a pack have several labels each, by its header; False of no pack."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), _BLOCK)))
        return len(header["labels"]["shape"]) == 2
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def read_pack(path: Path, *, verified: bool = True) -> FeaturePack:
    """The pack in `path`, its features memory-mapped and read-only.

    Without `verified` the checksum is not compared, which takes reading the whole file: for one
    that was opened before. Raises `DataError` for what is no pack, and for one that is damaged or
    was changed.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise DataError(f"a pack of features at {path}", found, "check the path")
    with _refused(path):
        from safetensors import safe_open

        with safe_open(path, "numpy") as file:
            about: dict[str, str] = dict(file.metadata() or {})
            if not about.get("format", "").startswith(FORMAT[:-1]):
                raise ValueError("a safetensors file of something else")
            if about["format"] != FORMAT:
                raise ValueError(f"one of a newer format ({about['format'][:40]})")
            header = _header(path)
            if verified and checksum(path) != about["checksum"]:
                raise ValueError("one that was damaged or changed: its checksum is another")
            names = set(file.keys())
            arrays = {name: file.get_tensor(name) for name in names - {"features"}}
        features = _mapped(path, header)
        recipe = _recipe(json.loads(about["recipe"]))
        contents = _array(arrays, "contents", np.uint8, (len(features), DIGEST_BYTES))
        listing = _listing(about, arrays, len(features)) if "labels" in names else None
        licence = "".join(filter(str.isprintable, about.get("licence", "")))
        return FeaturePack(features, Digests(contents), recipe, listing, licence)


def checksum(path: Path) -> str:
    """SHA-256, in hexadecimal, over the bytes of a pack with zeros in the place of its checksum."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        size = file.read(8)
        header = file.read(int.from_bytes(size, "little"))
        stated = json.loads(header)["__metadata__"]["checksum"].encode()
        if len(stated) != len(NO_CHECKSUM) or header.count(stated) != 1:
            raise ValueError("one without a checksum")
        total.update(size + header.replace(stated, NO_CHECKSUM.encode()))
        while block := file.read(_BLOCK):
            total.update(block)
    return total.hexdigest()


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Turn everything that a file may lack into a `DataError`."""
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        raise DataError(f"to read {path}", found, "check the path and its permissions") from error
    except (
        ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError,
        SettingError, SafetensorError,
    ) as error:  # fmt: skip
        found = f"one without {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"a whole pack of features in {path}", " ".join(found.split())[:160] or "another file",
            "copy or download it again, or pack the features anew",
        ) from error  # fmt: skip


def _header(path: Path) -> dict[str, Any]:
    # The library has read it before, and has compared it with the size of the file.
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    begin, end = header["features"]["data_offsets"]
    return header["features"] | {"start": 8 + size + begin, "bytes": end - begin}


def _mapped(path: Path, header: Mapping[str, Any]) -> Float[np.ndarray, "images features"]:
    kind, shape = header["dtype"], tuple(header["shape"])
    if kind not in TYPES or len(shape) != 2 or 0 in shape:
        raise ValueError(f"features that are {kind} {list(shape)}")
    if header["bytes"] != TYPES[kind].itemsize * shape[0] * shape[1]:
        raise ValueError("features of another size than stated")
    return np.memmap(path, TYPES[kind], "r", header["start"], shape)


def _recipe(recipe: Any) -> dict[str, Any]:
    if not all(isinstance(recipe[name], str) for name in ("backbone", "weights", "preprocessing")):
        raise ValueError("a recipe that names no backbone")
    if not recipe["backbone"].isprintable():
        raise ValueError("a backbone that has no name")
    ImageSettings(**recipe["image"])
    digest(recipe)  # refuses numbers that are none
    return recipe


def _listing(about: Mapping[str, str], arrays: Mapping[str, Any], images: int) -> Listing:
    classes = json.loads(about["classes"])
    if not isinstance(classes, list) or not all(isinstance(n, str) and n.strip() for n in classes):
        raise ValueError("classes that are no list of names")
    if len(set(classes)) < len(classes):
        raise ValueError("one class twice")
    several = arrays["labels"].ndim == 2
    if several and any(JOINER in name or name == NO_LABELS for name in classes):
        raise ValueError(f"labels with {JOINER!r}, or called {NO_LABELS}")
    text = _array(arrays, "names", np.uint8, None).tobytes()
    names = text.decode("utf-8", "surrogateescape").split("\0")
    if len(names) != images or not all(names):
        raise ValueError("another number of names than of images")
    splits = groups = None
    if "splits" in arrays:
        codes = _codes(arrays, "splits", np.uint8, images, len(SPLITS))
        splits = Categorical.of(SPLITS[code] for code in codes.tolist())
    if "groups" in arrays:
        codes = _codes(arrays, "groups", np.int32, images, images, least=NO_GROUP)
        groups = Categorical.of("" if code < 0 else f"group {code}" for code in codes.tolist())
    return Listing(
        layout="features",
        paths=Paths.of(names),
        labels=(
            _label_sets(classes, _array(arrays, "labels", np.uint8, (images, len(classes))))
            if several
            else Categorical(classes, _codes(arrays, "labels", np.int32, images, len(classes)))
        ),
        splits=splits,
        groups=groups,
        ignored=LeftOut.none(),
        label_names=tuple(sorted(classes)) if several else (),
    )


def _label_sets(labels: list[str], members: UInt8[np.ndarray, "images labels"]) -> Categorical:
    """The label set of each image, as text."""
    if members.max() > 1:
        raise ValueError("labels that are neither 0 nor 1")
    sets, codes = np.unique(members, axis=0, return_inverse=True)
    texts = [set_text(labels[place] for place in np.flatnonzero(row)) for row in sets]
    return Categorical(texts, codes.ravel().astype(np.int32))


def _codes(
    arrays: Mapping[str, Any], name: str, kind: type, images: int, below: int, least: int = 0
) -> Any:
    codes = _array(arrays, name, kind, (images,))
    if codes.min() < least or codes.max() >= below:
        raise ValueError(f"{name} outside of what there is")
    return codes


def _array(arrays: Mapping[str, Any], name: str, kind: type, shape: tuple[int, ...] | None) -> Any:
    array = arrays[name]
    if array.dtype != kind or (array.ndim != 1 if shape is None else array.shape != shape):
        raise ValueError(f"{name} that are {array.dtype} {list(array.shape)}")
    return array
