"""The study that would make a recommendation surer: what it changes, and its command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from manyheads.core.text import counted, option
from manyheads.data.trainable import FEW_IMAGES
from manyheads.findings.recommendation import FOLDS
from manyheads.findings.study_findings import Findings

_SEEDS = 10  # with which differences are usually assessed


@dataclass(frozen=True)
class SettlingStudy:
    """A study beside the one that is finished, with its settings but for those that are `changed`.

    `words` say what is gained, where that is told by numbers of images.
    """

    changed: Mapping[str, int]
    command: str
    words: str


def settling_study(findings: Findings) -> SettlingStudy | None:
    """The next study; None if nothing is left to settle, or no study that could be named would.

    It is what would probably separate the recommended setting from another; else several seeds
    instead of one, or folds where few images validate.
    """
    changed = _changed(findings)
    if not changed:
        return None
    path = findings.folder.path
    beside = path.with_name("-".join([path.name, *changed]))
    words = ["manyheads", "sweep", *option("config", path)]
    for name, value in changed.items():
        words += option(name, value)
    gained = ""
    if "folds" in changed:
        validated = len(findings.validated.labels)
        gained = f"all {counted(findings.pool, 'image')} validate, not {validated:,}"
    return SettlingStudy(changed, shlex.join([*words, *option("out", beside)]), gained)


def _changed(findings: Findings) -> dict[str, int]:
    found = findings.recommendation
    if found.next_study is not None and found.next_study.settings:
        return dict(found.next_study.settings)
    if found.confidence == "not assessed":
        return {"seeds": _SEEDS}
    unsettled = found.confidence in ("probable", "too close to call")
    if unsettled and findings.settings.folds is None and findings.pool < FEW_IMAGES:
        return {"folds": FOLDS}
    return {}
