"""What a claim's check says on the screen: its cost beforehand, then tables and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from manyheads.cli.narrow import print_lines, print_table
from manyheads.cli.screen import Meter, Screen, basis_words, clock
from manyheads.core.text import counted
from manyheads.findings.claim_tables import (
    contrasts_table,
    epochs_table,
    reach_table,
    ways_table,
)
from manyheads.run.opened_study import ClaimListener, Cost

if TYPE_CHECKING:
    from manyheads.core.table import Table
    from manyheads.findings.claim_record import EnsembleClaim, LongerClaim
    from manyheads.study.folder import RunFolder


class ClaimScreen(Screen, ClaimListener):
    """A screen that begins with what is checked on which images and what it will cost."""

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
    print_lines([
        f"{counted(claim.masks, 'single subnetwork')} of each head: accuracy {single.mean:.3f} on "
        f"average, from {single.lowest:.3f} to {single.highest:.3f} (middle 80 %: "
        f"{single.tenth:.3f} to {single.ninetieth:.3f}); log loss {loss.mean:.3f}, from "
        f"{loss.lowest:.3f} to {loss.highest:.3f}", "",
    ])  # fmt: skip
    _print([ways_table(claim), contrasts_table(claim)], claim.sentences, folder, "ensemble")


def print_longer(claim: LongerClaim, folder: RunFolder) -> None:
    """After how many epochs each candidate was best, the comparisons, the verdict."""
    tables = [reach_table(claim), *([epochs_table(claim)] if claim.contrasts else [])]
    _print(tables, claim.sentences, folder, "longer")


def _print(tables: Sequence[Table], sentences: Sequence[str], folder: RunFolder, name: str) -> None:
    for table in tables:
        print_table(table)
        print()
    first, *others = sentences
    files = f"Tables   {folder.claims / f'{name}.csv'}, {name}.json"
    lines = [f"Verdict  {first}", *(f"         {sentence}" for sentence in others)]
    print_lines([*lines, "", files, ""])
