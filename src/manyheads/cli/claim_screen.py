"""What a claim's check prints: tables and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from manyheads.cli.narrow import print_lines, print_table
from manyheads.core.text import counted
from manyheads.findings.claim_tables import (
    contrasts_table,
    epochs_table,
    reach_table,
    ways_table,
)

if TYPE_CHECKING:
    from manyheads.core.table import Table
    from manyheads.findings.claim_record import EnsembleClaim, LongerClaim
    from manyheads.study.folder import RunFolder


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
