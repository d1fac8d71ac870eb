"""Candidates of several studies, compared image by image where the studies share images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb, log2

from manyheads.core.text import counted, joined
from manyheads.findings.compared_studies import ComparedRun, ComparedStudy, read_studies
from manyheads.findings.finding import Finding
from manyheads.findings.looks import level_of
from manyheads.findings.score_tables import estimate_words
from manyheads.findings.shared_images import Shared, share
from manyheads.findings.verdict import Verdict, verdict_of
from manyheads.stats.best_set import best_set
from manyheads.stats.comparisons import (
    COMPARED,
    ENDING,
    MAX_ALL_PAIRS,
    Comparison,
    Comparisons,
    Differences,
    Margins,
    compare,
)
from manyheads.stats.paired import ALPHA
from manyheads.stats.posterior import Posterior, posteriors
from manyheads.study.folder import RunFolder

_MARGINS = Margins()
_ENOUGH_ALIKE = 0.5  # of the common images; where fewer are in the same folds, the folds are others


@dataclass(frozen=True)
class RunComparison(Finding):
    """Several studies side by side and, where they share enough images, a verdict.

    `shared` counts the images that all of them validated and that the verdict is on. `verdict` is
    None where there is none; then `reason` says why, and the scores of `runs` are not paired.
    `names` are the compared candidates in words, by the numbers that the comparisons have.
    """

    runs: tuple[ComparedRun, ...]
    shared: int
    verdict: Verdict | None
    reason: str
    differences: Differences | None

    @property
    def sentences(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The verdict, or why there is none and the scores of each study."""
        if self.verdict is not None:
            return (*self.verdict.sentences, *self.verdict.notes)
        return (f"No verdict: {self.reason}.", *map(_score_sentence, self.runs))

    @property
    def entries(self) -> tuple[Comparison, ...] | tuple[ComparedRun, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The comparisons of the verdict; without one, the runs."""
        return self.runs if self.verdict is None else self.verdict.entries

    @property
    def names(self) -> dict[int, str]:
        """The compared candidates in words, by number; none without a verdict."""
        if self.differences is None:
            return {}
        validated = self.differences.validated
        return dict(zip(validated.candidates, validated.names, strict=True))

    @cached_property
    def posteriors(self) -> tuple[Posterior, ...]:
        """The posterior probabilities of the compared pairs; none without a verdict."""
        if self.differences is None or self.verdict is None:
            return ()
        return tuple(posteriors(self.differences, self.verdict.comparisons))


def compare_folders(
    folders: Sequence[RunFolder], *, every: bool = False, margins: Margins = _MARGINS
) -> RunComparison:
    """The selected candidates of finished studies, compared on the images that all validated.

    With `every`, all of their candidates are, of more than `MAX_ALL_PAIRS` together the best of
    each study. A difference is tested as within a study. Selected candidates are the best of many,
    so their comparisons are adjusted for all pairs that they are a choice from. There is no verdict
    where the studies share too few images, or divided them into other folds. Raises `RunError` for
    an unfinished study and for studies of different classes, `SettingError` for fewer than two.
    """
    studies = read_studies(folders)
    runs = tuple(study.beside_others() for study in studies)
    family = 0 if every else _choices(studies)
    most = max(1, MAX_ALL_PAIRS // len(studies)) if every else 1
    members = [(place, each) for place, study in enumerate(studies) for each in study.best(most)]
    shared, reason = _shared(studies, family or len(COMPARED) * comb(len(members), 2))
    count = 0 if shared is None else len(shared.units)
    if shared is None or reason:
        return RunComparison(runs, count, None, reason, None)
    names = [studies[place].candidate_name(number) for place, number in members]
    differences = Differences(shared.validated(members, names))
    levels = [level_of(study.folder) for study in studies]
    alpha = min(level for level, _ in levels)
    notes = [*_basis_notes(studies, shared), *_choice_notes(studies, most, family)]
    for study, (_, words) in zip(studies, levels, strict=True):
        notes += [f"{study.name}: {each}" for each in words]
    verdict = _verdict(differences, margins, alpha, family, notes)
    return RunComparison(runs, count, verdict, "", differences)


def _verdict(
    differences: Differences, margins: Margins, alpha: float, family: int, notes: Sequence[str]
) -> Verdict:
    validated = differences.validated

    def compared(metrics: Sequence[str]) -> Comparisons:
        # What would settle a difference is known for a family that is not a choice from a larger.
        return compare(
            validated, margins=margins, metrics=metrics, alpha=alpha, differences=differences,
            advise=not family and metrics == COMPARED, family=family,
        )  # fmt: skip

    ends = compared(ENDING) if validated.other_epochs is not None else None
    # A set of the best knows nothing of the choice that made selected ones what they are.
    sets = [
        best_set(differences, metric, lambda _: 0.0, among=validated.candidates, alpha=alpha)
        for metric in (() if family else COMPARED)
    ]
    return verdict_of(validated, compared(COMPARED), ends=ends, best=sets, also=notes)


def _choices(studies: Sequence[ComparedStudy]) -> int:
    """How many comparisons those of the selected candidates are a choice from; 0 where from none.

    The selected candidates of two studies are one pair of as many as the product of the numbers of
    their candidates, whatever the rule saw that selected them.
    """
    sizes = [len(study.settings.grid) for study in studies]
    if max(sizes) == 1:
        return 0
    return len(COMPARED) * sum(one * other for one, other in combinations(sizes, 2))


def _shared(studies: Sequence[ComparedStudy], family: int) -> tuple[Shared | None, str]:
    """What the studies share, and why that is not enough for a verdict; "" where it is."""
    unknown = [study.name for study in studies if study.images.digests is None]
    if unknown:
        return None, f"{joined(unknown)} kept no list of its images, as earlier versions did not"
    numbers = {study.validated.folds for study in studies}
    if len(numbers) > 1:
        divided = [f"{study.name} {_division_words(study)}" for study in studies]
        return None, f"the runs divide their images in different ways ({', '.join(divided)})"
    shared = share([study.images for study in studies])
    if not shared.common:
        return shared, "the runs share no validation image"
    if len(shared.units) < _ENOUGH_ALIKE * shared.common:
        return shared, (
            f"the {counted(shared.common, 'image')} that all runs validated are divided into "
            "different folds"
        )
    units = len(set(shared.units.tolist()))
    # No p is below 2^(1 − n) of n units, so that fewer could declare nothing.
    least = 1 + log2(family / ALPHA)
    if units < least or not shared.fills_folds:
        return shared, (
            f"the runs share {counted(len(shared.units), 'validation image')}, too few to tell any "
            "difference"
        )
    return shared, ""


def _basis_notes(studies: Sequence[ComparedStudy], shared: Shared) -> Iterator[str]:
    """On which images, seeds and repeats the comparison is, of all that the studies have."""
    count = len(shared.units)
    owned = [f"{study.name} has {len(study.validated.labels):,}" for study in studies]
    yield f"The runs share {counted(count, 'validation image')} ({', '.join(owned)})."
    for what, have, used in (
        ("seed", [study.settings.seeds for study in studies], shared.seeds),
        ("repeat", [len(study.validated.fold_of) for study in studies], shared.repeats),
    ):
        if max(have) > used:
            yield f"Of every run the first {counted(used, what)} count, which all have."


def _division_words(study: ComparedStudy) -> str:
    return (
        "by a given split" if study.settings.folds is None else f"into {study.settings.folds} folds"
    )


def _choice_notes(studies: Sequence[ComparedStudy], most: int, family: int) -> Iterator[str]:
    if not family and any(len(study.result.ranking) > most for study in studies):
        yield f"Of every run at most the best {most} candidates are compared."
    if family:
        sizes = [f"{len(study.settings.grid):,}" for study in studies]
        yield (
            f"Each is the selected one of {joined(sizes)} candidates, so the comparisons are "
            f"adjusted for all {family:,} that they are a choice from."
        )


def _score_sentence(run: ComparedRun) -> str:
    return (
        f"{run.run}: {run.best}, accuracy {estimate_words(run.accuracy)}, log loss "
        f"{estimate_words(run.log_loss)} expected on new images, from {run.images:,}."
    )
