"""A run folder: where everything about one study lives.

study.toml      all settings, resolved
study.sqlite    trials, epochs, states
images.npz      the images: names, the beginnings of their digests, labels and splits
history.csv     a row per trial and epoch
results.csv     a row per candidate
comparisons.csv a row per comparison of two candidates in one metric
costs.json      of several backbones: what each costs on this machine
baselines.npz   what standard classifiers on the same features predict
report.html     the report
heads/          the best epoch of each candidate (safetensors), bounded in number; with folds,
                selected.safetensors, trained on all images
best.keras      the best model, whole; best.keras.json says how to use it (best.xml with its .bin,
                and best.xml.json, on a backbone that Keras does not build)
best.keras.unlike.safetensors  what tells images unlike the study's
curves.png      the learning curves; scores.png, confusion.png: other figures
looks.json      of a study that grows until it is decided: its planned looks, and what came of them
times.json      how long the study's runs took
workers.json    with `workers`: the nodes that computed, their processors and versions
progress.json   while a process is at work: how far it is
test.json       test evaluations: when, of which model, and its scores
claims/         what was found on the lesson's claims
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from manyheads.core.places import disk_errors, is_writable, make_folder, write_text
from manyheads.core.settings import digest, plain
from manyheads.data.data_settings import FORMER_SPLIT_RULE, SplitSettings
from manyheads.data.feature_files import own_features
from manyheads.data.manifest import MANIFEST_SUFFIXES
from manyheads.errors import RunError
from manyheads.study.study_changes import differences, draws_more, is_grown, is_study_of
from manyheads.study.study_document import read_toml, renewed, to_toml
from manyheads.study.study_settings import StudySettings

_OF_IMAGES = ("resolved.content:", "resolved.classes:")  # a digest, which tells nobody anything
MODEL_SUFFIXES = (".keras", ".xml")
PASSING = ("progress.json", ".progress.json")
"""Files that are in a run folder only while a process is at work in it, or was killed."""


class RunFolder:
    """The paths of a run folder; nothing is read or written before it is asked for."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.settings = self.path / "study.toml"
        self.store = self.path / "study.sqlite"
        self.images = self.path / "images.npz"
        self.history = self.path / "history.csv"
        self.results = self.path / "results.csv"
        self.heads = self.path / "heads"
        self.selected = self.heads / "selected.safetensors"
        self.checkpoints = self.path / "checkpoints"
        self.models = tuple(self.path / f"best{suffix}" for suffix in MODEL_SUFFIXES)
        self.figure = self.path / "curves.png"
        self.comparisons = self.path / "comparisons.csv"
        self.baselines = self.path / "baselines.npz"
        self.costs = self.path / "costs.json"
        self.report = self.path / "report.html"
        self.times = self.path / "times.json"
        self.test_log = self.path / "test.json"
        self.looks = self.path / "looks.json"
        self.claims = self.path / "claims"

    @property
    def best(self) -> Path:
        """The best model's file: of a backbone that Keras does not build an .xml, else a .keras."""
        return next((file for file in self.models if file.is_file()), self.models[0])

    @property
    def searches(self) -> list[RunFolder]:
        """The studies that a fit in this folder is made of."""
        inside = map(RunFolder, sorted((self.path / "search").glob("*")))
        return [each for each in inside if each.settings.is_file()]

    @property
    def study(self) -> RunFolder:
        """The folder itself, or one of a fit's studies, which are all of the same images."""
        return self if self.settings.is_file() else next(iter(self.searches), self)

    def best_for(self, *, in_keras: bool) -> Path:
        """Where the best model belongs, by whether Keras builds its backbone."""
        return self.models[not in_keras]

    @classmethod
    def named_after(cls, data: str | Path) -> RunFolder:
        """The usual run folder of a study on `data`: one below `runs/` with its name.

        That of a file is without its suffix, that of a folder whole: `photos.v1` is not
        `photos.v2`.
        """
        path = Path(os.path.normpath(Path(data).absolute()))
        is_file = path.suffix.lower() in MANIFEST_SUFFIXES or own_features(path) is not None
        name = path.stem if is_file else path.name
        return cls(Path("runs") / (re.sub(r"[^\w.-]+", "-", name) or "study"))

    @classmethod
    def for_study(cls, settings: StudySettings, data: str | Path) -> RunFolder:
        """The usual run folder, or beside it, if another study is there, one named by its settings.

        Their name ends in eight hexadecimal digits of the SHA-256 of all settings.
        """
        usual = cls.named_after(data)
        if not usual.settings.is_file() or is_study_of(usual.document(), settings):
            return usual
        choices = plain(settings.grid.choices)
        name = digest([plain(settings), *choices] if choices else plain(settings))[:8]
        return cls(usual.path.with_name(f"{usual.path.name}-{name}"))

    @property
    def is_read_only(self) -> bool:
        """Whether the folder is there and nothing in it can be written."""
        return self.path.is_dir() and not is_writable(self.path)

    def head(self, candidate: int) -> Path:
        """The file of a candidate's best head."""
        return self.heads / f"candidate-{candidate:03d}.safetensors"

    def document(self) -> dict[str, Any]:
        """The settings of the study in this folder; raises `RunError` if there is none."""
        if not self.settings.is_file():
            raise RunError(
                f"a run folder at {self.path}",
                "no study.toml in it" if self.path.is_dir() else "no such folder",
                "name the run folder of a study",
            )
        return read_toml(self.settings)

    @contextmanager
    def opened(
        self,
        document: dict[str, Any],
        *,
        grows: bool = False,
        changed_data: Callable[[dict[str, Any]], str] | None = None,
    ) -> Iterator[RunFolder]:
        """Hold the folder for the study of `document`, new or begun before.

        If it `grows`, the study in it may have had fewer seeds or repeats, and becomes this one; so
        does one with fewer candidates of the same draw.
        `changed_data` says of the former document how the images differ from those of now.
        Raises `RunError` if another process holds it, or if the study in it is another one: then
        the error shows the settings that differ.
        """
        if self.path.is_file():
            raise RunError(f"a folder at {self.path}", "a file", "choose another `out`")
        make_folder(self.path)
        with self.held():
            self._claim(document, grows, changed_data)
            yield self

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder, which is there; raises `RunError` if another process holds it.

        One that cannot be written needs nobody to hold it.
        """
        if self.is_read_only:
            yield
            return
        with disk_errors(self.path):
            lock = FileLock(self.path / ".lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise RunError(
                    f"{self.path} to be free",
                    "another manyheads at work in it",
                    "wait until it has finished",
                ) from None
        try:
            yield
        finally:
            lock.release()

    def require_no_strangers(self) -> None:
        """Raise `RunError` if the folder, which holds no study, holds anything else."""
        ours = (".lock", self.claims.name, self.looks.name, *PASSING)
        strangers = [entry.name for entry in self.path.iterdir() if entry.name not in ours]
        if strangers:
            raise RunError(
                f"an empty folder or a study at {self.path}",
                f"other files ({strangers[0]})",
                "choose another `out`",
            )

    def _claim(
        self,
        document: dict[str, Any],
        grows: bool,
        changed_data: Callable[[dict[str, Any]], str] | None,
    ) -> None:
        if not self.settings.exists():
            self.require_no_strangers()
            write_text(self.settings, to_toml(document))
            return
        former = read_toml(self.settings)
        changed = differences(former, document)
        more = draws_more(former, document) or (grows and is_grown(former, document))
        if changed and more:
            write_text(self.settings, to_toml(document))
        elif changed:
            settings = [each for each in changed if not each.startswith(_OF_IMAGES)]
            words, what, back = [*settings], ["settings"], ["repeat the former settings"]
            if len(settings) < len(changed):
                told = changed_data(former) if changed_data else "the images have changed"
                words, what, back = [*words, told], [*what, "images"], [*back, "restore the images"]
            if not settings:
                del what[0], back[0]
            raise RunError(
                f"the {' and '.join(what)} of the study that {self.path} holds",
                "; ".join(words),
                f"{' and '.join(back)} to resume it, or choose another `out`",
            )


def split_as_begun(split: SplitSettings, run: str | Path) -> SplitSettings:
    """`split` by the former rule, if the study in the folder `run` was begun by it.

    So the command that began a study goes on with it. Raises `RunError` for settings in `run` that
    are not TOML.
    """
    begun = _begun(run).get("split")
    former = isinstance(begun, dict) and begun.get("rule") == FORMER_SPLIT_RULE
    return replace(split, rule=FORMER_SPLIT_RULE) if former else split


def engine_as_begun(engine: str, run: str | Path) -> str:
    """`engine`; for `auto` that of the study in the folder `run`, if there is one.

    So a study goes on with its engine on a machine where another would be chosen. Raises `RunError`
    for settings in `run` that are not TOML.
    """
    study = _begun(run).get("study")
    begun = study.get("engine") if isinstance(study, dict) else None
    return begun if engine == "auto" and isinstance(begun, str) else engine


def place_as_begun(settings: StudySettings, run: str | Path) -> StudySettings:
    """`settings`; where runtime and device are `auto`, with those of the study in the folder `run`.

    So a study goes on with its features on a machine where others would be computed. Raises
    `RunError` for settings in `run` that are not TOML.
    """
    study = _begun(run).get("study")
    if not isinstance(study, dict) or "runtime" not in study:
        return settings
    return settings.placed_as(study["runtime"], study.get("device", "cpu"))


def _begun(run: str | Path) -> dict[str, Any]:
    """The settings of the study in a folder; none where there is none, or no path at all."""
    file = RunFolder(run).settings
    with suppress(OSError):  # beginning a study there will say what is wrong
        if file.is_file():
            return renewed(read_toml(file))
    return {}
