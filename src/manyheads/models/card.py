"""The side file of a model: everything that using it right takes, beside the model itself.

`best.keras` has `best.keras.json`. It names the classes in the order of the logits, the preparation
of pixels and the preprocessing that the network expects, and the digest of the model file that it
belongs to, so that nobody can apply the wrong ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core.places import write_text
from manyheads.core.settings import choice, plain, restored
from manyheads.data.data_settings import ImageSettings
from manyheads.data.label_names import whole_numbers
from manyheads.errors import ModelError, SettingError
from manyheads.heads.hyperparameters import as_named
from manyheads.modelfiles.damage import damage
from manyheads.models.quantised_record import Quantised

FORMAT = 1
_BLOCK = 1 << 24
_LONGEST = 1 << 26  # bytes; a million classes have some 2²⁴
_WORDS = ("backbone", "weights", "weights_source", "preprocessing", "data")
PREPROCESSED, PIXELS = "preprocessed", "pixels"
LOGITS, PROBABILITIES = "logits", "probabilities"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """How to use a model file.

    The network takes RGB images `[n, size, size, 3]`: float32 as `preprocessing` returns them, or,
    if its `input` is "pixels", uint8 as they are; where the `backbone` is none, it takes features
    `[n, features]` that were computed elsewhere, as `weights_source` says; of a pack's, the
    `recipe` is known. Its `output` `[n, classes]` is logits or probabilities. `selected` says which
    trial and epoch it is, and its validation scores; of a study with folds, whose model trained on
    all images, that it was `validated` on none, and the means of the folds' heads as
    `folds_mean_val_accuracy` and so on. `quantised` says that a model was, and what that cost.
    Where an image may have several labels, `classes` are labels, each with a sigmoid instead of a
    softmax over all, and `thresholds` are the probabilities above which each is said.
    """

    classes: tuple[str, ...]
    backbone: str
    weights: str
    weights_source: str
    image: ImageSettings
    preprocessing: str
    data: str
    selected: dict[str, float | int | str] = field(default_factory=dict)
    input: str = PREPROCESSED
    output: str = LOGITS
    recipe: dict[str, Any] | None = field(default=None, metadata={"told": "if set"})
    quantised: Quantised | None = field(default=None, metadata={"told": "if set"})
    thresholds: tuple[float, ...] | None = field(default=None, metadata={"told": "if set"})

    def __post_init__(self) -> None:
        choice("input", self.input, (PREPROCESSED, PIXELS))
        choice("output", self.output, (LOGITS, PROBABILITIES))

    @classmethod
    def of_network(
        cls,
        spec: BackboneSpec,
        weights: Weights,
        image: ImageSettings,
        *,
        classes: Sequence[str],
        data: str,
        selected: Mapping[str, float | int | str] | None = None,
        recipe: dict[str, Any] | None = None,
        thresholds: tuple[float, ...] | None = None,
    ) -> ModelCard:
        """The card of a whole network as `write_model` writes it."""
        return cls(
            classes=tuple(classes),
            backbone=spec.name,
            weights=weights.digest,
            weights_source=weights.source,
            image=image,
            preprocessing=spec.preprocessing,
            data=data,
            selected=dict(selected or {}),
            input=PIXELS if spec.members else PREPROCESSED,
            output=PROBABILITIES if spec.members else LOGITS,
            recipe=recipe,
            thresholds=thresholds,
        )

    @property
    def several_labels(self) -> bool:
        """Whether an image may have several labels."""
        return self.thresholds is not None

    @property
    def is_plain(self) -> bool:
        """Whether the network takes preprocessed images and gives logits.

        So studies write it, except on backbones side by side.
        """
        return (self.input, self.output) == (PREPROCESSED, LOGITS)


def about_model(card: ModelCard) -> dict[str, str]:
    """What an export says of itself inside its file: the classes and the side file, as JSON."""
    return {
        "classes": json.dumps(card.classes, ensure_ascii=False),
        "card": json.dumps(plain(card), ensure_ascii=False),
    }


def card_path(model: Path) -> Path:
    """Where the side file of `model`, a file or a folder, lies."""
    return model.with_name(f"{model.name}.json")


def unlike_path(model: Path) -> Path:
    """Where the file lies that tells images unlike those of `model`; see `unlike_files`."""
    return model.with_name(f"{model.name}.unlike.safetensors")


def side_files(model: Path) -> list[Path]:
    """The files that go with those of `model`: its side file, and the other one if it is there."""
    unlike = unlike_path(model)
    return [card_path(model), *([unlike] if unlike.is_file() else [])]


def remove_side_files(model: Path) -> None:
    """Remove what would stand beside another model than it was written for."""
    for path in (card_path(model), unlike_path(model)):
        path.unlink(missing_ok=True)


def write_card(model: Path, card: ModelCard) -> None:
    """Write the side file of the finished `model`."""
    document = {"format": FORMAT, "file_sha256": file_digest(model), **plain(card)}
    if whole_numbers(card.classes):  # a reader could take their names for the outputs' numbers
        document["outputs"] = {str(place): name for place, name in enumerate(card.classes)}
    write_text(card_path(model), json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def read_card(model: Path) -> ModelCard:
    """The side file of `model`; raises `ModelError` if it is missing or another model's."""
    path = card_path(model)
    expected = f"the side file {path}, which says how to use {model.name}"
    together = "keep the two files together, as `manyheads export` writes them"
    try:
        document = _document(path)
        version, owner = document.pop("format"), document.pop("file_sha256")
        document.pop("outputs", None)  # for readers; it says what `classes` say
        if version != FORMAT:
            remedy = "open it with the version of manyheads that wrote it, or a newer one"
            raise ModelError(f"a side file of format {FORMAT} at {path}", f"{version}", remedy)
        card = _card(document)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError(expected, reason, together) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SettingError) as error:
        reason = f"one without {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(expected, " ".join(reason.split()), together) from error
    if owner != _digest_of(model):
        if found := damage(model):
            raise ModelError(
                f"{model} whole, as it was written", found,
                "copy it again from where it was whole, or write it anew: repeat its `sweep` or "
                "`export`",
            )  # fmt: skip
        raise ModelError(
            f"{path} to describe {model.name}",
            "the side file of another model, or a model that has changed since", together,
        )  # fmt: skip
    return card


