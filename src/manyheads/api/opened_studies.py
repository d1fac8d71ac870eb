"""A study in its run folder: all that it can answer, finished or not."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import numpy as np

from manyheads.api.progress_bars import ShowProgress, reported
from manyheads.api.study_claims import StudyClaims
from manyheads.api.study_display import StudyState, asked_words, results_html, results_text
from manyheads.api.study_plots import StudyPlots
from manyheads.api.study_publishing import StudyPublishing
from manyheads.errors import RunError
from manyheads.findings.baseline_scores import Baselines
from manyheads.findings.importance import Importance
from manyheads.findings.posteriors import Posteriors
from manyheads.findings.recommendation import Recommendation
from manyheads.findings.test_log import TestEvaluation, read_test_log
from manyheads.findings.verdict import Verdict
from manyheads.findings.wording import CandidateNames
from manyheads.models.classifier import Classifier, load
from manyheads.report.written_report import written_report
from manyheads.run.pipeline import run_study
from manyheads.run.plan import RunOptions
from manyheads.run.test_evaluation import final_score
from manyheads.run.until_decided import run_until_decided
from manyheads.stats.comparisons import Margins
from manyheads.study.finished import finished_result, head_of
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead
from manyheads.study.history import METRICS, HistoryFile, history_columns
from manyheads.study.results import StudyResult, read_result, result_rows, results_columns
from manyheads.study.store import Store
from manyheads.study.study_document import read_study
from manyheads.study.study_settings import lasting

Scores = dict[str, list[float]]


class OpenedStudy(StudyPlots, StudyClaims, StudyPublishing):
    """A study in its run folder, as `open_study` opens it: ask it anything.

    `run()` trains what is left of it; everything else is answered from the run folder, also while
    another process trains. `margin_…` are differences up to which two candidates are equivalent in
    practice: of accuracy in points (hundredths), of log loss in nats, as on the command line. Long
    calls show a bar in a notebook or a terminal; `progress=False` shows none, and a function is
    called with (step, done, total).
    """

    def run(
        self,
        *,
        strict: bool = False,
        max_unreadable: float | str | None = None,
        keep_heads: int = RunOptions.keep_heads,
        checkpoint_pattern: str | None = None,
        parquet: bool = False,
        baselines: bool = True,
        workers: int | str | None = None,
        progress: ShowProgress = True,
    ) -> Self:
        """Run the study or go on with it, and return it; what was done before is kept.

        It ends with `report.html` in the run folder, unless nothing was left to train.

        `strict` makes an unreadable image an error, `max_unreadable` a larger share of them than
        this (0.01 or "1%"); otherwise they are left out. `keep_heads` bounds the files of heads.
        `checkpoint_pattern`, such as "v3_{epoch:02d}_{val_accuracy:.3f}", asks for a whole network
        of each of the best candidates, `parquet` for the tables as Parquet too. Without `baselines`
        no standard classifiers are trained beside the heads. `workers` compute features and train
        heads, with the same results: a number of processes of this machine, "ray" or the address of
        a Ray cluster.
        """
        options = RunOptions(
            strict=strict, max_unreadable=max_unreadable, keep_heads=keep_heads,
            checkpoint_pattern=checkpoint_pattern, parquet=parquet, baselines=baselines,
            workers=workers,
        )  # fmt: skip
        self._choose_folder()
        with reported(progress) as job:
            self._finished = run_study(self._settings, self.path, options=options, job=job)
        self._settings = self._finished.settings
        return self

    def run_until_decided(
        self,
        *,
        budget: float | None = None,
        strict: bool = False,
        workers: int | str | None = None,
        progress: ShowProgress = True,
    ) -> Self:
        """Run the study with more and more seeds until the best candidate is known; return it.

        It begins with the study's `seeds`, doubles them and, with folds, repeats these, at planned
        looks, so the family-wise error rate is at most 5 %. `budget`: seconds, over all runs.
        `workers` are those of `run`.
        """
        options = RunOptions(strict=strict, workers=workers)
        self._choose_folder()
        with reported(progress) as job:
            self._finished = run_until_decided(
                self._settings, self.path, budget=budget, options=options, job=job
            )
        self._settings = self._finished.settings
        return self

    def _choose_folder(self) -> None:
        """Decide where to run a study that was given no run folder; this one has one."""

    @property
    def state(self) -> StudyState:
        """How far the study is, also while it runs in another process."""
        names = []
        if self._folder.store.is_file():
            with Store(self._folder.store) as store:
                names = [record.state for record in store.trials()]
        counts = {name: names.count(name) for name in ("done", "failed", "pruned")}
        return StudyState(trials=len(self._settings.trials()), **counts)

    @property
    def scores(self) -> dict[Any, Scores]:
        """The lesson's dictionary: `scores[droprate]["val_accuracy"]` is a list over epochs.

        The keys are the values of the hyperparameter that varies (of several, tuples of them in
        the order of `Hyperparameters`), the lists means over seeds. A list is as
        long as all trials of its candidate were trained: short, for one that was pruned.
        """
        grid = self._settings.grid
        names = grid.varying or ("droprate",)
        scores = {}
        with self._store() as store:
            for candidate, group in groupby(
                store.trials("done", "pruned"), lambda record: record.trial.candidate
            ):
                curves = [store.curve(record.trial.number) for record in group]
                shared = min(len(curve) for curve in curves)
                means = np.mean(np.array([curve[:shared] for curve in curves]), axis=0)
                setting = grid[candidate - 1]
                key = tuple(getattr(setting, name) for name in names)
                scores[key[0] if len(key) == 1 else key] = {
                    metric: means[:, place].tolist() for place, metric in enumerate(METRICS)
                }
        return scores

    @property
    def left_out(self) -> str:
        """What the data hold without its being used, in one line with its share; "" if nothing.

        Known after `run`, which opens the data.
        """
        if self._finished is None:
            raise RunError("a study that has been run", "one that has not", "call run() first")
        return self._finished.dataset.left_out

    @property
    def results(self) -> list[dict[str, Any]]:
        """A dictionary for each candidate, with the columns of `results.csv`; None for no value.

        While the study runs, of the trials that have ended until now.
        """
        with self._store() as store:
            result = read_result(store, self._settings)
        columns = results_columns(result.grid, result.rule)
        return [dict(zip(columns, row, strict=True)) for row in result_rows(result)]

    @property
    def history(self) -> list[dict[str, Any]]:
        """A dictionary for each epoch of each ended trial, with the columns of `history.csv`."""
        with self._store() as store:
            rows = HistoryFile(self._folder.history, store, self._settings).rows()
            columns = history_columns(self._settings.grid, self._settings.select)
            return [dict(zip(columns, row, strict=True)) for row in rows]

    def recommendation(self) -> Recommendation:
        """Which setting to use, how sure that is, and which study would tell: `print` it.

        `.confidence` is "clear", "equivalent", "probable", "too close to call", "not assessed" (one
        seed) or "no comparison"; `.best` has the score here and the one to expect on new images.
        """
        return self._findings(None, 1.0, 0.02).recommendation

    def importance(self) -> Importance:
        """How much each hyperparameter matters: its share in how the candidates differ.

        `.shares` are those of the main effects in the variance of the mean scores, in [0, 1], with
        95 % intervals, the greatest first; `.interactions` is what these leave.
        """
        return self._findings().importance

    def baselines(self) -> Baselines:
        """Standard classifiers on the same features beside the selected candidate: `print` it.

        The majority class, nearest neighbours and logistic regression, in the study's own folds.
        Raises `RunError` for a study that trained none.
        """
        found = self._findings().baselines
        if found is None:
            raise RunError(
                f"baselines in {self.path}", "a study that has trained none",
                "run it again, which trains nothing but these",
            )  # fmt: skip
        return found

    def verdict(
        self,
        *,
        baseline: int | None = None,
        margin_accuracy: float = 1.0,
        margin_log_loss: float = 0.02,
    ) -> Verdict:
        """Which differences between candidates are real: `print(study.verdict())`.

        Each pair, or each candidate with the `baseline` (its number in `results`).
        `.comparisons.entries` are what it rests on, `.hints` what would settle the rest.
        """
        return self._findings(baseline, margin_accuracy, margin_log_loss).verdict

    def posteriors(
        self,
        *,
        baseline: int | None = None,
        margin_accuracy: float = 1.0,
        margin_log_loss: float = 0.02,
    ) -> Posteriors:
        """How probable it is that a candidate is better, equivalent or worse, beside the verdict.

        For each comparison of `verdict`: probabilities in [0, 1] that the true difference is beyond
        or within the margin, with a flat prior; of one pair each, not adjusted for many.
        """
        found = self._findings(baseline, margin_accuracy, margin_log_loss)
        return Posteriors.of(found.posteriors, CandidateNames(found.validated))

    @property
    def best(self) -> Classifier:
        """The best model, ready to predict; opened once, and again if its file has changed."""
        path = self._answering.best
        known = path.stat() if path.is_file() else None
        key = known and (path, known.st_ino, known.st_size, known.st_mtime_ns)
        if self._best is None or self._best[0] != key:
            self._best = key, load(path)
        return self._best[1]

    def head(self, candidate: int | None = None) -> BestHead:
        """The arrays of the selected head, or of the best head of another `candidate`.

        `.parameters` are float32 arrays: `inner_kernel` [features, size_inner], `inner_bias`
        [size_inner], `kernel` [size_inner or features, classes], `bias` [classes]. Raises
        `RunError` for a candidate without a head.
        """
        result = finished_result(self._answering, self._settings)
        return head_of(self._settings, self._answering, result, candidate)

    def test(
        self, *, candidate: int | None = None, again: bool = False, progress: ShowProgress = True
    ) -> TestEvaluation:
        """Score the selected model, or the best of `candidate`, on the test images, on the record.

        The first model is the test; another takes `again`, and every later report says so.
        """
        run, data = self._answering.path, self._settings.data
        with reported(progress) as job:
            return final_score(run, candidate=candidate, again=again, data=data, job=job).evaluation

    @property
    def test_log(self) -> list[TestEvaluation]:
        """Every test evaluation that is on record, in order; it evaluates nothing."""
        return read_test_log(self._answering)

    def report(
        self,
        out: str | Path | None = None,
        *,
        figures: bool = False,
        baseline: int | None = None,
        margin_accuracy: float = 1.0,
        margin_log_loss: float = 0.02,
    ) -> Path:
        """Write the study as one page, and return its file: `report.html` in the run folder.

        In a read-only run folder, `NAME-report.html` in the working folder. `figures` as PNG and
        SVG go to a folder beside it.
        """
        margins = Margins.in_points(margin_accuracy, margin_log_loss)
        return written_report(
            self._answering, out, figures=figures, baseline=baseline, margins=margins,
            data=self._settings.data,
        ).page  # fmt: skip

    def __repr__(self) -> str:
        result = self._shown
        if result is None or isinstance(result, StudyState):
            return "\n".join([self._title, *([str(result)] if result is not None else [])])
        return f"{self._title}\n{results_text(result)}"

    def _repr_html_(self) -> str:
        title, result = f"<p>{escape(self._title[1:-1])}</p>", self._shown
        if result is None or isinstance(result, StudyState):
            return title + (f"<p>{escape(str(result))}</p>" if result is not None else "")
        return f"{title}\n{results_html(result)}"

    @property
    def _title(self) -> str:
        name = Path(self._settings.data).name
        return f"<Study of {name} in {self.path}: {asked_words(self._settings)}>"

    @property
    def _shown(self) -> StudyResult | StudyState | None:
        """The results, or how far the study is; None of one that was not begun here."""
        if self._finished is None and not self._opened:
            return None
        state = self.state
        if not state.finished:
            return state
        with Store(self._folder.store) as store:
            result = read_result(store, self._settings)
        return result if result.ranking else state


def open_study(path: str | Path, *, data: str | Path | None = None) -> OpenedStudy:
    """The study in the run folder `path`, finished or not, with its settings: ask it anything.

    `run()` goes on with it. `data` is where the data set lies, if it was moved. Raises `RunError`
    for a folder without a study.
    """
    folder = RunFolder(Path(path).expanduser())
    settings, _ = read_study(folder.document())
    if data is not None:
        settings = replace(settings, data=lasting(data))
    return OpenedStudy(settings, folder)
