"""The forms that begin a run: their fields, and the command line that a filled-in form is.

Names, words and usual values are those of the declarations; what a value may be, the command itself
decides when it plans.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.backbones import own_files, registry
from manyheads.core.places import stays_below
from manyheads.core.text import counted, option
from manyheads.errors import DataError, SettingError
from manyheads.heads.class_weights import BALANCED, NO_WEIGHTS
from manyheads.heads.hyperparameters import DECLARED, LESSON
from manyheads.run.fit.fit_call import fit_folder
from manyheads.run.fit.fit_settings import AUTO, USUAL_BUDGET, USUAL_FOLDS, USUAL_HEADS
from manyheads.study.folder import RunFolder
from manyheads.web.studio.workspace import OWN_FOLDER, StudioPlace

USUAL_SEEDS = 10  # of a sweep, as the command has it
_MOST = 2_000  # characters of a field
_RANDOM = re.compile(r"random:\d{1,9}")
_VALUE = re.compile(r"[\w.:@+/-]+")
_OUT = re.compile(r"[\w][\w.-]*(?:/[\w][\w.-]*){0,3}")
_BETWEEN = re.compile(r"[,;\s]+")


@dataclass(frozen=True)
class FormField:
    """A field of a form: an option by its setting's name; a list takes several values."""

    name: str
    words: str
    usual: str = ""
    is_list: bool = False
    first: bool = True  # it is seen at once, and not only among more

    @property
    def document(self) -> dict[str, Any]:
        """The field for a page."""
        return {"name": self.name, "flag": option(self.name)[0], "words": self.words,
                "usual": self.usual, "list": self.is_list, "first": self.first}  # fmt: skip


def _declared(name: str, *, first: bool = True) -> FormField:
    known = DECLARED[name]
    usual = " ".join(v if isinstance(v, str) else f"{v:g}" for v in known.usual)
    words = known.words.replace("`", "")
    return FormField(name, words, usual or known.usual_words, True, first)


_IMAGES = (
    FormField("backbone", "pretrained network before the head; several are compared", "", True),
    FormField("image_size", "side of the square input image in pixels", "", False),
)
_WEIGHTS = FormField(
    "weights", "random:0 for random ones, to see what pretraining brings", "pretrained", first=False
)
FORMS: dict[str, tuple[FormField, ...]] = {
    "fit": (
        FormField("budget", "time of the whole command, such as 90s, 30m or 1.5h", USUAL_BUDGET),
        FormField("backbone", _IMAGES[0].words, AUTO, True),
        FormField("image_size", _IMAGES[1].words, "several are tried", False),
        FormField("heads", "heads to average, each of its own seed", str(USUAL_HEADS), first=False),
        FormField("folds", "folds of the cross-validation", str(USUAL_FOLDS), first=False),
        _WEIGHTS,
    ),
    "sweep": (
        *(_declared(name) for name in sorted(LESSON, key=lambda each: each != "droprate")),
        FormField("seeds", "seeds of each candidate", str(USUAL_SEEDS)),
        FormField("backbone", _IMAGES[0].words, "xception", True),
        FormField("image_size", _IMAGES[1].words, "the backbone's own", True),
        FormField("folds", "folds of a cross-validation", "the given split"),
        FormField("candidates", "draw so many from ranges such as 0..0.8", "all", first=False),
        _WEIGHTS,
        *(_declared(name, first=False) for name in DECLARED if name not in LESSON),
    ),
}  # fmt: skip
"""The fields of each form, those that people need first."""


def forms_of(desk: StudioPlace) -> dict[str, Any]:
    """The forms for a page, with the data that a run would use, and names for its folder."""
    data = data_of(desk)
    return {
        "data": None if data is None else desk.name_of(data),
        "forms": [
            {"kind": kind, "out": "" if data is None else free_name(desk, kind, data),
             "fields": [each.document for each in fields]}
            for kind, fields in FORMS.items()
        ],
    }  # fmt: skip


def data_of(desk: StudioPlace) -> Path | None:
    """What a run would use: the manifest with the decisions, or the data that are open."""
    return desk.manifest or desk.current


def free_name(desk: StudioPlace, kind: str, data: Path) -> str:
    """The usual run folder of such a run, with a number behind it if there is one already."""
    usual = fit_folder(data) if kind == "fit" else RunFolder.named_after(data).path
    name, number = usual.as_posix(), 1
    while (desk.place / name).exists():
        number += 1
        name = f"{usual.as_posix()}-{number}"
    return name


def run_arguments(desk: StudioPlace, kind: str, values: Mapping[str, str], out: str) -> list[str]:
    """The words after `manyheads` that a filled-in form is; empty fields are left out.

    Raises `DataError` if no data are open, and `SettingError` for a field or a value that is none:
    a value is a number or a name, never a file's, and the run folder lies in the place.
    """
    if kind not in FORMS:
        raise SettingError("fit or sweep", repr(kind), "choose one of the forms")
    data = data_of(desk)
    if data is None:
        raise DataError("data that are open", "none", "open a folder or a manifest in Data first")
    if not _OUT.fullmatch(out) or not stays_below(out) or OWN_FOLDER in out:
        raise SettingError(
            "a run folder of the place, such as runs/first", repr(out[:100]),
            "name it with letters, digits, dots and dashes",
        )  # fmt: skip
    known = {each.name: each for each in FORMS[kind]}
    words = [kind, operand(desk.name_of(data))]
    for name, given in values.items():
        if name not in known:
            raise SettingError("a field of the form", repr(name[:100]), "leave it out")
        if listed := _listed(known[name], given):
            words += option(name, *listed)
    return [*words, *option("out", out)]


def _listed(field: FormField, given: str) -> list[str]:
    values = [each for each in _BETWEEN.split(given[:_MOST]) if each]
    if len(values) > 1 and not field.is_list:
        raise SettingError(
            f"one value of `{field.name}`", counted(len(values), "value"), "give one"
        )
    for value in values:
        # A word that begins with a dash would be an option, and a path would be read as a file.
        is_path = field.name == "backbone" and _is_path(value)
        is_path |= field.name == "weights" and not _RANDOM.fullmatch(value)
        is_path |= field.name == "class_weight" and value not in (NO_WEIGHTS, BALANCED)
        if not _VALUE.fullmatch(value) or value.startswith("-") or is_path:
            raise SettingError(
                f"numbers or names as `{field.name}`", repr(value[:100]),
                "correct it; files of your own are named on the command line",
            )  # fmt: skip
    return values


def _is_path(backbone: str) -> bool:
    parts = Path(backbone).parts
    named = registry.is_described(backbone) and ".." not in parts
    return own_files.is_file(backbone) and not named


def operand(name: str) -> str:
    """A path's name as a word of a command that is no option, whatever it begins with."""
    return f"./{name}" if name.startswith("-") else name


def in_words(arguments: Sequence[str]) -> str:
    """The command line, to be copied."""
    return shlex.join(["manyheads", *arguments])
