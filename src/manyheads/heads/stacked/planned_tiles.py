"""What the engine `stacked` will train at once, told before it begins, without JAX if possible."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from manyheads.core import accelerators
from manyheads.core.text import size_words
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.stacked.tiles import PROCESSOR, Capacity, shape_for


@dataclass(frozen=True)
class PlannedTiles:
    """Tiles of heads: from `fewest` to `most` heads at a time, by their shapes.

    A tile takes `memory` bytes at most, and the features take `stored`, 0 if they do not fit and
    are sent again and again. `free` are the bytes that the device has for both, None where that is
    not known.
    """

    fewest: int
    most: int
    memory: int
    stored: int
    free: int | None

    @property
    def words(self) -> str:
        """Such as `up to 4 heads at a time in 12.3 MB, beside 24.6 MB of features`."""
        many = f"{self.fewest:,} to {self.most:,}" if self.fewest < self.most else f"{self.most:,}"
        heads = "heads" if self.most > 1 else "head"
        beside = f"beside {size_words(self.stored)} of features"
        if not self.stored:
            beside = "features sent to it again and again, for they do not fit"
        of = f" of {size_words(self.free)} that are free" if self.free is not None else ""
        return f"up to {many} {heads} at a time in {size_words(self.memory)}{of}, {beside}"


def planned_tiles(
    settings: Iterable[Hyperparameters],
    *,
    images: int,
    features: int,
    classes: int,
    train: int,
    validation: int,
) -> PlannedTiles:
    """The tiles of heads with these `settings`, on as many `features` of so many `images`.

    A head trains on `train` of them, and `validation` others judge it.
    """
    capacity = _capacity()
    numbers = {"features": features, "classes": classes, "train": train, "validation": validation}
    shapes = {shape_for(setting, **numbers) for setting in settings}
    matrix = 4 * images * features
    return PlannedTiles(
        fewest=min(capacity.slots(shape) for shape in shapes) * capacity.lanes,
        most=max(capacity.slots(shape) for shape in shapes) * capacity.lanes,
        memory=max(capacity.slots(shape) * capacity.slot_bytes(shape) for shape in shapes),
        stored=matrix if matrix <= capacity.stored else 0,
        free=capacity.memory,
    )


def _capacity() -> Capacity:
    if accelerators.of_jax() is None:
        return PROCESSOR
    import jax

    from manyheads.heads.stacked.stacked_engine import capacity_of

    return capacity_of(jax.devices()[0])
