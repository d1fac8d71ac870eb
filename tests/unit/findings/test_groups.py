"""Clusters of near-duplicates as groups: what hangs together has one name, the rest keeps its."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.findings.groups import joined_groups
from tests.features import dataset_of

INDICES = st.integers(0, 19)


def groups_of(
    clusters: Sequence[Sequence[int]],
    count: int = 8,
    contents: Sequence[object] | None = None,
    groups: Sequence[str] | None = None,
) -> list[str]:
    return list(joined_groups(dataset_of([0] * count, contents=contents, groups=groups), clusters))


def test_a_cluster_is_a_group_and_all_other_images_have_none() -> None:
    first, *others = groups_of([[0, 3, 5], [6, 7]])
    assert first.startswith("similar-")
    assert [others[2], others[4]] == [first, first]
    assert others[5] == others[6] != first
    assert [others[0], others[1], others[3]] == ["", "", ""]


def test_groups_that_a_cluster_links_are_one_and_others_keep_their_names() -> None:
    given_groups = ["x", "x", "b", "b", "", "", "z", "z"]
    assert groups_of([[1, 2, 4]], groups=given_groups) == ["b"] * 5 + ["", "z", "z"]


def test_copies_of_what_lies_in_a_cluster_lie_in_it_too_and_other_copies_stay_a_content() -> None:
    found = groups_of([[0, 1]], contents=["a", "b", "b", "c", "c", "d", "e", "f"])
    assert len({*found[:3]}) == 1
    assert found[3:] == [""] * 5


def test_names_do_not_depend_on_the_order() -> None:
    contents = list("abcdefgh")
    forth = groups_of([[1, 4, 6]], contents=contents)
    back = groups_of([[6, 3, 1]], contents=contents[::-1])
    assert forth == back[::-1]


@pytest.mark.when_changed("studies")
@given(
    st.lists(st.lists(INDICES, min_size=2, max_size=4), max_size=6),
    st.lists(INDICES, min_size=20, max_size=20),
    st.lists(st.sampled_from(["", "", "", "x", "y"]), min_size=20, max_size=20),
)
def test_images_share_a_group_just_if_they_hang_together(clusters, contents, given_groups):
    found = groups_of(clusters, 20, contents, given_groups)
    links = {frozenset(pair) for cluster in clusters for pair in combinations(cluster, 2)}
    for pair in combinations(range(20), 2):
        one, other = pair
        same_group = given_groups[one] == given_groups[other] != ""
        if same_group or contents[one] == contents[other]:
            links.add(frozenset(pair))
    part = list(range(20))
    for _ in range(20):
        for link in links:
            least = min(part[image] for image in link)
            for image in link:
                part[image] = min(part[image], least)
    clustered = {image for cluster in clusters for image in cluster}
    grouped = {part[n] for n in range(20) if n in clustered or given_groups[n]}
    for one, other in combinations(range(20), 2):
        together = part[one] == part[other] and part[one] in grouped
        assert together == (found[one] == found[other] != "")
    assert all((found[n] != "") == (part[n] in grouped) for n in range(20))
