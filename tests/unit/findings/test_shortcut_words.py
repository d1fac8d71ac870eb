"""A check for shortcuts in words, and its record in a file."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from manyheads.errors import RunError
from manyheads.findings.shortcut_record import ShortcutFiles, read_shortcut
from manyheads.findings.shortcut_words import sentences
from manyheads.heads.hyperparameters import Hyperparameters
from tests.former_names import formerly
from tests.shortcuts import record

SAME = (0.1, 0.8)


def test_a_learnt_mark_is_the_headline() -> None:
    first, cost, settings, remedy, basis = sentences(record())
    assert first.startswith("The logo is learnt instead of t-shirt: images of other classes with")
    assert "more often than in the control, a gap of " in first
    assert cost.startswith("On images without the logo, recall of t-shirt changes by −")
    assert cost.count("(worse in every setting)") == 2
    assert settings.startswith("Compared with droprate 0, this gap is ")
    assert remedy.startswith("everywhere (everywhere in words) leaves ")
    assert "% of the gap" in remedy
    assert "smaller with every setting, by " in remedy
    assert "4 seeds" in basis
    assert "adjusted for 21 comparisons" in basis


def test_a_mark_without_effect_is_not_said_to_be_learnt() -> None:
    kept = record({"control": SAME, "marked": SAME}, seeds=40, margin=0.1)
    first = sentences(kept)[0]
    assert first.startswith("The logo is not learnt: images of other classes with it")
    assert first.endswith("within ±10 points of the control.")


def test_a_small_effect_is_undecided() -> None:
    first = sentences(record({"control": (0.1, 0.8), "marked": (0.13, 0.8)}))[0]
    assert first.startswith("No significant evidence that the logo is learnt")


def test_one_seed_says_why_it_says_nothing() -> None:
    assert sentences(record(seeds=1))[0].startswith("With one seed, the effect of the logo")


def test_one_setting_is_compared_with_no_other() -> None:
    said = sentences(record(candidates=1))
    assert not any(sentence.startswith("Compared") for sentence in said)
    assert " smaller, by " in said[2]


@pytest.mark.parametrize("seeds", [1, 4])
def test_a_record_comes_back_as_it_was(tmp_path: Path, seeds: int) -> None:
    kept = record(seeds=seeds)
    path = tmp_path / "shortcut.json"
    kept.write(path, sentences(kept))
    read = read_shortcut(path)
    assert read is not None
    assert read == kept
    assert sentences(read) == sentences(kept)


def test_a_record_of_the_first_version_is_read_under_the_names_of_today(tmp_path: Path) -> None:
    kept = replace(record(), hyperparameters=(asdict(Hyperparameters()),))
    path = tmp_path / "shortcut.json"
    kept.write(path, sentences(kept))
    text = path.read_text(encoding="utf-8")
    former = formerly(text, arms="conditions", arm="condition", asked="with_mark")
    path.write_text(former, encoding="utf-8")
    assert read_shortcut(path) == kept


def test_what_is_no_record_is_named(tmp_path: Path) -> None:
    files = ShortcutFiles.of(tmp_path)
    for text in ("", "{}", '{"verdict": []}'):
        files.record.parent.mkdir(exist_ok=True)
        files.record.write_text(text)
        with pytest.raises(RunError, match=r"shortcut\.json"):
            read_shortcut(files.record)
