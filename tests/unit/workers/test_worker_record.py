"""What `workers.json` keeps of the workers that computed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.core.workers import WorkerResources
from manyheads.workers.worker_record import read_workers, recorded
from tests.in_process_workers import InProcessWorkers

KNOWN = WorkerResources("worker 1", "node-a", "Xeon, avx512", {"openvino": "2026.3"}, 4, 1 << 33)


def used(*each: WorkerResources) -> InProcessWorkers:
    workers = InProcessWorkers()
    workers.used = list(each)
    return workers


def test_each_node_is_kept_once_a_kind(tmp_path: Path) -> None:
    other = replace(KNOWN, name="worker 3", node="node-b")
    with recorded(tmp_path, used(KNOWN, replace(KNOWN, name="worker 2"), other)):
        assert not read_workers(tmp_path)
    assert [entry["node"] for entry in read_workers(tmp_path)] == ["node-a", "node-b"]
    newer = replace(KNOWN, versions={"openvino": "2026.4"})
    with recorded(tmp_path, used(KNOWN, newer)):
        pass
    first, _, last = read_workers(tmp_path)
    assert first["processor"] == "Xeon, avx512"
    assert (last["node"], last["versions"]) == ("node-a", {"openvino": "2026.4"})


def test_what_fails_is_kept_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), recorded(tmp_path, used(KNOWN)):
        raise ZeroDivisionError
    assert len(read_workers(tmp_path)) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"workers": 3}', '{"workers": [1, {}]}'])
def test_a_damaged_file_is_written_anew(text: str, tmp_path: Path) -> None:
    (tmp_path / "workers.json").write_text(text)
    assert not read_workers(tmp_path)
    with recorded(tmp_path, used(KNOWN)):
        pass
    [entry] = json.loads((tmp_path / "workers.json").read_text())["workers"]
    assert entry["node"] == "node-a"


def test_without_workers_there_is_no_file(tmp_path: Path) -> None:
    with recorded(tmp_path, None), recorded(tmp_path, used()):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with recorded(tmp_path / "file", used(KNOWN)):
        pass
    assert (tmp_path / "file").read_text() == "no folder"
