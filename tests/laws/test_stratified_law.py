"""The law of the division by class and group, as `data/stratified.py` states it."""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.columns import Categorical, Digests
from manyheads.data.data_settings import SplitSettings
from manyheads.data.splits import SPLITS, assign_splits, carve_validation, place
from manyheads.data.stratified import divide, share_out
from tests.strategies import seeds, shares

Image = tuple[int, str]  # its class and its digest

settings = st.builds(SplitSettings, validation=shares(), test=shares(), seed=seeds())
hundredths = st.integers(0, 50).map(lambda number: number / 100)
written = st.builds(SplitSettings, validation=hundredths, test=hundredths, seed=seeds())


def digest(number: int) -> str:
    """The content of image `number`."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def images(max_size: int = 60) -> st.SearchStrategy[list[Image]]:
    """Different images of up to four classes, some of them rare."""
    classes = st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 2, 3])
    numbers = st.dictionaries(st.integers(0, 999), classes, max_size=max_size)
    return numbers.map(lambda found: [(label, digest(n)) for n, label in found.items()])


def divided(found: list[Image], split: SplitSettings, groups: list[str] | None = None) -> list[str]:
    """The split of each image."""
    labels = np.array([label for label, _ in found], int)
    return list(assign_splits(labels, [content for _, content in found], groups, split))


def given_out(count: int, split: SplitSettings) -> list[int]:
    """Images of a class in each split, given out one by one with exact shares."""
    validation, test = Fraction(str(split.validation)), Fraction(str(split.test))
    exact = [1 - validation - test, validation, test]
    counts = [0, 0, 0]
    for _ in range(count):
        wanting = [s for s in range(3) if not counts[s] and (exact[s] or s == 0)]
        best = max(range(3), key=lambda s: (exact[s] / (2 * counts[s] + 1), -s))
        counts[wanting[0] if wanting else best] += 1
    return counts


@given(images(), written)
def test_every_class_is_divided_by_the_method_of_sainte_lague(found, split):
    places = divided(found, split)
    for label in {label for label, _ in found}:
        own = [p for (of, _), p in zip(found, places, strict=True) if of == label]
        assert [own.count(name) for name in SPLITS] == given_out(len(own), split)


@given(written, st.integers(1, 3000))
def test_a_class_has_its_shares_rounded_down_or_up_or_one(split, count):
    shares_ = [round(100 - 100 * (split.validation + split.test)),
               round(100 * split.validation), round(100 * split.test)]  # fmt: skip
    counts = share_out(count, shares_, [0, 0, 0])
    assert sum(counts) == count
    if min(math.floor(count * share / 100) for share in shares_ if share) >= 1 and shares_[0]:
        for of_split, share in zip(counts, shares_, strict=True):
            assert math.floor(count * share / 100) <= of_split <= math.ceil(count * share / 100)
    more = share_out(count + 1, shares_, [0, 0, 0])
    assert sorted(b - a for a, b in zip(counts, more, strict=True)) == [0, 0, 1]


@pytest.mark.when_changed("data")
@given(
    st.integers(0, 400),
    st.lists(st.integers(0, 100), min_size=3, max_size=3),
    st.lists(st.integers(0, 300), min_size=3, max_size=3),
)
def test_many_are_shared_out_as_if_one_by_one(count, shares_, brought):
    shares_[0] += shares_[1] == shares_[2] == 0
    counts = list(brought)
    for _ in range(count):
        wanting = [s for s in range(3) if not counts[s] and (shares_[s] or s == 0)]
        exact = [Fraction(shares_[s], 2 * counts[s] + 1) for s in range(3)]
        counts[wanting[0] if wanting else max(range(3), key=lambda s: (exact[s], -s))] += 1
    assert share_out(count, shares_, brought) == [
        b - a for a, b in zip(brought, counts, strict=True)
    ]


@pytest.mark.parametrize(
    ("count", "counts"),
    [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (4, (2, 1, 1)), (6, (4, 1, 1)),
     (7, (5, 1, 1)), (8, (5, 2, 1)), (10, (6, 2, 2)), (1000, (600, 200, 200))],
)  # fmt: skip
def test_counts_by_the_usual_shares(count, counts):
    places = divided([(0, digest(n)) for n in range(count)], SplitSettings())
    assert tuple(places.count(name) for name in SPLITS) == counts


@given(images(), settings)
def test_the_lowest_places_validate_and_the_highest_test(found, split):
    marks = [place(split.seed, f"content\0{content}") for _, content in found]
    order = {"validation": 0, "train": 1, "test": 2}
    for label in {label for label, _ in found}:
        own = sorted(
            (mark, order[p])
            for (of, _), mark, p in zip(found, marks, divided(found, split), strict=True)
            if of == label
        )
        ranks = [rank for _, rank in own]
        assert ranks == sorted(ranks)


@given(images(), settings, st.integers(0, 3))
def test_one_image_more_moves_at_most_two_others_of_its_class(found, split, label):
    before = divided(found, split)
    after = divided([*found, (label, digest(5000))], split)[:-1]
    moved = [
        (of, {old, new})
        for (of, _), old, new in zip(found, before, after, strict=True)
        if old != new
    ]
    assert all(of == label for of, _ in moved)
    assert len(moved) <= 2
    assert all(between != {"validation", "test"} for _, between in moved)


@given(images().filter(bool), settings, st.data())
def test_a_new_label_is_one_image_less_here_and_one_more_there(found, split, data):
    which = data.draw(st.integers(0, len(found) - 1))
    label = data.draw(st.integers(0, 3))
    changed = [*found]
    changed[which] = (label, found[which][1])
    pairs = zip(found, divided(found, split), divided(changed, split), strict=True)
    moved = Counter(of for n, ((of, _), old, new) in enumerate(pairs) if old != new and n != which)
    assert all(count <= 2 for count in moved.values())
    assert set(moved) <= {label, found[which][0]}


def groups_of(count: int) -> st.SearchStrategy[list[str]]:
    """A group or none for each of so many images."""
    return st.lists(
        st.sampled_from(["", "", "a", "b", "c", "d", "🐈 e"]), min_size=count, max_size=count
    )


@pytest.mark.when_changed("data")
@given(images(), settings, st.data())
def test_order_and_class_names_have_no_part_in_it(found, split, data):
    groups = data.draw(groups_of(len(found)))
    order = data.draw(st.permutations(range(len(found))))
    numbers = data.draw(st.permutations(range(4)))
    again = [(numbers[found[n][0]], found[n][1]) for n in order]
    moved = divided(again, split, [groups[n] for n in order])
    assert moved == [divided(found, split, groups)[n] for n in order]


@given(images(), settings, st.data())
def test_copies_change_nothing_and_stay_together(found, split, data):
    copied = data.draw(st.lists(st.sampled_from(found), max_size=9)) if found else []
    places = divided(found, split)
    again = divided(found + copied, split)
    assert again[: len(found)] == places
    assert again[len(found) :] == [places[found.index(image)] for image in copied]


@given(images(), settings, st.data())
def test_neither_groups_nor_contents_are_torn(found, split, data):
    copies = data.draw(st.lists(st.sampled_from(found), max_size=9)) if found else []
    relabelled = [(data.draw(st.integers(0, 3)), content) for _, content in copies]
    everything = found + relabelled
    groups = data.draw(groups_of(len(everything)))
    places = divided(everything, split, groups)
    for name in {*groups} - {""}:
        inside = {p for p, group in zip(places, groups, strict=True) if group == name}
        assert len(inside) == 1
    # What hangs together by groups and contents is one unit, unless it is more than half of all.
    units = list(range(len(everything)))
    for _ in everything:
        for one, (_, content) in enumerate(everything):
            for other in range(one):
                same = content == everything[other][1] or (
                    groups[one] and groups[one] == groups[other]
                )
                if same:
                    units[one] = units[other] = min(units[one], units[other])
        if len(everything) < 2:
            break
    for unit, size in Counter(units).items():
        if size <= len(everything) / 2:
            assert len({p for p, u in zip(places, units, strict=True) if u == unit}) == 1


@given(images(), settings, st.data())
def test_images_without_groups_move_no_group(found, split, data):
    groups = data.draw(groups_of(len(found)))
    before = divided(found, split, groups)
    label = data.draw(st.integers(0, 3))
    after = divided([*found, (label, digest(5000))], split, [*groups, ""])[:-1]
    sizes = Counter(groups)
    moved = [
        (of, group)
        for (of, _), group, old, new in zip(found, groups, before, after, strict=True)
        if old != new
    ]
    assert all(of == label and (not group or sizes[group] == 1) for of, group in moved)
    assert len(moved) <= 2


@given(images(), settings, st.data())
def test_carving_divides_the_training_images_alone(found, split, data):
    given_splits = data.draw(
        st.lists(st.sampled_from(["train", "test"]), min_size=len(found), max_size=len(found))
    )
    labels = np.array([label for label, _ in found], int)
    contents = [content for _, content in found]
    carved = carve_validation(given_splits, labels, contents, None, split)
    train = [n for n, name in enumerate(given_splits) if name == "train"]
    alone = SplitSettings(validation=split.validation, test=0.0, seed=split.seed)
    assert [carved[n] for n in train] == divided([found[n] for n in train], alone)
    assert all(carved[n] == "test" for n in range(len(found)) if n not in train)


@given(images(), seeds(), shares(), shares(), shares())
def test_a_larger_validation_share_keeps_the_test_images_of_no_other_share(
    found, seed, one, two, test
):
    small, large = sorted([one, two])
    first = divided(found, SplitSettings(validation=small, test=test, seed=seed))
    second = divided(found, SplitSettings(validation=large, test=test, seed=seed))
    moved = {(old, new) for old, new in zip(first, second, strict=True) if old != new}
    assert ("validation", "test") not in moved
    assert ("test", "validation") not in moved


def senders(seed: int) -> tuple[list[Image], list[str]]:
    """Like a table that was reported: 5,096 photographs by 351 people, one with 12 % of them."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, 352)
    weights[0] = 0
    weights *= 0.88 / weights.sum()
    weights[0] = 0.12
    people = np.concatenate([np.arange(351), random.choice(351, 5096 - 351, p=weights)])
    chances = np.maximum(random.dirichlet(np.full(17, 0.7)), 0.004)
    habits = random.dirichlet(20 * chances / chances.sum(), 351)
    labels = [int(random.choice(17, p=habits[person])) for person in people]
    found = [(label, digest(seed * 10_000 + n)) for n, label in enumerate(labels)]
    return found, [f"sender {seed} {person}" for person in people]


