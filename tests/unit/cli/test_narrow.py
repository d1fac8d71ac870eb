"""Tables and lines in narrow terminals: nothing is lost, nothing breaks inside words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.cli import compare_screen, result_tables
from manyheads.cli.main import main
from manyheads.cli.narrow import print_lines, print_table, wrapped
from manyheads.core.table import Table, names, numbers, words
from manyheads.findings.score_tables import dispensable, score_words
from manyheads.report.shortcut_section import shortcut_tables
from manyheads.run import run_list
from manyheads.run.run_list import ListedRun
from manyheads.stats.comparisons import compare
from manyheads.study.space import Grid, setting_words
from tests.shortcuts import record
from tests.unit.cli.test_compare_tables import study
from tests.unit.cli.test_result_tables import made_up

WIDTHS = (40, 60, 80, 120)
RATES = tuple(number / 100 for number in range(20))


@pytest.fixture
def shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """The lines that something prints in a terminal of a width."""

    def run(width: int, printing: Callable[[], object]) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("FORCE_COLOR", "1")
        printing()
        text = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
        return [line.rstrip() for line in text.splitlines()]

    return run


def grid(candidates: int, several: bool) -> Grid:
    if not several:
        return Grid((0.01,), (10,), RATES[:candidates])
    if candidates == 1:
        return Grid((0.01,), (10,), (0.5,))
    sizes = (0, 1000) if candidates == 4 else (10, 100, 1000, 64, 32)
    rates = (0.0001, 0.01) if candidates == 4 else (0.0001, 0.001, 0.01, 0.1)
    return Grid(rates, sizes, (0.5,))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("candidates", [1, 4, 20])
@pytest.mark.parametrize("several", [False, True])
def test_scores_keep_every_hyperparameter_and_the_mark(
    width: int, candidates: int, several: bool, shown: Callable[..., list[str]]
) -> None:
    settings = grid(candidates, several)
    peaks = [[0.5 + number / 100, 0.61 + number / 100] for number in range(candidates)]
    result = made_up(settings, peaks, [0] * candidates)
    lines = shown(width, lambda: result_tables.print_results(result, settings.varying))
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    one_line = " ".join(text.split())
    varied = settings.varying or ("learning_rate", "size_inner", "droprate")
    for name in varied:
        assert name in text or name.replace("_", "_ ") in one_line or name.split("_")[0] in one_line
    # Scores give way one after the other, and are named.
    left_out = one_line.partition("Not shown here, but in results.csv: ")[2]
    gone = [score_words(result.rule, [name]) in left_out for name in dispensable(result.rule)]
    assert gone == sorted(gone, reverse=True)
    assert not any(gone) or width < 80 or several or candidates == 1
    heads = " ".join(line for line in lines if "±" not in line)
    assert all(title in heads for title in ("val_accuracy", "last ten", "last epoch", "chosen"))
    for entry in result.in_order:  # every number of every candidate
        for name in ("peak_val_accuracy", *(["min_val_loss"] if not gone[-1] else [])):
            spread = entry.apart[name]
            assert f"{spread.mean:.3f}" in text
    rows = [line for line in lines if line.endswith("selected")]
    assert rows
    best = settings[result.ranking[0].candidate - 1]
    number = str(result.ranking[0].candidate)
    first = setting_words(best, settings.varying or varied).split()[1].rstrip(",")
    assert all(row.split()[0] in (first, number) for row in rows)
    assert "…" not in text


def test_wide_terminals_keep_what_they_have(shown: Callable[..., list[str]]) -> None:
    settings = grid(4, several=False)
    result = made_up(settings, [[0.5, 0.6]] * 4, [0] * 4)
    lines = shown(120, lambda: result_tables.print_results(result, settings.varying))
    assert "0.550 ± 0.071" in lines[3]
    assert len([line for line in lines if "±" in line]) == 4
    narrower = shown(80, lambda: result_tables.print_results(result, settings.varying))
    assert len([line for line in narrower if "±" in line]) == 4  # still one table


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "name", ["droprate 0.{}", "learning_rate 0.01, size_inner 1{}, droprate 0"]
)
def test_comparisons_keep_every_column(
    width: int, name: str, shown: Callable[..., list[str]]
) -> None:
    validated = study(name=name)
    found = compare(validated)
    lines = shown(
        width,
        lambda: compare_screen.print_comparisons(validated, found, None, "RUN/comparisons.csv"),
    )
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    outcomes = r"(undecided|better|worse|equivalent)( +[\d,]+)*$"
    rows = [line for line in lines if re.search(outcomes, line)]
    assert len(rows) == len(found.entries)
    intervals = re.findall(r"[\d.]+ \[\S+, \S+\]", told(lines))
    assert len(intervals) == len(found.entries)
    for entry in found.entries:
        assert ("<0.001" if entry.p_holm < 0.001 else f"{entry.p_holm:.3f}") in text


def told(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize("width", WIDTHS)
def test_other_tables_lose_no_word(width: int, shown: Callable[..., list[str]]) -> None:
    for table in shortcut_tables(record()):
        lines = shown(width, lambda table=table: print_table(table))
        assert max(map(len, lines)) <= width
        for row in table.rows:
            for cell in row[2:]:
                assert cell in told(lines) or cell.replace(" ± ", "±") in told(lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_names_are_folded_between_words_or_listed(
    width: int, shown: Callable[..., list[str]]
) -> None:
    rows = [
        ("train/a/very/long/path/of/an/image-0001.jpg", "red panda of the mountains", "12.5 %"),
        ("b.jpg", "[brackets] stay", "0.1 %"),
    ]
    columns = [*names("image"), *words("label"), *numbers("share")]
    lines = shown(width, lambda: print_table(Table(columns=columns, rows=rows)))
    for word in " ".join(cell for row in rows for cell in row).split():
        assert any(word in line for line in lines), word
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_lines_break_between_words_behind_their_label(
    width: int, shown: Callable[..., list[str]]
) -> None:
    line = "Data       clothing: 3,781 images, 10 classes, folder; train 3,068, validation 341"
    lines = shown(width, lambda: print_lines([line, ""]))
    assert told(lines) == told([line])
    assert max(map(len, lines)) <= width
    assert all(each.startswith(" " * 11) for each in lines[1:] if each)
    command = "Next     manyheads predict runs/a/long/name/of/a/folder PHOTO.jpg --json"
    assert wrapped(command, 40) == [command]


def test_a_pipe_has_a_width_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    settings = grid(4, several=True)
    result = made_up(settings, [[0.5, 0.6]] * 4, [0] * 4)
    result_tables.print_results(result, settings.varying)
    lines = capsys.readouterr().out.splitlines()
    assert 80 < max(map(len, lines)) <= 120
    print_lines(["word " * 60])
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("Data       photos: 39 images", ["Data       photos: 39", "           images"]),
        ("Confidence temperature 1.63", ["Confidence temperature", "           1.63"]),
        ("- classes with very few images", ["- classes with very few", "  images"]),
        ("           and more than that", ["           and more than", "           that"]),
        ("no label in front of any of it", ["no label in front of any", "of it"]),
        (
            "fewer: manyheads sweep photos --folds 5",
            ["fewer:", "  manyheads sweep photos --folds 5"],
        ),
        ("Advice     fewer: manyheads fit x", ["Advice     fewer:", "           manyheads fit x"]),
    ],
)
def test_what_follows_a_label_stays_behind_it(line: str, lines: list[str]) -> None:
    assert wrapped(line, 24) == lines


@pytest.mark.parametrize("width", [80, 120, 160])
def test_dates_and_scores_of_runs_stay_whole(
    width: int, shown: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listed = ListedRun(
        run="runs/photos", date="2026-11-29T19:34:05+01:00", kind="fit", data="photos",
        candidates=40, seeds=10, done=400, trials=400, metric="chosen_val_accuracy", score=0.7,
        best="299×299; learning_rate 0.001, size_inner 256, droprate 0.5, label_smoothing 0.1",
        deviation=0.053, verdict="no significant difference",
    )  # fmt: skip
    loss = replace(listed, run="runs/loss", metric="min_val_loss", best="droprate 0")
    monkeypatch.setattr(run_list, "list_runs", lambda _: run_list.RunList(".", (listed, loss)))
    lines = shown(width, lambda: main(["runs", str(tmp_path)]))
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    dated = "2026-11-29 19:34" if width == 160 else "2026-11-29"
    assert len(re.findall(rf"^{dated} +runs/", text, re.MULTILINE)) == 2
    assert len(re.findall(r" 0.700 ?± ?0.053( |$)", text, re.MULTILINE)) == 2
    assert re.search(r" val_loss 0.700 ?± ?0.053", text)
    assert "…" in text
