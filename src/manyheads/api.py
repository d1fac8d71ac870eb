"""The Python interface: `Study`, `fit`, `make_model` and `load`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from manyheads.backbones import registry
from manyheads.core.table import as_text
from manyheads.core.text import counted
from manyheads.data.augmentation import Augmentation
from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings
from manyheads.data.marks import PLAIN_FORMS, Mark
from manyheads.errors import RunError, SettingError
from manyheads.findings.claim_record import EnsembleClaim, LongerClaim
from manyheads.findings.score_tables import results_table, shown_candidates
from manyheads.findings.study_findings import read_findings
from manyheads.findings.test_log import Opening
from manyheads.findings.verdict import Verdict
from manyheads.heads.hyperparameters import LESSON, NEUTRAL
from manyheads.lesson.ensemble_claim import ensemble_claim
from manyheads.lesson.longer_claim import longer_claim
from manyheads.lesson.shortcut.shortcut_check import Checked, run_shortcut
from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings
from manyheads.models.classifier import Classifier, load
from manyheads.models.lesson_model import make_model
from manyheads.run.fit.fit_call import fit
from manyheads.run.pipeline import Finished, PlanListener, run_study
from manyheads.run.plan import RunOptions
from manyheads.run.test_evaluation import final_score
from manyheads.run.until_decided import run_until_decided
from manyheads.stats.comparisons import Margins
from manyheads.stats.posterior import Posterior
from manyheads.study.folder import RunFolder
from manyheads.study.history import METRICS
from manyheads.study.space import HYPERPARAMETERS, Grid
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings, lasting

__all__ = ["Study", "TableSettings", "fit", "load", "make_model"]

Values = float | Iterable[float]
Words = str | Iterable[str]
Scores = dict[str, list[float]]


class Regularisers(TypedDict, total=False):
    """The hyperparameters that a study may list beside the lesson's; see `Hyperparameters`."""

    droprate_schedule: Words
    feature_droprate: Values
    hide_patches: Values
    hide_block: int | Iterable[int]
    hide_pixels: Values
    views: int | Iterable[int]
    mixup: Values
    label_smoothing: Values
    l2: Values
    weight_decay: Values
    max_norm: Values
    optimizer: Words
    momentum: Values
    learning_rate_schedule: Words


