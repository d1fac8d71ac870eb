"""The studio's application: its routes for runs and models, its errors, and what it never tells."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from manyheads.core.processes import process_start
from manyheads.errors import RunError, SettingError
from manyheads.study.folder import RunFolder
from manyheads.web.service.serving import TOKEN_VARIABLE
from manyheads.web.shared.guards import Limits, guarded
from manyheads.web.shared.requesters import own_names
from manyheads.web.studio import run_processes
from manyheads.web.studio.run_routes import REPORT_RULES
from manyheads.web.studio.studio_app import studio_app
from manyheads.web.studio.studio_run import token_of
from manyheads.web.studio.workspace import StudioPlace
from tests.studio_runs import made_up_settings, made_up_study, stand_in, until, write_progress
from tests.web_servers import serving_app

GOLDEN = Path(__file__).parents[2] / "golden" / "run"
SHELL = """
if "--dry-run" in words:
    print("Data       photos"); sys.exit(0)
print("manyheads: expected /secret/folder/x, found none", file=sys.stderr, flush=True)
time.sleep(60)
"""
pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="groups of processes are POSIX's")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    (folder / "photos" / "cat").mkdir(parents=True)
    StudioPlace(folder).use(folder / "photos")
    shutil.copytree(GOLDEN, folder / "runs" / "old")
    return folder


@pytest.fixture
def stopped() -> list[str]:
    return []


@pytest.fixture
def client(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: list[str]
) -> Iterator[httpx.Client]:
    """A client of a studio whose commands are a stand-in's, guarded as it is."""
    monkeypatch.setattr(run_processes, "PYTHON", stand_in(tmp_path, SHELL))
    app = studio_app(place, ended=lambda runs: stopped.extend(each.run for each in runs))
    whole = guarded(app, names=own_names("127.0.0.1"), token=None, limits=Limits())
    with serving_app(whole) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def form(out: str = "runs/new", **values: str) -> dict[str, Any]:
    return {"kind": "fit", "values": values, "out": out}


@pytest.mark.when_changed("commands")
def test_the_page_and_its_files_are_sent(client: httpx.Client) -> None:
    page = client.get("/").text
    names = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert names
    seen = set()
    while names:
        name = names.pop()
        answer = client.get(name)
        assert answer.status_code == 200, name
        if name not in seen and name.endswith(".js"):
            names += re.findall(r'(?:from |import\()"(/static/[^"]+)"', answer.text)
        seen.add(name)
    assert {"/static/studio/run-live.js", "/static/service/service.js"} <= seen
    assert client.get("/api/place").json() == {"place": "place"}
    assert client.get("/static/studio/../studio_app.py").status_code == 404


