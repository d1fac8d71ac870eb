"""What a fit came to, as it is kept: `fit.json` beside the model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.core.records import read_record, write_record
from manyheads.core.settings import plain
from manyheads.errors import RunError
from manyheads.findings.expected_score import Expected
from manyheads.heads.hyperparameters import as_named
from manyheads.run.fit import fit_answers
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.growth import HELD_OUT, Growth, read_growth
from manyheads.stats.class_metrics import BY_CLASS
from manyheads.stats.intervals import Estimate
from manyheads.study.folder import PASSING, RunFolder

if TYPE_CHECKING:
    from manyheads.heads.head import Parameters
    from manyheads.models.classifier import Classifier

FORMAT = 2
FILE = "fit.json"
_OURS = (FILE, "search", ".lock", "division", HELD_OUT, fit_answers.FILE, *PASSING)


@dataclass(frozen=True, kw_only=True)
class ComparedBackbone:
    """What the sample says of a backbone at images of `size` pixels, and whether it was `kept`.

    `log_loss` and `accuracy` are those of logistic regression in folds; None where there was no
    time. `images_per_second` is None where all features were there.
    """

    backbone: str
    size: int
    kept: bool
    log_loss: float | None = None
    accuracy: float | None = None
    images_per_second: float | None = None


@dataclass(frozen=True, kw_only=True)
class Tried:
    """An option that was tried: image size, augmented copies and setting, in words too.

    `backbone` is its name, of one from the hub as it is pinned; `study` its study's folder.
    `log_loss` (after temperature scaling) and `accuracy` are of single heads, on held-out images,
    and so is `score`: the balanced accuracy or macro F1, if one of these ranks. `folds` counts the
    outer folds of the nested cross-validation that choose it. `pruned`: options of its size and
    copies were dropped early by their scores on all images.
    """

    backbone: str
    study: str
    size: int
    augmented_copies: int
    words: str
    hyperparameters: dict[str, Any]
    log_loss: float
    accuracy: float
    folds: int
    pruned: bool
    score: float | None = field(default=None, metadata={"told": "if set"})

    def scored(self, metric: str) -> float:
        """The score in the `metric` that ranks: accuracy, log loss, or `score`."""
        known = {"accuracy": self.accuracy, "log_loss": self.log_loss}
        value = known.get(metric, self.score)
        return math.nan if value is None else value


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A finished fit: its model in the folder `path`, and what to expect of it.

    `tried` are all options, the best first: it is what the model was made by, of `heads` heads.
    `compared` are backbones, if the images of a sample chose among them, which are in no score.
    `settings` are what was asked for; `content` is the data set's digest and `images` counts those
    that were divided into `folds`. `seconds` and `passes` are what this call of the fit took, and
    `remarks` tell what there was no time for.
    """

    path: Path
    settings: FitSettings
    data: str
    content: str
    images: int
    folds: int
    heads: int
    compared: tuple[ComparedBackbone, ...]
    tried: tuple[Tried, ...]
    expected: Expected
    passes: int
    seconds: float
    remarks: tuple[str, ...]
    about: dict[str, Any]

    @property
    def metric(self) -> str:
        """The score that ranked what was tried."""
        return self.settings.metric

    @property
    def ranked_in(self) -> tuple[str, ...]:
        """The scores of what was tried that are shown: first the one that ranked."""
        return tuple(dict.fromkeys([self.metric, "log_loss", "accuracy"]))

    @property
    def leading_scores(self) -> dict[str, Estimate]:
        """What to expect, by name: accuracy and log loss, before them the one that ranked if it
        is another.
        """
        names = [*([self.metric] if self.metric in BY_CLASS else []), "accuracy", "log_loss"]
        return {name: getattr(self.expected.measured, name) for name in names}

    @property
    def pruned(self) -> bool:
        """Whether the search dropped options by the images that the expectation comes from."""
        return any(each.pruned for each in self.tried)

    @property
    def model(self) -> Path:
        """The file of the model."""
        return RunFolder(self.path).best

    @property
    def study(self) -> RunFolder:
        """The study of the option that the model was made by; raises `RunError` if it is gone."""
        name = self.tried[0].study  # of an earlier version a pattern
        found = next(iter(sorted((self.path / "search").glob(name))), None)
        if found is None:
            raise RunError(
                f"the study {name} of the fit in {self.path}", "none", "repeat the fit anew"
            )
        return RunFolder(found)

    @property
    def growth(self) -> Growth | None:
        """What a fit from a former run came to beside it; None if it began from none."""
        return read_growth(self.path)

    def head(self) -> Parameters:
        """The head of the model: the average of those that were trained on all images."""
        from manyheads.heads.files import load_head
        from manyheads.models.templates import read_head

        kept = RunFolder(self.path).selected
        return load_head(kept)[0] if kept.is_file() else read_head(self.model)

    def classifier(self) -> Classifier:
        """The model, ready to classify images."""
        from manyheads.models.classifier import load

        return load(self.model)


def write_fit(fitted: Fitted) -> None:
    """Write `fit.json`, whole or not at all."""
    kept = {each.name: getattr(fitted, each.name) for each in fields(fitted)}
    del kept["path"]
    write_record(fitted.path / FILE, kept, FORMAT)


def read_fit(path: Path) -> Fitted | None:
    """What the fit in the folder `path` came to; None if it is not finished.

    Raises `RunError` for a record that cannot be read.
    """
    return read_record(
        path / FILE, Fitted, FORMAT, what="the record of a fit", prepare=_prepared, path=path,
        remedy="use the version of manyheads that wrote it, or begin anew in another run folder",
    )  # fmt: skip


def _prepared(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the present names of hyperparameters, and what an earlier one lacks."""
    tried = [as_named(each) for each in document["tried"]]
    for each in tried:
        each["hyperparameters"] = as_named(each["hyperparameters"])
        former = {"backbone": document["settings"]["backbone"], "study": f"{each['size']}px-*"}
        each |= {name: each.get(name, value) for name, value in former.items()}
    return {"remarks": [], "compared": []} | document | {"tried": tried}


def require_ours(path: Path, settings: FitSettings) -> Fitted | None:
    """The record in `path` if it answers `settings`; None if there is a fit to begin or go on with.

    A fit with another budget goes on. Raises `RunError` for a folder that holds something else.
    """
    if not path.exists():
        return None
    known = read_fit(path) if path.is_dir() else None
    if known is None:
        strangers = [path.name] if path.is_file() else _strangers(path)
        if strangers:
            raise RunError(
                f"an empty folder or a fit at {path}", f"other files ({strangers[0]})",
                "choose another `out`",
            )  # fmt: skip
        return None
    before, now = plain(known.settings), plain(settings)
    changed = [
        f"{name}: {before.get(name)} → {now.get(name)}"
        for name in sorted(before.keys() | now.keys())
        if name not in ("budget", "data") and before.get(name) != now.get(name)
    ]
    if changed:
        raise RunError(
            f"the settings of the fit that {path} holds", "; ".join(changed),
            "repeat the former settings, or choose another `out`",
        )  # fmt: skip
    return known if before["budget"] == now["budget"] and known.model.is_file() else None


def _strangers(path: Path) -> list[str]:
    names = sorted(entry.name for entry in path.iterdir())
    return [] if set(names) & set(_OURS[:2]) else [name for name in names if name not in _OURS]
