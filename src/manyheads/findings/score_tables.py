"""The tables of scores, for the screen, the report and Python: results, models, classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from manyheads.core.table import Table, names, numbers, words
from manyheads.core.text import NOTHING, capital, decimal, interval, joined, mean_std, percent
from manyheads.findings.held_out_scores import ClassRecall, ClassScore
from manyheads.findings.wording import METRIC_WORDS
from manyheads.heads.epoch_rules import chooses_epoch, fixed_epoch, scored_by
from manyheads.stats.intervals import Estimate
from manyheads.study.results import StudyResult
from manyheads.study.select import CandidateResult
from manyheads.study.space import shown_names, value_words

MAX_ROWS = 20  # candidates
# The scores of a model, in the order to show them.
SCORES = ("accuracy", "log_loss", "brier", "ece", "balanced_accuracy", "macro_f1")
# The scores of a model of several labels per image that are means over images.
LABEL_SCORES = ("accuracy", "log_loss", "brier", "exact_match")
_BEST_EPOCHS = {
    "peak_val_accuracy": "val_accuracy\nbest epoch",
    "last_ten_val_accuracy": "val_accuracy\nlast ten",
    "min_val_loss": "val_loss\nbest epoch",
    "final_val_loss": "val_loss\nlast epoch",
    "best_epoch": "epoch\nchosen",
}


# Which of them give way, one after the other, where a table is too wide.
_GIVING_WAY = ("last_ten_val_accuracy", "final_val_loss", "best_epoch", "min_val_loss")


def _result_columns(rule: str) -> dict[str, str]:
    """The measures that a table of results shows, and their titles: first the one that selects.

    Where a rule takes the same epoch of all, the scores of that epoch, and of the best beside them.
    """
    score = {}
    if metric := scored_by(rule):
        at = "best epoch" if chooses_epoch(rule) else "last epoch"
        score = {f"chosen_val_{metric}": f"val_{metric}\n{at}"}
    if chooses_epoch(rule):
        return score | _BEST_EPOCHS
    # Of a pruned candidate the last epoch is an earlier one, and there is no final score.
    fixed = fixed_epoch(rule)
    at = "last epoch" if fixed is None else f"epoch {fixed}"
    measured = "final" if fixed is None else "chosen"
    names = {"peak_val_accuracy", "min_val_loss"}
    return score | {
        f"{measured}_val_accuracy": f"val_accuracy\n{at}",
        f"{measured}_val_loss": f"val_loss\n{at}",
        **{name: title for name, title in _BEST_EPOCHS.items() if name in names},
    }


def dispensable(rule: str) -> list[str]:
    """The columns of a table of results in the order in which they give way: all but the first."""
    _, *others = _result_columns(rule)
    if chooses_epoch(rule):
        return [*_GIVING_WAY, *(name for name in others if name not in _GIVING_WAY)]
    return others[::-1]


def results_table(
    result: StudyResult,
    varying: Sequence[str],
    *,
    numbered: bool = False,
    without: Collection[str] = (),
) -> Table:
    """A row per candidate, best first, the best few of very many; the selected one is marked.

    Scores are means ± standard deviations over trials, but for those `without` which it is to be.
    With `numbered`, candidates have their numbers in `results.csv` in place of the values of their
    hyperparameters.
    """
    columns = _result_columns(result.rule)
    measures = {name: title for name, title in columns.items() if name not in without}
    shown = () if numbered else varying or shown_names(*result.grid)
    titles = ("candidate",) if numbered else shown
    rows = []
    for entry in shown_candidates(result):
        setting = result.hyperparameters(entry.candidate)
        values = [value_words(name, getattr(setting, name)) for name in shown]
        spreads = [(entry.apart.get(name), 1 if name == "best_epoch" else 3) for name in measures]
        rows.append((
            *([str(entry.candidate)] if numbered else values),
            *(NOTHING if s is None else mean_std(s.mean, s.deviation, n) for s, n in spreads),
            _remark(entry, result),
        ))  # fmt: skip
    return Table(
        columns=[
            *(each._replace(key=True) for each in numbers(*titles)),
            *numbers(*measures.values()),
            *(each._replace(key=True) for each in words("")),
        ],
        rows=rows,
    )


def shown_candidates(result: StudyResult) -> list[CandidateResult]:
    """The candidates for which `results_table` has rows, best first: at most `MAX_ROWS`."""
    if len(result.grid) > MAX_ROWS:
        return [*result.ranking, *result.pruned][:MAX_ROWS]
    return [*result.ranking, *result.pruned, *result.without_result]


def score_words(rule: str, names: Collection[str]) -> str:
    """Columns of a table of results in words, such as `val_accuracy last ten and epoch chosen`."""
    columns = _result_columns(rule)
    return joined([title.replace("\n", " ") for name, title in columns.items() if name in names])


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


def scores_words(scores: Mapping[str, Estimate]) -> str:
    """Scores by name with their intervals: `accuracy 0.846 [0.803, 0.881], log loss …`."""
    return ", ".join(
        f"{METRIC_WORDS[name]} {estimate_words(each)}" for name, each in scores.items()
    )


def estimate_words(estimate: Estimate | None, digits: int = 3) -> str:
    """A score with its interval, such as `0.846 [0.803, 0.881]`; a dash for None."""
    if estimate is None:
        return NOTHING
    return interval(
        estimate.value, estimate.low, estimate.high, lambda value: decimal(value, digits)
    )
