"""Several backbones in one study: each candidate is a setting of the head on one of them.

A backbone and the size of its images are hyperparameters like others: candidates of one setting of
the head share seeds, folds and batch orders over all backbones, so that these are compared image by
image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from manyheads.backbones import registry
from manyheads.backbones.joined_backbones import in_full, is_in_file
from manyheads.core.settings import plain, restored, store, whole
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import SettingError
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.ranges import Item
from manyheads.study.drawn_candidates import DrawnCandidates
from manyheads.study.space import HYPERPARAMETERS, Candidates

OF_BACKBONE = ("backbone", "image_size")


@dataclass(frozen=True, kw_only=True)
class BackboneChoice:
    """A backbone and how images are prepared for it: where the features of a candidate come from.

    `name` is what tables show, `backbone` what `registry.get` takes, pinned where it can be.
    """

    name: str
    backbone: str
    image: ImageSettings
    preprocessing: str | None = None

    @property
    def words(self) -> str:
        """Such as `xception at 299×299`."""
        return f"{self.name} at {self.image.size}×{self.image.size}"


@dataclass(frozen=True, kw_only=True)
class BackboneSetting(Hyperparameters):
    """A setting of the head on the features of one of several backbones."""

    backbone: str
    image_size: int


class BackboneCandidates(Candidates):
    """The candidates of `heads` on the features of each of the `choices`, which vary fastest.

    Raises `SettingError` for a choice that is given twice.
    """

    def __init__(self, heads: Candidates, choices: Sequence[BackboneChoice]) -> None:
        super().__init__(**{name: getattr(heads, name) for name in HYPERPARAMETERS})
        store(self, heads=heads, _choices=tuple(choices))
        seen = [(each.name, each.image.size) for each in choices]
        for place, each in enumerate(choices):
            if seen.index((each.name, each.image.size)) < place:
                raise SettingError(
                    "each `backbone` once at an `image_size`", f"{each.words} twice",
                    "list it only once",
                )  # fmt: skip

    heads: Candidates
    _choices: tuple[BackboneChoice, ...]

    def __len__(self) -> int:
        return len(self.heads) * len(self.choices)

    def __getitem__(self, index: int) -> BackboneSetting:
        if not 0 <= index < len(self):
            raise IndexError(index)
        head, place = divmod(index, len(self.choices))
        choice = self.choices[place]
        setting = asdict(self.heads[head])
        return BackboneSetting(**setting, backbone=choice.name, image_size=choice.image.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BackboneCandidates):
            return NotImplemented
        return (self.heads, self.choices) == (other.heads, other.choices)

    def __hash__(self) -> int:
        return hash((self.heads, self.choices))

    def __repr__(self) -> str:
        return f"{self.heads!r} on each of {', '.join(each.words for each in self.choices)}"

    @property
    def choices(self) -> tuple[BackboneChoice, ...]:
        """The backbones, each at an image size."""
        return self._choices

    @property
    def names(self) -> tuple[str, ...]:
        """The backbone and its image size, then the hyperparameters of the head."""
        return (*OF_BACKBONE, *HYPERPARAMETERS)

    @property
    def backbone(self) -> tuple[str, ...]:
        """The names of the backbones, each once."""
        return tuple(dict.fromkeys(each.name for each in self.choices))

    @property
    def image_size(self) -> tuple[int, ...]:
        """The sizes of the images, each once."""
        return tuple(dict.fromkeys(each.image.size for each in self.choices))

    @property
    def varying(self) -> tuple[str, ...]:
        """What has more than one value; not the image size where that follows from the backbone."""
        sizes = len(self.choices) > len(self.backbone) > 0
        own = [name for name, varies in zip(OF_BACKBONE, (len(self.backbone) > 1, sizes),
                                            strict=True) if varies]  # fmt: skip
        return (*own, *self.heads.varying)

    @property
    def drawn(self) -> DrawnCandidates | None:
        """The candidates of the head, if these were drawn."""
        return self.heads.drawn

    @property
    def merged(self) -> int:
        """How many combinations are left out because they would be the same head again."""
        return self.heads.merged * len(self.choices)

    @property
    def merging(self) -> list[str]:
        """Why combinations are left out."""
        return self.heads.merging

    @property
    def remarks(self) -> list[str]:
        """What values come to that say more."""
        return self.heads.remarks

    def listed(self, name: str) -> tuple[Item, ...]:
        """The values of a hyperparameter as they were asked for."""
        return getattr(self, name) if name in OF_BACKBONE else self.heads.listed(name)

    def with_epochs(self, epochs: int) -> BackboneCandidates:
        """The same candidates with one number of epochs."""
        return BackboneCandidates(self.heads.with_epochs(epochs), self.choices)


def choices_of(
    backbones: Sequence[str | Path],
    sizes: Sequence[object] = (),
    *,
    preprocessing: str | None = None,
    interpolation: str | None = None,
    resize: str | None = None,
    exif: bool = True,
    depth: int | None = None,
    decode: str | None = None,
) -> list[BackboneChoice]:
    """Each backbone at each of the sizes, or at its own size where none is given.

    How images become squares is a backbone's own unless it is given; a `preprocessing` is stated
    for networks in files. Raises what `registry.get` raises, and `BackboneError` for a size that
    one of them does not take.
    """
    checked = [whole("image_size", size, 32, 2048) for size in sizes]
    in_files = list(map(is_in_file, backbones))
    if preprocessing is not None and not any(in_files):
        raise SettingError(
            "a network in a file for a `preprocessing`", " ".join(map(str, backbones)),
            "leave it out; each of these has its own",
        )  # fmt: skip
    specs = [
        registry.get(name, preprocessing if in_file else None)
        for name, in_file in zip(backbones, in_files, strict=True)
    ]
    pinned = [in_full(str(each)) for each in backbones]
    found = []
    for given, spec, lasting, in_file in zip(backbones, specs, pinned, in_files, strict=True):
        # The short name, unless another one has it too: other tokens, or another revision.
        alike = {each for each, other in zip(pinned, specs, strict=True) if other.name == spec.name}
        for size in checked or [spec.default_size]:
            spec.check_size(size)
            found.append(
                BackboneChoice(
                    name=spec.name if len(alike) == 1 else str(given),
                    backbone=lasting,
                    image=spec.prepared(
                        size, interpolation, resize, exif=exif, depth=depth, decode=decode
                    ),
                    preprocessing=preprocessing if in_file else None,
                )
            )
    return found


def asked_for(choices: Sequence[BackboneChoice]) -> dict[str, Any]:
    """The arguments of `choices_of` that give these `choices`, without those that are None.

    What the backbones do not have in common is each one's own.
    """
    names = list(dict.fromkeys(each.backbone for each in choices))
    sizes = list(dict.fromkeys(each.image.size for each in choices))
    is_product = len(choices) == len(names) * len(sizes)
    common: dict[str, Any] = {
        "backbone": names,
        "image_size": sizes if is_product else None,
        "preprocessing": next((each.preprocessing for each in choices if each.preprocessing), None),
    }
    for name in ("interpolation", "resize", "exif", "depth", "decode"):
        values = {plain(each.image).get(name) for each in choices}
        common[name] = values.pop() if len(values) == 1 else None
    return {name: value for name, value in common.items() if value is not None}


def choices_document(choices: Sequence[BackboneChoice]) -> list[dict[str, Any]]:
    """The array `backbones` of a study.toml."""
    return [
        {name: value for name, value in plain(each).items() if value is not None}
        for each in choices
    ]


def read_choices(documents: Sequence[Mapping[str, Any]]) -> list[BackboneChoice]:
    """What `choices_document` wrote; raises `KeyError`, `TypeError` or `SettingError`."""
    return list(restored(tuple[BackboneChoice, ...], list(documents)))
