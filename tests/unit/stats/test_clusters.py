"""Clusters: what hangs together, whatever the order of the links."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from manyheads.stats.clusters import Clusters

LINKS = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=60)


def members(links: list[tuple[int, int]], at_once: int) -> list[list[int]]:
    clusters = Clusters(30)
    for start in range(0, len(links), at_once):
        first, second = np.array(links[start : start + at_once]).T
        clusters.join(first, second)
    return [part.tolist() for part in clusters.members()]


def searched(links: list[tuple[int, int]]) -> list[list[int]]:
    """The same by following the links from each thing."""
    found: list[list[int]] = []
    for start in range(30):
        reached, fresh = {start}, {start}
        while fresh:
            fresh = {b for a, b in [*links, *((b, a) for a, b in links)] if a in fresh} - reached
            reached |= fresh
        if len(reached) > 1 and min(reached) == start:
            found.append(sorted(reached))
    return found


@given(LINKS, st.integers(1, 60))
def test_components_are_those_that_a_search_finds(links, at_once):
    assert members(links, at_once) == searched(links)


def test_a_long_chain_is_one_cluster():
    clusters = Clusters(5000)
    things = np.arange(4999)
    clusters.join(things[::-1], things[::-1] + 1)
    assert [part.tolist() for part in clusters.members()] == [list(range(5000))]
