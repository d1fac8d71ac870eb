"""What a claim's check says on the screen: its cost beforehand, then tables and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from manyheads.cli import narrow, result_tables
from manyheads.cli.screen import Meter, Screen, basis_words, clock
from manyheads.findings.claim_words import epochs_words, estimate_words, way_words
from manyheads.run.opened_study import ClaimListener, Cost
from manyheads.study.space import counted

if TYPE_CHECKING:
    from rich.table import Table

    from manyheads.findings.claim_record import EnsembleClaim, LongerClaim
    from manyheads.findings.training_length import Reach
    from manyheads.stats.intervals import Estimate
    from manyheads.study.folder import RunFolder

_MAX_ROWS = 40


class Announced(Screen, ClaimListener):
    """A screen that begins with what is asked of whom and what it will cost."""

    def asked(self, images: int, question: str, cost: Cost) -> None:
        self._retraining = Meter("training", "epochs of heads")
        self.note(f"Claim      {question}")
        self.note(f"Images     {counted(images, 'validation image')}")
        self.note(f"Cost       {cost_words(cost)}\n")

    def retraining(self, done: int, total: int) -> None:
        self._update(self._retraining, done, total)


def cost_words(cost: Cost) -> str:
    """Such as `0 backbone passes; 5 heads to train (111 epochs of heads), about 0:03 (…)`."""
    most = "at most " if cost.most else ""
    return (
        f"{counted(cost.passes, 'backbone pass', 'es')}; {counted(cost.heads, 'head')} to train "
        f"({most}{counted(cost.epochs, 'epoch')} of heads), "
        f"{most or 'about '}{clock(cost.seconds)} ({basis_words(cost.measured)})"
    )


def print_ensemble(claim: EnsembleClaim, folder: RunFolder) -> None:
    """The scores of every way to answer, the comparisons, the verdict."""
    single, loss = claim.accuracy, claim.log_loss
    narrow.print_lines([
        f"{counted(claim.masks, 'single subnetwork')} of each head: accuracy {single.mean:.3f} on "
        f"average, from {single.lowest:.3f} to {single.highest:.3f} (middle 80 %: "
        f"{single.tenth:.3f} to {single.ninetieth:.3f}); log loss {loss.mean:.3f}, from "
        f"{loss.lowest:.3f} to {loss.highest:.3f}", "",
    ])  # fmt: skip
    table = _table(
        ("", "of"), ("accuracy [95 %]", "log loss [95 %]", "calibration error", "members disagree")
    )
    for way in claim.ways:
        of = counted(
            way.draws, "seed" if way.kind in ("subnetworks", "weight_scaling") else "subset"
        )
        table.add_row(
            way_words(way.kind, way.size), of, _interval(way.accuracy), _interval(way.log_loss),
            _interval(way.ece), "–" if way.disagreement is None else _share(way.disagreement),
        )  # fmt: skip
    result_tables.print_table(table, names=2)
    print()
    table = _table(
        ("metric", "first", "second"), ("first − second [95 %]", "p (Holm)"), ("the first is",)
    )
    for each in claim.contrasts:
        table.add_row(
            each.metric, way_words(each.first, each.first_size), way_words(each.second, 1),
            estimate_words(each.metric, each.difference), f"{each.p:.3f}", each.outcome,
        )  # fmt: skip
    result_tables.print_table(table, names=3, marks=1)
    _print_end(claim.sentences, folder, "ensemble")


def print_longer(claim: LongerClaim, folder: RunFolder) -> None:
    """When each candidate turned, the comparisons, the verdict."""
    table = _table(
        ("candidate",),
        (
            "epochs to the best\nlog loss [95 %]", "turned", "lowest\nlog loss", "accuracy\nthere",
            "epochs to the best\naccuracy [95 %]", "turned",
        ),
    )  # fmt: skip
    for each in claim.candidates:
        table.add_row(
            each.name, _reach(each.log_loss), f"{100 * each.log_loss.turned:.0f} %",
            _interval(each.lowest_log_loss), _interval(each.accuracy_there),
            _reach(each.accuracy), f"{100 * each.accuracy.turned:.0f} %",
        )  # fmt: skip
    result_tables.print_table(table)
    if claim.contrasts:
        print()
        names = {each.candidate: each.name for each in claim.candidates}
        table = _table(
            ("best", "first", "second"), ("epochs more [95 %]", "p (Holm)"), ("the first needs",)
        )
        for each in claim.contrasts[:_MAX_ROWS]:
            table.add_row(
                each.metric, names[each.first], names[each.second],
                epochs_words(each.difference), f"{each.p:.3f}", each.outcome,
            )  # fmt: skip
        result_tables.print_table(table, names=3, marks=1)
        if (rest := len(claim.contrasts) - _MAX_ROWS) > 0:
            narrow.print_lines([f"… {rest:,} more in {folder.claims / 'longer.json'}"])
    _print_end(claim.sentences, folder, "longer")


def _print_end(sentences: Sequence[str], folder: RunFolder, name: str) -> None:
    first, *others = sentences
    files = f"Tables   {folder.claims / f'{name}.csv'}, {name}.json"
    lines = [f"Verdict  {first}", *(f"         {sentence}" for sentence in others)]
    narrow.print_lines(["", *lines, "", files, ""])


def _table(words: Sequence[str], numbers: Sequence[str], after: Sequence[str] = ()) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in words:
        table.add_column(title)
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    for title in after:
        table.add_column(title)
    return table


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _share(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:.1f} %"
    return (
        f"{100 * estimate.value:.1f} % [{100 * max(estimate.low, 0):.1f}, "
        f"{100 * min(estimate.high, 1):.1f}]"
    )


def _reach(reach: Reach) -> str:
    least = "at least " if reach.turned < 1 else ""
    if reach.epoch.low is None:
        return f"{least}{reach.epoch.value:.1f}"
    return f"{least}{reach.epoch.value:.1f} [{reach.epoch.low:.1f}, {reach.epoch.high:.1f}]"
