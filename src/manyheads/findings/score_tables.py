"""The tables of scores, for the screen, the report and Python: results, models, classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from manyheads.core.table import Table, names, numbers, words
from manyheads.core.text import NOTHING, capital, decimal, interval, mean_std, percent
from manyheads.findings.held_out_scores import ClassRecall, ClassScore
from manyheads.findings.wording import METRIC_WORDS
from manyheads.stats.intervals import Estimate
from manyheads.study.results import StudyResult
from manyheads.study.select import CandidateResult
from manyheads.study.space import shown_names, value_words

MAX_ROWS = 20  # candidates
# The scores of a model, in the order to show them.
SCORES = ("accuracy", "log_loss", "brier", "ece", "balanced_accuracy", "macro_f1")
_RESULTS = {
    "peak_val_accuracy": "val_accuracy\nbest epoch",
    "last_ten_val_accuracy": "val_accuracy\nlast ten",
    "min_val_loss": "val_loss\nbest epoch",
    "final_val_loss": "val_loss\nlast epoch",
    "best_epoch": "epoch\nchosen",
}


def results_table(result: StudyResult, varying: Sequence[str], *, numbered: bool = False) -> Table:
    """A row per candidate in the grid's order, the best few of very many; the best is marked.

    Scores are means ± standard deviations over trials. With `numbered`, candidates have their
    numbers in `results.csv` in place of the values of their hyperparameters.
    """
    shown = () if numbered else varying or shown_names(*result.grid)
    titles = ("candidate",) if numbered else shown
    rows = []
    for entry in shown_candidates(result):
        setting = result.hyperparameters(entry.candidate)
        values = [value_words(name, getattr(setting, name)) for name in shown]
        spreads = [(entry.apart.get(name), 1 if name == "best_epoch" else 3) for name in _RESULTS]
        rows.append((
            *([str(entry.candidate)] if numbered else values),
            *(NOTHING if s is None else mean_std(s.mean, s.deviation, n) for s, n in spreads),
            _remark(entry, result),
        ))  # fmt: skip
    return Table(
        columns=[
            *(each._replace(key=True) for each in numbers(*titles)),
            *numbers(*_RESULTS.values()),
            *(each._replace(key=True) for each in words("")),
        ],
        rows=rows,
    )


def shown_candidates(result: StudyResult) -> list[CandidateResult]:
    """The candidates for which `results_table` has rows: all, or the best `MAX_ROWS`."""
    if len(result.in_order) > MAX_ROWS:
        return [*result.ranking, *result.pruned][:MAX_ROWS]
    return result.in_order


def _remark(entry: CandidateResult, result: StudyResult) -> str:
    if entry.best is None:
        return "every trial diverged"
    remarks = [
        "← selected" if entry is result.ranking[0] else "",
        f"pruned after epoch {entry.pruned_after}" if entry.pruned_after is not None else "",
        f"{entry.failed} diverged" if entry.failed else "",
    ]
    return " ".join(filter(None, remarks))


def model_scores_table(
    caption: str,
    scores: Mapping[str, Estimate],
    *,
    at_train_shares: Mapping[str, Estimate] | None = None,
    expected: Mapping[str, Estimate] | None = None,
) -> Table:
    """A model's scores by metric; beside them at the training shares of classes, and as expected.

    What was expected is known without the images that the scores are measured on. A column without
    any number is left out.
    """
    found = {
        "value [95 %]": scores,
        "at the training\nclass shares [95 %]": at_train_shares or {},
        "expected without\nthese images [95 %]": expected or {},
    }
    columns = [title for title, values in found.items() if values]
    return Table(
        caption=caption,
        columns=[*names("score"), *numbers(*columns)],
        rows=[
            (
                capital(METRIC_WORDS[metric]),
                *(estimate_words(found[title].get(metric)) for title in columns),
            )
            for metric in scores
        ],
    )


def classes_table(classes: Sequence[ClassRecall], caption: str = "Recall by class") -> Table:
    """A row per class: its images and its recall; its share of training where that is known."""
    trained = [each for each in classes if isinstance(each, ClassScore)]
    columns = ["images", "share", *(["of training"] if trained else []), "recall [95 %]"]
    return Table(
        caption=caption,
        columns=[*names("class"), *numbers(*columns)],
        rows=[
            (
                each.name,
                f"{each.images:,}",
                percent(each.share),
                *([percent(each.train_share)] if isinstance(each, ClassScore) else []),
                estimate_words(each.recall),
            )
            for each in classes
        ],
    )


def estimate_words(estimate: Estimate | None, digits: int = 3) -> str:
    """A score with its interval, such as `0.846 [0.803, 0.881]`; a dash for None."""
    if estimate is None:
        return NOTHING
    return interval(
        estimate.value, estimate.low, estimate.high, lambda value: decimal(value, digits)
    )