class Study:
    """All trials of one question on one data set, in one run folder.

    `data` is a folder, a manifest or a name of the catalog; `learning_rate`, `size_inner`,
    `droprate`, `epochs`, `batch_size` and any other of the `Hyperparameters` (`l2=[0, 0.001]`) are
    values or lists of them, and every combination is a candidate. `image_size` is in pixels (None:
    the backbone's own), and `depth` is of images with more than 8 bits a channel: white is
    2^depth - 1. `folds` divides the images for training and validation into so many parts,
    `repeats` times anew, each validated by heads that train on the others; None: the given
    validation images validate. `patience` ends a trial after so many epochs without a better one,
    `prune` trains only the best `1 / prune` of the candidates on from rung to rung. `augmentation`
    is what makes the views that `views` counts, and `grid_storage` (f32 or f16) how the feature
    grids of `hide_patches` are kept. A `backbone` may be a file (.keras, .onnx, OpenVINO's .xml)
    with a stated `preprocessing`; `features` that were computed elsewhere, an array's file (.npy)
    or columns of the Parquet table `data`, take its place. `table` says how a manifest
    is read. A bad value raises `SettingError` at once.
    """

    def __init__(
        self,
        data: str | Path,
        *,
        droprate: Values = (0.0, 0.2, 0.5, 0.8),
        learning_rate: Values = 0.001,
        size_inner: int | Iterable[int] = 100,
        epochs: int | Iterable[int] = 30,
        batch_size: int | Iterable[int] = 32,
        seeds: int = 10,
        folds: int | None = None,
        repeats: int | None = None,
        backbone: str | Path = "xception",
        preprocessing: str | None = None,
        features: str | Path | Sequence[str] | None = None,
        weights: str | Path | None = None,
        image_size: int | None = None,
        interpolation: str = ImageSettings.interpolation,
        exif: bool = True,
        depth: int | None = None,
        split: SplitSettings | None = None,
        table: TableSettings | None = None,
        select: str = "best_accuracy",
        patience: int | None = None,
        prune: int | None = None,
        engine: str = "fused",
        runtime: str = "openvino",
        precision: str = "f32",
        augmentation: Augmentation | None = None,
        grid_storage: str = "f32",
        out: str | Path | None = None,
        **regularisers: Unpack[Regularisers],
    ) -> None:
        given = (str(features),) if isinstance(features, str | Path) else features
        size = image_size or (150 if given else registry.get(backbone, preprocessing).default_size)
        self.settings = StudySettings(
            data=lasting(data),
            grid=_grid(
                learning_rate=learning_rate,
                size_inner=size_inner,
                droprate=droprate,
                epochs=epochs,
                batch_size=batch_size,
                **regularisers,
            ),
            backbone=str(backbone),
            preprocessing=preprocessing,
            features=None if given is None else tuple(given),
            weights=None if weights is None else str(weights),
            image=ImageSettings(
                size=size,
                interpolation=interpolation,
                exif=exif,
                depth=depth,
            ),
            split=split or SplitSettings(),
            table=table or TableSettings(),
            seeds=seeds,
            folds=folds,
            repeats=repeats,
            select=select,
            patience=patience,
            prune=prune,
            engine=engine,
            runtime=runtime,
            precision=precision,
            augmentation=augmentation,
            grid_storage=grid_storage,
        )
        self.folder = RunFolder(out) if out else RunFolder.named_after(data)
        self._finished: Finished | None = None

    def run(
        self, *, options: RunOptions | None = None, listener: PlanListener | None = None
    ) -> Study:
        """Run the study or go on with it, and return it; what was done before is kept."""
        self._finished = run_study(
            self.settings, self.folder.path, options=options, listener=listener
        )
        return self

    def run_until_decided(
        self,
        *,
        budget: float | None = None,
        options: RunOptions | None = None,
        listener: PlanListener | None = None,
    ) -> Study:
        """Run the study with more and more seeds until the best candidate is known; return it.

        It begins with the study's `seeds`, doubles them and, with folds, repeats these, at looks
        that are planned beforehand, so that the family-wise error rate stays at most 5 %. `budget`
        is in seconds over all runs; None: no limit.
        """
        self._finished = run_until_decided(
            self.settings, self.folder.path, budget=budget, options=options, listener=listener
        )
        return self

    @property
    def scores(self) -> dict[Any, Scores]:
        """The lesson's dictionary: `scores[droprate]["val_accuracy"]` is a list over epochs.

        The keys are the values of the hyperparameter that varies (of several, tuples of them in
        the order of `Hyperparameters`), the lists means over seeds. A list is as
        long as all trials of its candidate were trained: short, for one that was pruned.
        """
        result = self.finished.result
        names = self.settings.grid.varying or ("droprate",)
        scores = {}
        with Store(self.folder.store) as store:
            for candidate, group in groupby(
                store.trials("done", "pruned"), lambda record: record.trial.candidate
            ):
                curves = [store.curve(record.trial.number) for record in group]
                shared = min(len(curve) for curve in curves)
                means = np.mean(np.array([curve[:shared] for curve in curves]), axis=0)
                setting = result.hyperparameters(candidate)
                key = tuple(getattr(setting, name) for name in names)
                scores[key[0] if len(key) == 1 else key] = {
                    metric: means[:, place].tolist() for place, metric in enumerate(METRICS)
                }
        return scores

    @property
    def left_out(self) -> str:
        """What the data hold without its being used, in one line with its share; "" if nothing."""
        return self.finished.dataset.left_out

    @property
    def results(self) -> list[dict[str, Any]]:
        """The rows of `results.csv`: a dictionary for each candidate, numbers as numbers."""
        with self.finished.folder.results.open(newline="", encoding="utf-8") as file:
            return [
                {name: _number(text) for name, text in row.items()} for row in csv.DictReader(file)
            ]

    def verdict(
        self, *, baseline: int | None = None, accuracy: float = 0.01, log_loss: float = 0.02
    ) -> Verdict:
        """Which differences between candidates are real: `print(study.verdict())`.

        Each pair, or each candidate with the `baseline` (its number in `results`); differences up
        to `accuracy` (a share) and `log_loss` (nats) make none in practice. `.sentences` are the
        answer, `.comparisons.entries` what it rests on.
        """
        margins = Margins(accuracy=accuracy, log_loss=log_loss)
        return read_findings(self.finished.folder, baseline=baseline, margins=margins).verdict

    def posteriors(
        self, *, baseline: int | None = None, accuracy: float = 0.01, log_loss: float = 0.02
    ) -> tuple[Posterior, ...]:
        """How probable it is that a candidate is better, equivalent or worse, beside the verdict.

        For each comparison of `verdict`: probabilities in [0, 1] that the true difference lies
        beyond, within or beyond the margin, given these images and seeds and no opinion beforehand.
        They are of one pair each, not adjusted for many, and decide nothing. None with one seed.
        """
        margins = Margins(accuracy=accuracy, log_loss=log_loss)
        return read_findings(self.finished.folder, baseline=baseline, margins=margins).posteriors

    @property
    def best(self) -> Classifier:
        """The best model, ready to predict."""
        return load(self.finished.folder.best)

    def test(self, *, candidate: int | None = None, again: bool = False) -> Opening:
        """Score the selected model, or the best of `candidate`, on the test images, on the record.

        They are opened for one model; for another one only `again`, and every report says so.
        """
        run, data = self.finished.folder.path, self.settings.data
        return final_score(run, candidate=candidate, again=again, data=data).opening

    def ensemble_claim(
        self, *, candidate: int | None = None, accuracy: float = 0.01, log_loss: float = 0.02
    ) -> EnsembleClaim:
        """Check that dropout works as an ensemble, on the selected candidate or on `candidate`.

        Random subnetworks, averages of them and ensembles of seeds, against ordinary inference;
        margins as in `verdict`. `print(*claim.sentences)` is the answer; every later report has it.
        """
        margins = Margins(accuracy=accuracy, log_loss=log_loss)
        return ensemble_claim(self.finished.folder.path, candidate=candidate, margins=margins)

    def longer_claim(
        self, *, epochs: int | None = None, patience: int | None = None
    ) -> LongerClaim:
        """Check that dropout needs longer training: train every candidate until it has turned.

        To `epochs` at most (default: 10 times the study's), ending after `patience` epochs without
        a lower log loss. `print(*claim.sentences)` is the answer; every later report has it.
        """
        return longer_claim(self.finished.folder.path, epochs=epochs, patience=patience)

    def shortcut_claim(
        self,
        target: str,
        *,
        mark: str | Path = "logo",
        share: float = 0.95,
        into: Iterable[str] = (),
        hide_patches: float = 0.0,
        hide_pixels: float = 0.0,
        views: int = 4,
        everywhere: bool = False,
        clean: int = 0,
        margin: float = 0.01,
    ) -> Checked:
        """Check whether heads learn a mark instead of the class `target`, as `manyheads shortcut`.

        The study's candidates are trained with its seeds on given validation images, each head to
        its last epoch. `mark` is a form (logo, patch, text, border, tint) or a picture's file,
        planted on the `share` of the class's training images, in memory. `into` are the classes
        asked about with it (none: all others). The remedies: a share of the feature grid's cells
        hidden, a share of the image hidden in all of `views` but the plain one, the mark on every
        class, and a last layer trained anew on so many `clean` images of each.
        `print(*found.verdict)` is the answer; every later report has it.
        """
        settings = ShortcutSettings(
            study=replace(self.settings, select="last", patience=None, prune=None),
            target=target,
            mark=Mark.usual(str(mark)) if mark in PLAIN_FORMS else Mark.of_file(Path(mark)),
            share=share,
            into=tuple(dict.fromkeys(into)),
            hide_patches=hide_patches,
            hide_pixels=hide_pixels,
            views=views,
            everywhere=everywhere,
            clean=clean,
            margin=margin,
        )
        return run_shortcut(settings, self.folder.path)

    @property
    def finished(self) -> Finished:
        """What `run` came to; raises `RunError` before it has been called."""
        if self._finished is None:
            raise RunError("a study that has been run", "one that has not", "call run() first")
        return self._finished

    def __repr__(self) -> str:
        grid = self.settings.grid
        words = [
            f"{name} {' '.join(f'{v}' if isinstance(v, str) else f'{v:g}' for v in values)}"
            for name in HYPERPARAMETERS
            if (values := getattr(grid, name)) != (NEUTRAL[name],) or name in LESSON
        ]
        head = (
            f"<Study of {Path(self.settings.data).name} in {self.folder.path}: {'; '.join(words)}"
        )
        seeds = counted(self.settings.seeds, "seed")
        head += f"; {seeds}, {counted(self.settings.epochs, 'epoch')}>"
        return head if self._finished is None else f"{head}\n{self._table()}"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>"

    def _table(self) -> str:
        result = self.finished.result
        text = as_text(results_table(result, self.settings.grid.varying))
        more = len(result.grid) - len(shown_candidates(result))
        return f"{text}\n… {more:,} more in .results" if more else text


def _grid(**given: Any) -> Grid:
    unknown = [name for name in given if name not in HYPERPARAMETERS]
    if unknown:
        near = get_close_matches(unknown[0], HYPERPARAMETERS, 1)
        raise SettingError(
            "the name of a hyperparameter", unknown[0],
            f"did you mean {near[0]}?" if near else f"choose of {', '.join(HYPERPARAMETERS)}",
        )  # fmt: skip
    return Grid(**{name: _values(values) for name, values in given.items()})


def _values(given: Any) -> tuple[Any, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        return (given,)
    return tuple(given)


def _number(text: str) -> float | int | str | None:
    if not text:
        return None
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return text
