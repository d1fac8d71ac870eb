"""What a check found in the opened data, as findings that a page shows and a person decides about.

A finding is about images, by their numbers. It is settled once it was kept as it is, or once
something was decided about one of its images.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from manyheads.core.places import write_text
from manyheads.core.text import counted
from manyheads.data.duplicates import ImageSet
from manyheads.run.data_check import DataCheck
from manyheads.web.studio.opened_data import OpenedData

LABEL, NEAR, SAME, UNREADABLE = "label", "near", "same", "unreadable"
TITLES = {
    UNREADABLE: "Unreadable files",
    SAME: "Identical files",
    NEAR: "Nearly identical images",
    LABEL: "Suspicious labels",
}
"""The kinds of findings, in the order of a page, with their titles."""

_MEANINGS = {
    UNREADABLE: "Every command leaves them out by itself; leave them out here to have it written.",
    SAME: "The same file under several names. Across splits, it makes scores optimistic.",
    NEAR: (
        "Images that are far closer to each other than to all others. Across splits, they make "
        "scores optimistic."
    ),
    LABEL: (
        "Heads that were trained on the other images hardly believe these labels. They also flag "
        "right ones: look at the image. Test images are not judged."
    ),
}
_TUPLES = ("images", "labels", "splits")
_SHOWN = 20  # images of one set
_MOST = 10_000  # findings of a kind that are kept


@dataclass(frozen=True)
class FoundInData:
    """One finding: its kind, the numbers of its images, and what is to be said of it.

    `labels` and `splits` are those that its images had when it was found. Of a suspicious label
    `given` and `confidence` are the probabilities of the label and of the `suggested` class, in
    [0, 1].
    """

    kind: str
    images: tuple[int, ...]
    words: str = ""
    labels: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    given: float | None = None
    confidence: float | None = None
    suggested: str = ""


@dataclass(frozen=True)
class CheckFindings:
    """What a check of the data `token` found: findings by kind, and problems in words.

    `asked` are the kinds that were looked for, and `totals` count what was found of each.
    """

    token: str
    asked: tuple[str, ...]
    problems: tuple[str, ...]
    findings: tuple[FoundInData, ...]
    totals: Mapping[str, int]
    command: str = ""

    @classmethod
    def of(cls, opened: OpenedData, checked: DataCheck, command: str) -> CheckFindings:
        """The findings of a check of the opened data."""
        asked = [UNREADABLE, SAME]
        asked += [NEAR] if checked.similar is not None else []
        asked += [LABEL] if checked.labels is not None else []
        found = [*_found(opened.places, checked)]
        totals = {kind: sum(each.kind == kind for each in found) for kind in asked}
        if checked.similar is not None:
            totals[NEAR] = checked.similar.found
        kept = [
            each for kind in asked for each in [f for f in found if f.kind == kind][:_MOST]
        ]  # fmt: skip
        return cls(
            opened.token, tuple(asked), checked.report.problems, tuple(kept), totals, command
        )

    def of_kind(self, kind: str) -> list[FoundInData]:
        """Those of a kind, those that matter most first."""
        return [each for each in self.findings if each.kind == kind]


def _found(places: Mapping[str, int], checked: DataCheck) -> list[FoundInData]:
    """All findings; of what is not among the images, nothing."""

    def numbers(names: Sequence[str]) -> tuple[int, ...]:
        return tuple(places[name] for name in names if name in places)

    def of_set(kind: str, images: ImageSet, more: str = "") -> FoundInData:
        words = _set_words(images) + more
        return FoundInData(kind, numbers(images.names), words, images.labels, images.splits)

    found = [
        FoundInData(UNREADABLE, numbers([each.name]), each.reason)
        for each in checked.report.unreadable
    ]
    same = sorted(checked.report.identical, key=_seriousness)
    found += [of_set(SAME, images) for images in same]
    if checked.similar is not None:
        pairs = checked.similar.pairs
        found += [of_set(NEAR, pair, f"; similarity {pair.similarity:.3f}") for pair in pairs]
    if checked.labels is not None:
        found += [
            FoundInData(
                LABEL, numbers([each.name]), "", (each.label,), (each.split,),
                each.given, each.confidence, each.suggested,
            )
            for each in checked.labels.suspicious
        ]  # fmt: skip
    return [each for each in found if each.images]


def _seriousness(images: ImageSet) -> tuple[bool, bool]:
    return not images.across_splits, not images.differs_in_label


def _set_words(images: ImageSet) -> str:
    words = ["across splits" if images.across_splits else f"all in {images.splits[0]}"]
    words += ["with different labels"] if images.differs_in_label else []
    return ", ".join(words)


def summary(opened: OpenedData, found: CheckFindings) -> dict[str, Any]:
    """The kinds with how many findings each has and how many are open, and the problems."""
    settled = _Settled(opened)
    sections = []
    for kind in found.asked:
        of_kind = found.of_kind(kind)
        sections.append(
            {
                "kind": kind,
                "title": TITLES[kind],
                "words": _MEANINGS[kind],
                "total": found.totals[kind],
                "kept": len(of_kind),
                "open": sum(not settled.is_settled(each) for each in of_kind),
            }
        )
    return {
        "sections": sections,
        "problems": list(found.problems),
        "command": found.command,
        "current": found.token == opened.token,
    }


def finding_page(
    opened: OpenedData, found: CheckFindings, kind: str, start: int, count: int, *, all_: bool
) -> dict[str, Any]:
    """Some findings of a kind with their images, from `start` on; `all_`: the settled ones too."""
    settled = _Settled(opened)
    shown = [each for each in found.of_kind(kind) if all_ or not settled.is_settled(each)]
    return {
        "total": len(shown),
        "findings": [_document(opened, each, settled) for each in shown[start : start + count]],
    }


def _document(opened: OpenedData, each: FoundInData, settled: _Settled) -> dict[str, Any]:
    more = len(each.images) - _SHOWN
    return {
        "kind": each.kind,
        "words": each.words + (f"; {counted(more, 'image')} more" if more > 0 else ""),
        "given": each.given,
        "confidence": each.confidence,
        "suggested": each.suggested,
        "settled": settled.is_settled(each),
        "numbers": list(each.images),
        "images": [opened.image(image) for image in each.images[:_SHOWN]],
    }


class _Settled:
    """Which findings were decided about since they were found."""

    def __init__(self, opened: OpenedData) -> None:
        self._opened, self._view = opened, opened.view
        self._kept = opened.log.decided().kept

    def is_settled(self, each: FoundInData) -> bool:
        view = self._view
        if any(view.out[image] for image in each.images):
            return True
        labels = tuple(view.label(image) for image in each.images)
        splits = tuple(view.split(image) for image in each.images)
        if each.labels and (labels, splits) != (each.labels, each.splits):
            return True
        names = frozenset(self._opened.dataset.name_of(image) for image in each.images)
        return (each.kind, names) in self._kept


def write_findings(file: Path, found: CheckFindings) -> None:
    """Keep what a check found, so that another studio on this place need not check again."""
    write_text(file, json.dumps(asdict(found), ensure_ascii=True) + "\n")


def read_findings_of(file: Path, token: str) -> CheckFindings | None:
    """What the last check of the data `token` found; None if there was none, or of other data."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["token"] == token:
            findings = [
                FoundInData(**(each | {name: tuple(each[name]) for name in _TUPLES}))
                for each in document["findings"]
            ]
            return CheckFindings(
                token, tuple(document["asked"]), tuple(document["problems"]), tuple(findings),
                document["totals"], document["command"],
            )  # fmt: skip
    return None