def test_runs_are_listed_with_a_tag(client: httpx.Client, place: Path) -> None:
    answer = client.get("/api/runs")
    (run,) = answer.json()["runs"]
    assert (run["name"], run["finished"], run["data"]) == ("runs/old", True, "labels.csv")
    again = client.get("/api/runs", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert str(place) not in answer.text


def test_a_form_is_planned_begun_watched_stopped_and_resumed(client: httpx.Client) -> None:
    planned = client.post("/api/runs/plan", json=form(budget="4m")).json()
    assert planned["would"] == "manyheads fit photos --budget 4m --out runs/new"
    assert planned["command"].endswith("--dry-run")
    address = f"/api/commands/{planned['number']}"
    ended = until(lambda: (found := client.get(address).json())["code"] is not None and found)
    assert (ended["code"], ended["out"]) == (0, "Data       photos\n")
    begun = client.post("/api/runs/start", json=form(budget="4m")).json()
    assert begun["at_work"]
    assert client.get("/api/runs").json()["runs"][0]["state"] == "starting"
    live = client.get("/api/runs/live", params={"run": "runs/new"}).json()
    assert (live["state"], live["command"]) == ("starting", planned["would"])
    busy = client.post("/api/runs/start", json=form())
    assert (busy.status_code, "a command at work" in busy.json()["error"]) == (400, True)
    until(lambda: client.get(f"/api/commands/{begun['number']}").json()["err"])
    assert client.post("/api/runs/stop", json={"run": "runs/new"}).status_code == 200
    until(lambda: not client.get(f"/api/commands/{begun['number']}").json()["at_work"])
    live = client.get("/api/runs/live", params={"run": "runs/new"}).json()
    assert (live["state"], live["resume"]) == ("stopped", planned["would"])
    resumed = client.post("/api/runs/resume", json={"run": "runs/new"}).json()
    assert resumed["command"] == planned["would"]
    assert client.post("/api/runs/resume", json={"run": "runs/new"}).status_code == 400


def test_the_end_of_a_studio_ends_what_it_began(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: list[str]
) -> None:
    monkeypatch.setattr(run_processes, "PYTHON", stand_in(tmp_path, SHELL))
    app = studio_app(place, ended=lambda runs: stopped.extend(each.run for each in runs))
    with serving_app(app) as address:
        begun = httpx.post(f"{address}/api/runs/start", json=form()).json()
        record = place / ".manyheads-studio" / "commands" / f"{begun['number']}.json"
        pid = json.loads(record.read_text(encoding="utf-8"))["pid"]
        assert process_start(pid) is not None
    assert process_start(pid) is None
    assert stopped == ["runs/new"]


def test_a_terminal_s_run_is_not_stopped_when_it_is_not_at_work(client: httpx.Client) -> None:
    answer = client.post("/api/runs/stop", json={"run": "runs/old"})
    assert answer.status_code == 400
    assert "which is not" in answer.json()["error"]


def test_a_run_that_nobody_knows_how_to_resume_is_an_error(
    client: httpx.Client, place: Path
) -> None:
    write_progress(place / "fit", alive=False)
    answer = client.post("/api/runs/resume", json={"run": "fit"})
    assert answer.status_code == 400
    assert "repeat the command where it was begun" in answer.json()["error"]


def test_a_report_is_sent_under_rules_of_its_own(client: httpx.Client, place: Path) -> None:
    missing = client.get("/api/runs/report", params={"run": "runs/old"})
    assert missing.status_code == 400
    RunFolder(place / "runs/old").report.write_text("<script>1</script>", encoding="utf-8")
    answer = client.get("/api/runs/report", params={"run": "runs/old"})
    assert answer.headers["Content-Security-Policy"] == REPORT_RULES
    assert "allow-same-origin" not in REPORT_RULES
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize(
    "address",
    ["/api/runs/live", "/api/runs/report", "/api/use", "/api/runs/advice", "/api/use/file"],
)
def test_no_name_leads_out_of_the_place(client: httpx.Client, address: str) -> None:
    for run in ("..", "../place", "/etc", "runs", "x/../runs/old", "a\0b", "", "x" * 5000):
        answer = client.get(address, params={"run": run, "format": "keras", "name": "x"})
        assert answer.status_code == 404, answer.text
        assert set(answer.json()) == {"error"}


def test_a_link_leads_nowhere(client: httpx.Client, place: Path, tmp_path: Path) -> None:
    made_up_study(tmp_path / "elsewhere", made_up_settings())
    (place / "link").symlink_to(tmp_path / "elsewhere")
    assert client.get("/api/runs/live", params={"run": "link"}).status_code == 404
    assert len(client.get("/api/runs").json()["runs"]) == 1


def test_errors_tell_no_path_of_the_machine(client: httpx.Client, place: Path) -> None:
    (place / "broken").mkdir()
    (place / "broken" / "study.toml").write_text("[", encoding="utf-8")
    begun = client.post("/api/runs/start", json=form()).json()
    texts = [
        client.get("/api/runs").text,
        client.get("/api/runs/live", params={"run": "broken"}).text,
        until(
            lambda: (t := client.get(f"/api/commands/{begun['number']}").text) and "x" in t and t
        ),
        client.get("/api/use", params={"run": "runs/old"}).text,
    ]
    for text in texts:
        assert str(place) not in text
        assert "/secret" not in text


@pytest.mark.when_changed("commands")
def test_a_body_of_another_form_is_refused_in_one_line(client: httpx.Client) -> None:
    for body in (
        b"", b"{", b"[]", b'{"kind": 3}', b'{"kind": "fit", "out": "a", "shell": "rm"}',
        b'{"kind": "fit", "out": "a", "values": {"budget": {"a": 1}}}',
    ):  # fmt: skip
        answer = client.post("/api/runs/start", content=body)
        assert answer.status_code == 400
        assert "\n" not in answer.json()["error"]


def test_formats_say_what_is_missing_for_them(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from manyheads.models.export import formats

    monkeypatch.setattr(formats, "_missing", lambda packages: [*packages])
    found = client.get("/api/use", params={"run": "runs/old"}).json()
    missing = {each["name"]: each["missing"] for each in found["formats"]}
    assert missing["onnx"] == "pip install 'manyheads[onnx]'"
    assert missing["keras"] == ""
    assert found["commands"]["serve"] == "manyheads serve runs/old"


def test_the_test_set_is_opened_only_by_its_typed_name(client: httpx.Client) -> None:
    refused = client.post("/api/use/test", json={"run": "runs/old", "typed": "yes"})
    assert refused.status_code == 400
    assert "typed in full" in refused.json()["error"]
    begun = client.post("/api/use/test", json={"run": "runs/old", "typed": "runs/old"}).json()
    assert begun["command"] == "manyheads test runs/old"
    again = client.post("/api/use/test", json={"run": "runs/old", "typed": "runs/old"})
    assert again.status_code == 400


def test_an_export_is_a_command_and_its_file_a_download(client: httpx.Client, place: Path) -> None:
    answer = client.post("/api/use/export", json={"run": "runs/old", "format": "tar"})
    assert answer.status_code == 400
    begun = client.post("/api/use/export", json={"run": "runs/old", "format": "onnx"}).json()
    assert begun["command"] == "manyheads export runs/old --format onnx --json"
    address = "/api/use/file?run=runs/old&format=onnx&name="
    assert client.get(f"{address}best.onnx").status_code == 404
    (place / "runs/old/export").mkdir()
    (place / "runs/old/export/best.onnx").write_bytes(b"model")
    answer = client.get(f"{address}best.onnx")
    assert answer.content == b"model"
    assert 'filename="best.onnx"' in answer.headers["Content-Disposition"]
    assert client.get(f"{address}../best.keras").status_code == 404


def test_what_is_not_there_is_json_too(client: httpx.Client) -> None:
    for address in ("/api/nothing", "/nothing", "/api/commands/1"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert set(answer.json()) == {"error"}


def test_a_token_is_made_for_others_than_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert token_of("127.0.0.1", None) is None
    first, second = token_of("0.0.0.0", None), token_of("0.0.0.0", None)
    assert first is not None
    assert len(first) >= 32
    assert second not in (None, first)
    (tmp_path / "token").write_text("a token of enough letters\n", encoding="utf-8")
    assert token_of("0.0.0.0", str(tmp_path / "token")) == "a token of enough letters"
    with pytest.raises(SettingError):
        token_of("0.0.0.0", str(tmp_path / "none"))
    monkeypatch.setenv(TOKEN_VARIABLE, "short")
    with pytest.raises(SettingError, match="at least 16"):
        token_of("127.0.0.1", None)


def test_one_studio_at_a_time_is_at_work_in_a_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from manyheads.core.job import Job
    from manyheads.web.studio import studio_run

    said: list[object] = []

    def second(app: object, **_: object) -> None:
        assert not isinstance(app, FastAPI)  # it is guarded
        with pytest.raises(RunError, match="another studio at work"):
            begin()

    def begin() -> None:
        studio_run.run_studio(
            place, host="127.0.0.1", port=0, token_file=None, opens=False, say=said.append,
            ended=said.append, job=Job(),
        )  # fmt: skip

    monkeypatch.setattr(studio_run, "run_server", second)
    begin()
