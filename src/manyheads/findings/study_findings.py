"""What a finished study has found, computed from its run folder without training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from manyheads.core.settings import whole
from manyheads.findings.backbone_scores import Backbones, backbone_scores
from manyheads.findings.baseline_scores import Baselines, beside_baselines
from manyheads.findings.class_balance import ClassBalance, class_balance
from manyheads.findings.collapsed import Collapsed, collapsed, collapsed_words
from manyheads.findings.importance import Importance, importance_of
from manyheads.findings.looks import level_of
from manyheads.findings.reading import read_curves, read_validated
from manyheads.findings.recommendation import (
    Evidence,
    Recommendation,
    recommend,
    training_words,
)
from manyheads.findings.selection import Curves, Nested, RuleOptimism, nested, optimism
from manyheads.findings.training_notes import training_notes
from manyheads.findings.verdict import Verdict, verdict_of
from manyheads.findings.wording import CandidateNames
from manyheads.heads.epoch_rules import EPOCH_RULES, chooses_epoch, metric_of
from manyheads.heads.hyperparameters import epoch_cost
from manyheads.stats.best_set import best_set
from manyheads.stats.comparisons import (
    ENDING,
    MAX_ALL_PAIRS,
    Comparisons,
    Differences,
    Margins,
    compare,
)
from manyheads.stats.paired import compared_in
from manyheads.stats.posterior import Posterior, posteriors
from manyheads.stats.validation_predictions import Validated
from manyheads.stats.winner import WinnerScore, winner_scores
from manyheads.study.backbone_choices import BackboneCandidates
from manyheads.study.baselines import kept_baselines
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead
from manyheads.study.image_list import kept_images
from manyheads.study.kept_costs import kept_costs
from manyheads.study.refit import selected_head
from manyheads.study.results import StudyResult
from manyheads.study.space import value_words
from manyheads.study.store import Store
from manyheads.study.study_document import Resolved, read_study
from manyheads.study.study_settings import StudySettings
from manyheads.study.table_writing import finite, write_table

COMPARISONS_COLUMNS = (
    "metric", "first", "second", "first_candidate", "second_candidate", "difference",
    "low", "high", "adjusted_low", "adjusted_high", "p", "p_holm", "p_equivalent",
    "margin", "outcome",
    "seeds", "seeds_needed", "repeats_needed", "images_needed",
)  # fmt: skip

_MARGINS = Margins()
_LARGEST = 10_000_000  # scores by unit that the best are looked for among


@dataclass(frozen=True)
class Findings:
    """A finished study with its verdict."""

    folder: RunFolder
    document: dict[str, Any]
    settings: StudySettings
    resolved: Resolved
    result: StudyResult
    differences: Differences
    verdict: Verdict

    @property
    def validated(self) -> Validated:
        """What the study's heads predicted for the images that validated them."""
        return self.differences.validated

    @property
    def comparisons(self) -> Comparisons:
        """The comparisons of the verdict."""
        return self.verdict.comparisons

    @cached_property
    def winner(self) -> tuple[WinnerScore, ...]:
        """The scores to expect of the selected setting on new images, without a test set."""
        best = [entry.candidate for entry in self.result.ranking]
        among = rivals(self.differences, best)
        return winner_scores(
            self.differences, best[0], metric_of(self.settings.select), among=among
        )

    @cached_property
    def pool(self) -> int:
        """The images for training and validation; as far as is known, those that validated."""
        listed = kept_images(self.folder)
        if listed is None:
            return len(self.validated.labels)
        return sum(split != "test" for split in listed.splits)

    @property
    def training_images(self) -> int:
        """About how many images a head trains on."""
        folds, held_out = self.settings.folds, len(self.validated.labels)
        return self.pool - (held_out if folds is None else self.pool // folds)

    @cached_property
    def recommendation(self) -> Recommendation:
        """Which setting to use, how sure that is, and what would make it surer."""
        settings, validated = self.settings, self.validated
        metric = metric_of(settings.select)
        selected = self.result.ranking[0].candidate
        evidence = Evidence(
            selected=selected,
            names=CandidateNames(validated),
            best=next(each for each in self.verdict.best if each.metric == metric),
            comparisons=self.comparisons,
            winner=next((each for each in self.winner if each.metric == metric), None),
            mean=self.differences.mean(selected, metric),
            seeds=validated.seeds(),
            folds=settings.folds,
            images=len(validated.labels),
            pool=self.pool,
        )
        baseline = " ".join(self.baselines.sentences) if self.baselines else ""
        return recommend(evidence, self._training_words(), baseline)

    @cached_property
    def baselines(self) -> Baselines | None:
        """Standard classifiers on the same features; None if the study trained none."""
        selected = self.result.ranking[0].candidate
        kept = kept_baselines(self.folder, self.settings.place_of(selected))
        return None if kept is None else beside_baselines(self.validated, selected, kept)

    @cached_property
    def class_balance(self) -> ClassBalance | None:
        """Scores in which classes count alike; None where these are not very unequal."""
        grid, best = self.settings.grid, [entry.candidate for entry in self.result.ranking]
        return class_balance(
            self.differences, best, metric_of(self.settings.select),
            among=rivals(self.differences, best), trained=self._trained_by_class,
            weighted=grid.class_weight != ("none",) or grid.balanced_batches != ("no",),
        )  # fmt: skip

    @property
    def _trained_by_class(self) -> dict[str, int]:
        """The training images of each class, with folds all that they divide; empty if unknown."""
        listed = kept_images(self.folder)
        if listed is None:
            return {}
        without = ("test",) if self.settings.folds else ("test", "validation")
        names = [
            name
            for name, split in zip(listed.labels, listed.splits, strict=True)
            if split not in without
        ]
        return dict(Counter(names))

    @cached_property
    def backbones(self) -> Backbones | None:
        """The backbones side by side, with what each costs; None for a study of one."""
        grid = self.settings.grid
        if not isinstance(grid, BackboneCandidates):
            return None
        ranking = [entry.candidate for entry in self.result.ranking]
        costs = kept_costs(self.folder)
        family = self.comparisons
        if "accuracy" not in family.metrics:  # a rule by a score of classes compares that
            family = compare(
                self.validated, among=sorted(ranking[:MAX_ALL_PAIRS]), margins=family.margins,
                metrics=("accuracy",), advise=False, differences=self.differences,
            )  # fmt: skip
        return backbone_scores(self.differences, grid, ranking, costs, family)

    @property
    def _chooses_epochs(self) -> bool:
        """Whether each head has a best epoch of its own, and not the last or a given one."""
        return chooses_epoch(self.settings.select)

    def _training_words(self) -> str:
        """What the only hyperparameter that varies does to training, from its least value on."""
        grid, varying = self.settings.grid, self.settings.grid.varying
        ranked = [entry.candidate for entry in self.result.ranking]
        if len(varying) != 1 or len(ranked) < 2 or self.validated.other_epochs is None:
            return ""
        (name,) = varying
        values = {each: getattr(grid[each - 1], name) for each in ranked}
        if any(isinstance(value, str) for value in values.values()):
            return ""
        least, most = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
        measures = {
            words: (self.differences.mean(least, metric), self.differences.mean(most, metric))
            for words, metric in (
                ("the gap between training and validation loss", "gap"),
                ("the final validation loss", "final_log_loss"),
            )
        }
        if self._chooses_epochs:
            of = {each.candidate: each.measures["best_epoch"].mean for each in self.result.ranking}
            measures["the best epoch"] = of[least], of[most]
        ends = value_words(name, values[least]), value_words(name, values[most])
        return training_words(name, ends, measures)

    @cached_property
    def training_notes(self) -> tuple[str, ...]:
        """Warnings about the training of the selected candidate; empty if all is well."""
        settings, candidate = self.settings, self.result.ranking[0].candidate
        with Store(self.folder.store) as store:
            records = store.trials("done", candidate=candidate)
            curves = [store.curve(record.trial.number) for record in records]
        notes = training_notes(
            CandidateNames(self.validated).first([candidate]), settings.grid[candidate - 1],
            curves, [record.epoch for record in records] if self._chooses_epochs else None,
            self.training_images,
        )  # fmt: skip
        return tuple(notes)

    @cached_property
    def importance(self) -> Importance:
        """How much each hyperparameter matters for how the candidates differ."""
        return importance_of(self)

    @property
    def posteriors(self) -> tuple[Posterior, ...]:
        """How probable it is that each compared candidate is better, equivalent or worse."""
        return tuple(posteriors(self.differences, self.comparisons))

    @cached_property
    def optimism(self) -> tuple[RuleOptimism, ...]:
        """How optimistic each epoch rule is, the study's own first; needs folds."""
        rules = dict.fromkeys([self.settings.select, *EPOCH_RULES])
        return tuple(optimism(self._curves, rule) for rule in rules)

    @cached_property
    def nested(self) -> Nested:
        """What selecting epoch and candidate achieves on held-out images; needs folds."""
        return nested(self._curves, self.settings.select)

    @cached_property
    def _curves(self) -> Curves:
        return read_curves(self.folder.store, self.settings, self.validated.candidates)

    @cached_property
    def collapsed(self) -> list[Collapsed]:
        """Candidates with heads that predict one class only, of the best `MAX_ALL_PAIRS`."""
        best = [entry.candidate for entry in self.result.ranking[:MAX_ALL_PAIRS]]
        return collapsed(self.validated, best)

    @property
    def collapsed_words(self) -> str | None:
        """The same in a sentence; None if there are none."""
        return collapsed_words(self.validated, self.collapsed, MAX_ALL_PAIRS)

    @cached_property
    def selected(self) -> BestHead:
        """The head that the study hands over."""
        return selected_head(self.settings, self.folder, self.result)


def read_findings(
    folder: RunFolder,
    *,
    baseline: object = None,
    margins: Margins = _MARGINS,
    alpha: float | None = None,
) -> Findings:
    """The findings of the finished study in `folder`.

    Every pair of its candidates is compared, of more than `MAX_ALL_PAIRS` of the best so many; or
    each with the `baseline`, a number in `results.csv`. Raises `RunError` for an unfinished study
    and for one of an earlier version, `SettingError` for a baseline without a result.
    """
    document = folder.document()
    settings, resolved = read_study(document)
    result = finished_result(folder, settings)
    level, notes = level_of(folder)
    alpha = level if alpha is None else alpha
    differences = Differences(
        read_validated(folder.store, settings, result, resolved.classes, resolved.label_names)
    )
    validated = differences.validated
    best = [entry.candidate for entry in result.ranking]
    if baseline is not None:
        baseline = whole("baseline", baseline, 1, len(result.grid))
    among = sorted(best if baseline is not None else best[:MAX_ALL_PAIRS])

    def compared(metrics: Sequence[str], *, advise: bool) -> Comparisons:
        return compare(
            validated, among=among, baseline=baseline, margins=margins, metrics=metrics,
            alpha=alpha, advise=advise, differences=differences,
        )  # fmt: skip

    metrics = compared_in(metric_of(settings.select))
    comparisons = compared(metrics, advise=True)
    # Weighted training losses are of other scales, so that their gaps cannot be compared.
    ending = ENDING if len(settings.grid.class_weight) == 1 else ENDING[:1]
    ends = compared(ending, advise=False) if validated.other_epochs is not None else None
    among_best = rivals(differences, best)

    def cost(candidate: int) -> float:
        setting = settings.grid[candidate - 1]
        return setting.epochs * epoch_cost(setting)

    sets = [best_set(differences, m, cost, among=among_best, alpha=alpha) for m in metrics]
    answer = verdict_of(validated, comparisons, ends=ends, best=sets, selected=best[0], also=notes)
    return Findings(folder, document, settings, resolved, result, differences, answer)


def rivals(differences: Differences, ranking: Sequence[int]) -> list[int]:
    """The candidates that the best are looked for among: all, or as many as memory bears."""
    return list(ranking[: max(MAX_ALL_PAIRS, _LARGEST // len(differences.layout.sizes))])


def write_comparisons(findings: Findings) -> None:
    """Write `comparisons.csv`, a row for each comparison."""
    validated, margins = findings.validated, findings.comparisons.margins
    rows = (
        (
            entry.metric, validated.name(entry.first), validated.name(entry.second),
            entry.first, entry.second, entry.difference,
            *map(finite, (entry.low, entry.high, entry.adjusted_low, entry.adjusted_high)),
            entry.p, entry.p_holm, entry.p_equivalent, margins.of(entry.metric),
            entry.outcome, entry.seeds,
            entry.required.seeds, entry.required.repeats, entry.required.images,
        )
        for family in (findings.comparisons, findings.verdict.ends)
        for metric in (family.metrics if family else ())
        for entry in (family.of(metric) if family else ())
    )  # fmt: skip
    write_table(findings.folder.comparisons, COMPARISONS_COLUMNS, rows)
