"""Connected components of items, from links in any number and order."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

Things = Int64[np.ndarray, "things"]


class Clusters:
    """Connected components of `count` things, joined pair by pair; memory is theirs alone.

    A thing points to a smaller one of its component or, if it is the smallest, to itself:
    union-find with many pairs at a time.
    """

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count)

    def join(self, first: Things, second: Things) -> None:
        """Put `first[k]` and `second[k]` into one component, for all k."""
        while True:
            one, other = self.roots(first), self.roots(second)
            apart = one != other
            if not apart.any():
                return
            # Of several new parents of one root the last stays; the next round sees to the others.
            low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
            self._parent[high] = low

    def roots(self, things: Things) -> Things:
        """The smallest thing of each one's component."""
        roots = self._parent[things]
        while (further := self._parent[roots] != roots).any():
            roots[further] = self._parent[roots[further]]
        self._parent[things] = roots
        return roots

    def members(self) -> list[Things]:
        """The components of two or more things, each ascending, by their smallest."""
        roots = self.roots(np.arange(len(self._parent)))
        order = np.argsort(roots, kind="stable")
        starts = np.flatnonzero(np.diff(roots[order], prepend=-1))
        return [part for part in np.split(order, starts[1:]) if len(part) > 1]