def card_owner(model: Path) -> str:
    """The digest of the model that the side file of `model` names.

    Raises `OSError` or `ValueError` if there is none.
    """
    found = _document(card_path(model)).get("file_sha256")
    if not isinstance(found, str):
        raise ValueError("a side file without file_sha256")
    return found


def _digest_of(model: Path) -> str:
    try:
        return file_digest(model)
    except OSError as error:
        file, reason = error.filename or model, (error.strerror or str(error)).lower()
        raise ModelError(f"to read {file}", reason, "check the file and its permissions") from error


def _document(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise ValueError(f"more than {_LONGEST:,} bytes")
    return json.loads(content.decode("utf-8"))


def _card(document: dict[str, Any]) -> ModelCard:
    classes = document["classes"]
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError("classes that are no list of names")
    if len(set(classes)) < max(2, len(classes)):
        raise ValueError("fewer than two classes, or one twice")
    thresholds = document.get("thresholds")
    if thresholds is not None and (
        not isinstance(thresholds, list)
        or len(thresholds) != len(classes)
        or not all(isinstance(each, float | int) and 0 < each < 1 for each in thresholds)
    ):
        raise ValueError("thresholds that are no probability for each label")
    if not all(isinstance(document[name], str) for name in _WORDS):
        raise ValueError(f"{', '.join(_WORDS)} that are not all text")
    return restored(ModelCard, document | {"selected": as_named(document.get("selected", {}))})


def model_files(model: Path) -> list[Path]:
    """The files of a model, without its side file: of an .xml also the .bin that has its arrays."""
    return [model, model.with_suffix(".bin")] if model.suffix == ".xml" else [model]


def model_size(model: Path) -> int:
    """The bytes of a model's files."""
    return sum(file.stat().st_size for file in model_files(model))


def file_digest(path: Path) -> str:
    """SHA-256 of a model's files, or of a folder's files and their names, in hexadecimal."""
    total = hashlib.sha256()
    if path.is_dir():
        for file in sorted(entry for entry in path.rglob("*") if entry.is_file()):
            total.update(f"{file.relative_to(path).as_posix()}\0{file_digest(file)}\n".encode())
        return total.hexdigest()
    for part in model_files(path):
        with part.open("rb") as file:
            while block := file.read(_BLOCK):
                total.update(block)
    return total.hexdigest()
