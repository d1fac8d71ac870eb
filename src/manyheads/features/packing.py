"""Features into a pack, and from a pack into the cache."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from manyheads.core.job import SILENT, Job
from manyheads.core.label_sets import LabelSets
from manyheads.core.places import atomic_path
from manyheads.core.settings import restored
from manyheads.core.text import counted
from manyheads.data.columns import Categorical, Rows
from manyheads.data.feature_files import finite_blocks
from manyheads.data.feature_packs import (
    FORMAT,
    NO_CHECKSUM,
    NO_GROUP,
    TYPES,
    FeaturePack,
    checksum,
    read_pack,
)
from manyheads.data.listing import Listing
from manyheads.data.splits import SPLITS
from manyheads.errors import DataError, SettingError
from manyheads.features.cache import FeatureCache, FeatureRecipe
from manyheads.features.rows import as_stored

_AT_ONCE = 1024  # rows
_CLOSE = 1e-3  # of the largest number; another machine's sums differ by far less


def write_pack(path: Path, pack: FeaturePack, rows: Rows, storage: str = "f32") -> None:
    """Write a pack whose row i is `pack.features[rows[i]]`, whole or not at all.

    `storage` is f32 or f16. Memory does not grow with the pack. Raises `DiskError`, and
    `SettingError` for features that are too large for f16.
    """
    kind = storage.upper()
    images, width = len(rows), pack.features.shape[1]
    # The widest numbers come first, so that each tensor begins where its numbers may.
    parts = {} if pack.listing is None else _labels_of(pack.listing)
    parts["features"] = np.broadcast_to(TYPES[kind].type(0), (images, width))
    parts["contents"] = pack.contents.values
    order = sorted(parts, key=lambda name: -parts[name].dtype.itemsize)
    header = _header(pack, {name: parts[name] for name in order})
    with atomic_path(path) as temporary, temporary.open("rb+") as file:
        blocks = (
            _blocks(pack.features, rows, storage) if name == "features" else [parts[name].tobytes()]
            for name in order
        )
        for block in chain([len(header).to_bytes(8, "little"), header], *blocks):
            file.write(block)
        file.flush()
        total = checksum(temporary)
        file.seek(8)
        file.write(header.replace(NO_CHECKSUM.encode(), total.encode()))


def _header(pack: FeaturePack, parts: dict[str, np.ndarray[Any, Any]]) -> bytes:
    about = {
        "format": FORMAT,
        "checksum": NO_CHECKSUM,
        "recipe": json.dumps(pack.recipe, sort_keys=True),
        "licence": pack.licence,
    }
    if pack.listing is not None:
        names = pack.listing.label_names or pack.listing.labels.names
        about["classes"] = json.dumps(names, ensure_ascii=False)
    header: dict[str, Any] = {"__metadata__": about}
    end, kinds = 0, {"f2": "F16", "f4": "F32", "i4": "I32", "u1": "U8"}
    for name, array in parts.items():
        begin, end = end, end + array.nbytes
        header[name] = {
            "dtype": kinds[array.dtype.str[1:]],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return text + b" " * (-len(text) % 8)


def _labels_of(listing: Listing) -> dict[str, np.ndarray[Any, Any]]:
    text = "\0".join(listing.paths.texts()).encode("utf-8", "surrogateescape")
    sets = LabelSets.of(listing.label_names, listing.labels.names)
    codes = listing.labels.codes
    labels = codes.astype("<i4") if sets is None else sets.members[codes].astype(np.uint8)
    found = {"labels": labels, "names": np.frombuffer(text, np.uint8)}
    if listing.splits is not None:
        found["splits"] = _as_codes(listing.splits, SPLITS).astype(np.uint8)
    if listing.groups is not None:
        used = np.unique(listing.groups.codes).tolist()
        names = [name for place in used if (name := listing.groups.names[place])]
        found["groups"] = _as_codes(listing.groups, names).astype("<i4")
    return found


def _as_codes(texts: Categorical, names: Sequence[str]) -> Any:
    places = {name: place for place, name in enumerate(names)}
    return np.array([places.get(name, NO_GROUP) for name in texts.names], np.int32)[texts.codes]


def _blocks(
    features: Float[np.ndarray, "stored features"], rows: Rows, storage: str
) -> Iterator[bytes]:
    for start in range(0, len(rows), _AT_ONCE):
        block = np.asarray(features[rows[start : start + _AT_ONCE]], np.float32)
        yield as_stored(block, storage).tobytes()


@dataclass(frozen=True)
class Unpacked:
    """What came of a pack in the cache: rows that were `added`, and such as were `known` before."""

    pack: FeaturePack
    recipe: FeatureRecipe
    added: int
    known: int


def unpack(path: Path, job: Job = SILENT) -> Unpacked:
    """Put the features of the pack in `path` into the cache, where none is overwritten.

    An image is known by its content, so that a study of the same images finds its features. Raises
    what `read_pack` raises; `DataError` for a pack in half precision, since the cache keeps
    features exactly, for one whose features are not finite or differ from what the cache has of the
    same images, and for a recipe of another version; and `Interrupted` when `job` is stopped.
    Nothing is added before all is known to be right.
    """
    pack = read_pack(path)
    recipe, features = _recipe_of(path, pack), pack.features
    for _ in finite_blocks(features, job):
        pass
    first, place = pack.contents.distinct()
    contents = pack.contents.take(first)
    with FeatureCache(recipe) as cache:
        if cache.width not in (0, features.shape[1]):
            width = counted(features.shape[1], "feature")
            raise _other(path, f"{width} instead of {cache.width:,}")
        rows = cache.rows(contents)
        _require_same(path, features, rows[place], cache.matrix())
        fresh = np.flatnonzero(rows < 0)
        for start in range(0, len(fresh), _AT_ONCE):
            job.check("unpacking", "repeat the command to go on")
            wanted = fresh[start : start + _AT_ONCE]
            cache.add(contents.take(wanted), np.asarray(features[first[wanted]]))
    return Unpacked(pack, recipe, len(fresh), len(rows) - len(fresh))


def _recipe_of(path: Path, pack: FeaturePack) -> FeatureRecipe:
    if pack.storage != "F32":
        raise DataError(
            f"float32 features in {path}, as the cache keeps them exactly", "float16",
            "train on the pack itself, or have it packed in f32 (`storage`)",
        )  # fmt: skip
    try:
        fields = {name: value for name, value in pack.recipe.items() if name != "view"}
        recipe = restored(FeatureRecipe, fields)
        plain = recipe.storage == "f32" and recipe.alteration is None and recipe.pooling != "grid"
        if plain and recipe.described == pack.recipe:
            return recipe
        reason = "other settings"
    except (TypeError, KeyError, ValueError, SettingError) as error:
        reason = str(error)
    raise DataError(
        f"a recipe that this version of manyheads computes in {path}", reason,
        "train on the pack itself, or use the version that packed it",
    )  # fmt: skip


def _require_same(
    path: Path,
    features: Float[np.ndarray, "images features"],
    rows: Rows,
    stored: Float[np.ndarray, "stored features"],
) -> None:
    """Raise `DataError` if image i has other features in the pack than `stored[rows[i]]`."""
    known = np.flatnonzero(rows >= 0)
    for start in range(0, len(known), _AT_ONCE):
        part = known[start : start + _AT_ONCE]
        here = np.asarray(stored[rows[part]])
        apart = np.abs(features[part] - here).max(axis=1)
        other = apart > _CLOSE * np.abs(here).max(axis=1)
        if other.any():
            count = counted(int(other.sum()), "image")
            raise _other(path, f"others than the cache has, by up to {apart.max():.3g}, of {count}")


def _other(path: Path, found: str) -> DataError:
    return DataError(
        f"the features that {path} states", found, "have it packed anew; the cache is unchanged"
    )