@pytest.mark.when_changed("data")
@pytest.mark.parametrize("rule", ["stratified", "balanced"])
@pytest.mark.parametrize("seed", range(4))
def test_groups_of_very_unequal_size_meet_the_shares_and_every_class_is_everywhere(seed, rule):
    found, groups = senders(seed)
    for split in (SplitSettings(rule=rule), SplitSettings(seed=1, rule=rule)):
        places = divided(found, split, groups)
        for name, share in zip(SPLITS, (0.6, 0.2, 0.2), strict=True):
            assert places.count(name) / len(found) == pytest.approx(share, abs=0.01)
        units: dict[int, set[str]] = {}
        held: dict[int, set[str]] = {}
        for (label, _), group, name in zip(found, groups, places, strict=True):
            units.setdefault(label, set()).add(group)
            held.setdefault(label, set()).add(name)
        for label, own in units.items():
            assert len(held[label]) == min(len(own), 3)


@pytest.mark.when_changed("data")
@pytest.mark.parametrize("rule", ["stratified", "balanced"])
def test_an_image_more_in_a_group_moves_few_groups(rule):
    found, groups = senders(0)
    split = SplitSettings(rule=rule)
    before = divided(found, split, groups)
    moved = []
    for n in range(10):
        added = (found[500 * n][0], digest(10**7 + n))
        after = divided([*found, added], split, [*groups, groups[500 * n]])[:-1]
        moved.append(np.mean([old != new for old, new in zip(before, after, strict=True)]))
    assert np.median(moved) < 0.05


