"""The rules that choose an epoch of a head and, by the same metric, a candidate of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyheads.core.settings import choice, whole
from manyheads.heads.epoch_scores import SCORED

if TYPE_CHECKING:
    from manyheads.heads.bank import Metrics

EPOCH_RULES = ("best_accuracy", "best_loss", "last")
SCORE_RULES = (*(f"best_{name}" for name in SCORED), *(f"last_{name}" for name in SCORED))
FIXED = "fixed:"
METRIC_RULES = {
    "accuracy": "best_accuracy", "log_loss": "best_loss",
    **{name: f"best_{name}" for name in SCORED},
}  # fmt: skip
"""The rule that looks for the best epoch in each metric."""


class BestEpoch:
    """Remembers a head's parameters at the epoch that a rule chooses.

    `best_accuracy`: the highest `val_accuracy`, among equals the lowest `val_loss`, then the
    earliest; `best_balanced_accuracy` and `best_macro_f1`: the same of `val_score`; `best_loss`:
    the lowest `val_loss`, then the earliest; `last`, `last_balanced_accuracy` and `last_macro_f1`:
    the last; `fixed:N`: epoch N, or the last before it. Raises `SettingError` for another rule.
    """

    def __init__(self, rule: str) -> None:
        self.rule = check_rule(rule)
        self.epoch = 0
        self._key: tuple[float, ...] | None = None

    def offer(self, epoch: int, metrics: Metrics) -> bool:
        """Whether `epoch` is now the chosen one."""
        key = rank_epoch(self.rule, epoch, metrics)
        if self._key is not None and key <= self._key:
            return False
        self._key, self.epoch = key, epoch
        return True


def check_rule(rule: object) -> str:
    """`rule` if it is one of these rules or `fixed:N`; raises `SettingError` otherwise."""
    if isinstance(rule, str) and rule.startswith(FIXED):
        return f"{FIXED}{whole('the epoch of fixed:N', rule.removeprefix(FIXED), 1, 100_000)}"
    return choice("select", rule, (*EPOCH_RULES, *SCORE_RULES, f"{FIXED}N"))


def fixed_epoch(rule: str) -> int | None:
    """N of `fixed:N`; None for every other rule."""
    return int(rule.removeprefix(FIXED)) if rule.startswith(FIXED) else None


def scored_by(rule: str) -> str | None:
    """The metric of `SCORED` that `rule` selects by; None for every other rule."""
    return rule.partition("_")[2] if rule in SCORE_RULES else None


def metric_of(rule: str) -> str:
    """The metric by which `rule` chooses among candidates."""
    return scored_by(rule) or ("log_loss" if rule == METRIC_RULES["log_loss"] else "accuracy")


def chooses_epoch(rule: str) -> bool:
    """Whether `rule` looks for the best epoch of each trial."""
    return rule in METRIC_RULES.values()


def rule_of(metric: str, rule: str) -> str:
    """The rule by which a trial's epoch is chosen for `metric` in a study that selects by `rule`.

    A rule that looks for the best epoch looks for that of each metric: accuracy at
    `best_accuracy`, log loss at `best_loss`; of the metrics in `SCORED` only that of the rule
    itself is known at every epoch, and the other is taken at the rule's. `last` and `fixed:N` are
    the same epoch for all.
    """
    is_unknown = metric in SCORED and metric != scored_by(rule)
    return rule if is_unknown or not chooses_epoch(rule) else METRIC_RULES[metric]


def rules_kept(rule: str) -> tuple[str, ...]:
    """The rules whose epochs have their predictions kept: `rule`, then those of the metrics."""
    return tuple(dict.fromkeys([rule, *(rule_of(metric, rule) for metric in METRIC_RULES)]))


def rank_epoch(rule: str, epoch: int, metrics: Metrics) -> tuple[float, ...]:
    """A key that is greatest for the epoch that `rule` chooses."""
    if rule == "best_accuracy":
        return metrics.val_accuracy, -metrics.val_loss, -epoch
    if rule == "best_loss":
        return -metrics.val_loss, -epoch
    if chooses_epoch(rule):
        return metrics.val_score, -metrics.val_loss, -epoch
    fixed = fixed_epoch(rule)
    return (epoch if fixed is None else -abs(epoch - fixed),)
