"""Commands that a studio starts: they outlive it, are found again, and end when they are to."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.core.processes import process_start
from manyheads.errors import InputError
from manyheads.web.studio import run_processes
from manyheads.web.studio.run_processes import MOST_AT_WORK, RunProcesses, interrupt_group
from tests.studio_runs import stand_in, until

WAIT = "print('begun', *words, flush=True); time.sleep(60)"
DEAF = (
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "child = subprocess.Popen(['sleep', '60'])\n"
    "print(child.pid, flush=True); time.sleep(60)"
)

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="groups of processes are POSIX's")


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make a studio's processes whose commands run a script."""
    made: list[RunProcesses] = []

    def make(script: str) -> RunProcesses:
        monkeypatch.setattr(run_processes, "PYTHON", stand_in(tmp_path, script))
        made.append(RunProcesses(tmp_path / "records", tmp_path))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_command_runs_in_the_place_and_its_words_are_kept(started, tmp_path: Path) -> None:
    processes = started("import os; print(os.getcwd(), *words); sys.exit(3)")
    made = processes.start("fit", ["fit", "a photo; rm -r *", "$(x)"], "runs/a")
    ended = until(
        lambda: processes.get(made.number).code is not None and processes.get(made.number)
    )
    assert ended.code == 3
    assert not ended.at_work
    out, _ = processes.printed(made.number)
    assert out.split("\n")[0] == f"{tmp_path} fit a photo; rm -r * $(x)"
    assert processes.of_run("runs/a", "fit") == ended
    assert processes.of_run("runs/a", "export") is None


def test_a_stopped_command_is_interrupted(started) -> None:
    processes = started(WAIT)
    made = processes.start("fit", ["fit"], "a")
    until(lambda: processes.printed(made.number)[0])
    processes.stop(made.number)
    ended = until(
        lambda: processes.get(made.number).code is not None and processes.get(made.number)
    )
    assert "KeyboardInterrupt" in processes.printed(made.number)[1]
    assert not ended.at_work
    processes.stop(made.number)  # once more does no harm


def test_the_next_studio_finds_a_command_at_work_and_ends_it(started, tmp_path: Path) -> None:
    first = started(WAIT)
    made = first.start("fit", ["fit", "photos"], "a")
    until(lambda: first.printed(made.number)[0])
    second = RunProcesses(tmp_path / "records", tmp_path)
    (found,) = second.all()
    assert (found.arguments, found.at_work) == (["fit", "photos"], True)
    assert [each.number for each in second.close()] == [made.number]
    assert process_start(made.pid) is None


def test_what_does_not_end_in_good_order_is_ended_with_all_it_began(started, monkeypatch) -> None:
    monkeypatch.setattr(run_processes, "_PATIENCE", 0.3)
    processes = started(DEAF)
    made = processes.start("fit", ["fit"], "a")
    child = int(until(lambda: processes.printed(made.number)[0]))
    assert processes.close()
    until(lambda: process_start(made.pid) is None and process_start(child) is None)


def test_a_record_whose_number_went_to_another_process_is_not_at_work(
    started, tmp_path: Path
) -> None:
    processes = started(WAIT)
    made = processes.start("fit", ["fit"], "a")
    file = tmp_path / "records" / f"{made.number}.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(record | {"started": "before"}), encoding="utf-8")
    assert not RunProcesses(tmp_path / "records", tmp_path).get(made.number).at_work
    assert RunProcesses(tmp_path / "records", tmp_path).close() == []
    assert process_start(made.pid) is not None


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"number": 3}'])
def test_a_damaged_record_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "20260101000000-000000.json").write_text(text, encoding="utf-8")
    (tmp_path / "notes.json").write_text("mine", encoding="utf-8")
    assert RunProcesses(tmp_path, tmp_path).all() == []


def test_only_so_many_commands_work_at_a_time(started) -> None:
    processes = started(WAIT)
    for number in range(MOST_AT_WORK):
        processes.start("fit", ["fit"], f"{number}")
    with pytest.raises(InputError, match="at most 4 commands at work"):
        processes.start("fit", ["fit"], "one more")


def test_old_records_go_and_those_at_work_stay(started, monkeypatch) -> None:
    monkeypatch.setattr(run_processes, "_KEPT", 2)
    processes = started("sys.exit(0) if words[1:] else time.sleep(60)")
    first = processes.start("fit", ["fit"], "a")
    for name in "bcde":
        made = processes.start("fit", ["fit", name], name)
        until(lambda made=made: processes.get(made.number).code == 0)
    numbers = {each.run for each in processes.all()}
    assert {"a", "e"} <= numbers
    assert len(numbers) <= 3
    assert processes.get(first.number).at_work


def test_an_unknown_number_is_an_error(started) -> None:
    with pytest.raises(InputError, match="the number of a command"):
        started(WAIT).get("../../etc/passwd")


def test_a_process_that_is_gone_is_interrupted_without_a_word(started) -> None:
    processes = started("pass")
    made = processes.start("fit", ["fit"], "a")
    until(lambda: processes.get(made.number).code == 0)
    interrupt_group(made.pid)
    assert replace(made, code=0).at_work is False