def few_groups(seed: int) -> tuple[list[Image], list[str]]:
    """300 images of four classes by twelve people, of whom a few have most."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, 13) ** 1.3
    people = np.concatenate([np.arange(12), random.choice(12, 288, p=weights / weights.sum())])
    habits = random.dirichlet(np.full(4, 2.0), 12)
    labels = [int(random.choice(4, p=habits[person])) for person in people]
    return [(of, digest(seed * 1000 + n)) for n, of in enumerate(labels)], [
        f"person {seed} {person}" for person in people
    ]


def off_shares(places: list[str]) -> float:
    """The largest difference of a split's share from the one that was asked."""
    asked = zip(SPLITS, (0.6, 0.2, 0.2), strict=True)
    return max(abs(places.count(name) / len(places) - share) for name, share in asked)


def test_large_groups_are_dealt_first():
    off: dict[str, list[float]] = {"stratified": [], "balanced": []}
    for number in range(60):
        found, groups = few_groups(number % 12)
        for rule, missed in off.items():
            split = SplitSettings(seed=number // 12, rule=rule)
            missed.append(off_shares(divided(found, split, groups)))
    assert np.mean(off["balanced"]) < 0.03
    assert max(off["balanced"]) < 0.1
    assert max(off["stratified"]) > 0.15  # what it mends


@given(images(), settings)
def test_without_groups_or_large_ones_both_rules_are_the_same(found, split):
    balanced = replace(split, rule="balanced")
    assert divided(found, balanced) == divided(found, split)
    twice = [*found, *((1 - label % 2, content) for label, content in found[:3])]
    assert divided(twice, balanced) == divided(twice, split)  # one content of two classes
    pairs = [f"g{n // 2}" for n in range(len(found))]
    if len(found) > 40 and 0 not in (split.validation, split.test):
        large = min(split.validation, split.test) * len(found) / 2 < 2
        assert large or divided(found, balanced, pairs) == divided(found, split, pairs)


@given(images(), settings, st.data())
def test_large_groups_stay_whole_and_depend_on_no_order(found, split, data):
    split = replace(split, rule="balanced")
    groups = data.draw(groups_of(len(found)))
    places = divided(found, split, groups)
    held: dict[str, set[str]] = {}
    for group, place_ in zip(groups, places, strict=True):
        held.setdefault(group, set()).add(place_)
    assert all(len(own) == 1 for group, own in held.items() if group)
    order = data.draw(st.permutations(range(len(found))))
    again = divided([found[n] for n in order], split, [groups[n] for n in order])
    assert again == [places[n] for n in order]


def test_an_image_that_all_groups_share_does_not_make_them_one():
    found = [(n % 2, digest(n)) for n in range(60)]
    groups = [f"g{n // 6}" for n in range(60)]
    placeholder = [(0, digest(1000))] * 10
    places = divided(found + placeholder, SplitSettings(), groups + [f"g{n}" for n in range(10)])
    assert {*places} == {*SPLITS}


def test_a_division_is_pinned():
    # Another one would divide every data set without splits anew.
    found = [(n % 3 // 2, digest(n)) for n in range(30)]
    groups = ["g" if n in (3, 8, 21) else "h" if n in (4, 5) else "" for n in range(30)]
    signs = {"train": ".", "validation": "v", "test": "t"}
    assert "".join(signs[name] for name in divided(found, SplitSettings(), groups)) == (
        "...v..t.vv...t..t...tvttv....v"
    )


def test_many_images_in_many_groups_take_seconds():
    random = np.random.default_rng(0)
    contents = Digests(random.integers(0, 256, (200_000, 32), np.uint8))
    labels = random.integers(0, 50, 200_000)
    groups = Categorical(
        tuple(map(str, range(60_000))), random.integers(0, 60_000, 200_000, np.int32)
    )
    began = time.perf_counter()
    found = divide(labels, contents, groups, 0, 0.2, 0.2)
    assert time.perf_counter() - began < 30  # 1 to 2 on two cores, and others may be at work
    assert np.bincount(found) / 200_000 == pytest.approx([0.6, 0.2, 0.2], abs=0.002)
