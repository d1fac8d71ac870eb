"""What the backbones of a study cost on the machine that trained it: `costs.json`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from manyheads.backbones.backbone_cost import BackboneCost
from manyheads.core.records import read_record, write_record
from manyheads.errors import RunError
from manyheads.study.folder import RunFolder

FORMAT = 1


@dataclass(frozen=True)
class _Costs:
    backbones: tuple[BackboneCost, ...]


def keep_costs(folder: RunFolder, costs: Sequence[BackboneCost]) -> None:
    """Write the costs of the backbones of a study, in their order; raises `DiskError`."""
    write_record(folder.costs, _Costs(tuple(costs)), FORMAT)


def kept_costs(folder: RunFolder) -> tuple[BackboneCost, ...]:
    """The costs of the backbones of a study; none if unknown, or if their file is damaged."""
    with suppress(RunError):
        found = read_record(
            folder.costs, _Costs, FORMAT, what="the costs of a study's backbones",
            remedy="delete it",
        )  # fmt: skip
        if found is not None:
            return found.backbones
    return ()
