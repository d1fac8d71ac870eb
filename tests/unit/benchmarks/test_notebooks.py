"""The stored notebooks hold what their code shows, and nothing of the machine it ran on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.notebooks import GUIDES, LARGEST, code_cells, code_digest, prepare, stored

NOTEBOOKS = sorted(GUIDES.glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> dict[str, Any]:
    return json.loads(request.param.read_text(encoding="utf-8"))


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {"lesson", "notebook"}
    assert max(path.stat().st_size for path in NOTEBOOKS) < LARGEST


def test_outputs_are_of_the_code_that_is_there(notebook: dict[str, Any]) -> None:
    """If this fails, run python -m benchmarks.notebooks."""
    assert notebook["metadata"]["manyheads"]["outputs_of"] == code_digest(notebook)
    cells = list(code_cells(notebook))
    assert [each["execution_count"] for each in cells] == list(range(1, len(cells) + 1))
    assert all(each["outputs"] for each in cells)


def test_outputs_are_text_without_errors_or_places(notebook: dict[str, Any]) -> None:
    for cell in code_cells(notebook):
        for output in cell["outputs"]:
            assert output["output_type"] in ("stream", "execute_result", "display_data")
            assert output.get("name") != "stderr", output["text"]
            assert not [
                kind for kind in output.get("data", {}) if kind in ("image/png", "image/jpeg")
            ]
    text = json.dumps(notebook)
    assert "/tmp/" not in text
    assert "<progress" not in text


def cell(*outputs: dict[str, Any], source: str = "1") -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {"x": 1}, "source": source, "outputs": list(outputs)}


def displayed(page: str, kind: str = "text/html") -> dict[str, Any]:
    return {"output_type": "display_data", "data": {kind: page}, "transient": {"display_id": "1"}}


def test_what_another_run_would_change_is_not_stored(tmp_path: Path) -> None:
    result = {"output_type": "execute_result", "execution_count": 9, "data": {"text/html": "<p>"}}
    figure = displayed("<svg/>", "image/svg+xml")
    said = {"output_type": "stream", "name": "stdout", "text": f"{tmp_path}/runs/a in {tmp_path}"}
    bars = displayed("extracting <progress></progress>"), displayed("")
    found = stored({"cells": [cell(*bars, figure, result, said)]}, tmp_path)
    (only,) = found["cells"]
    assert [each["output_type"] for each in only["outputs"]] == [
        "display_data", "execute_result", "stream",
    ]  # fmt: skip
    assert only["outputs"][1]["execution_count"] == only["execution_count"] == 1
    assert only["outputs"][2]["text"] == "runs/a in ."
    assert "transient" not in only["outputs"][0]


def test_other_code_has_another_digest() -> None:
    first, second = ({"cells": [cell(source=text)]} for text in ("a = 1", "a = 2"))
    assert code_digest(first) != code_digest(second)
    words = {"cell_type": "markdown", "source": "# A"}
    assert code_digest({"cells": [words, cell(source="a = 1")]}) == code_digest(first)


def test_the_folder_of_a_notebook_has_both_data_sets(tmp_path: Path) -> None:
    for number in range(8):
        photograph = tmp_path / "data" / "train" / "hat" / f"{number}.jpg"
        photograph.parent.mkdir(parents=True, exist_ok=True)
        photograph.write_bytes(b"")
    (tmp_path / "here").mkdir()
    prepare(tmp_path / "here", tmp_path / "data")
    assert len(list((tmp_path / "here" / "photos" / "hat").iterdir())) == 6
    assert (tmp_path / "here" / "clothing" / "train" / "hat" / "7.jpg").is_file()
