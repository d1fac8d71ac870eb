from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from manyheads.core.workers import Workers
from manyheads.errors import MissingExtraError, RunError, SettingError
from manyheads.run.plan import RunOptions
from manyheads.workers.cluster_address import ClusterAddress
from manyheads.workers.opening import as_asked, opened_workers, planned_words, workers_asked
from manyheads.workers.ray_cluster import RayCluster


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (None, None), (1, 1), ("8", 8), (" 2 ", 2), ("ray", "ray"),
        ("ray://head:10001", "ray://head:10001"), ("head:6379", "head:6379"),
        ("ray://[fe80::1]:10001", "ray://[fe80::1]:10001"),
    ],
)  # fmt: skip
def test_workers_are_a_number_or_a_cluster(given: Any, asked: Any) -> None:
    assert workers_asked(given) == asked
    assert RunOptions(workers=given).workers == asked


@pytest.mark.parametrize(
    "given", [0, -1, 1025, True, 1.5, "two", "", "ray://", "ray://head", "head:0", "head:70000", []]
)
def test_others_are_an_error_in_one_line(given: Any) -> None:
    with pytest.raises(SettingError, match="`workers` as a number from 1 to 1024") as caught:
        workers_asked(given)
    assert "\n" not in str(caught.value)
    with pytest.raises(SettingError):
        RunOptions(workers=given)


def test_none_are_none() -> None:
    with opened_workers(None) as workers:
        assert workers is None


def test_open_workers_stay_open() -> None:
    with opened_workers(3) as workers:
        assert workers is not None
        assert workers.asked == "3"
        assert as_asked(workers) == "3"
        with opened_workers(workers) as same:
            assert same is workers
        assert RunOptions(workers=workers).workers is workers
        assert planned_words(workers) == (workers.words, 0)


def test_nothing_starts_before_there_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", None)
    with opened_workers(2) as workers:
        assert workers is not None
        assert workers.words.startswith("2 processes of this machine, ")


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"run: pip install 'manyheads\[ray\]'"):
        open_one("ray")


@pytest.mark.programs
def test_where_no_cluster_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(RunError, match=r"a Ray cluster at ray://127\.0\.0\.1:9, found none"):
        open_one("ray://127.0.0.1:9")


def test_a_cluster_on_another_machine_needs_a_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    address = ClusterAddress("ray://192.0.2.77:10001")
    with pytest.raises(SettingError, match="RAY_AUTH_MODE not set to token"):
        address.require_token()
    ClusterAddress("ray://127.0.0.1:10001").require_token()
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(SettingError, match="found none; set RAY_AUTH_MODE=token"):
        address.require_token()
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 32)
    address.require_token()


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("Version mismatch: The cluster was started with: Ray: 2.1", "this Ray and this Python"),
        ("Unauthenticated: RPC error: InvalidAuthToken", "refuses it"),
        ("Can't find a node", "to join the Ray cluster"),
    ],
)
def test_what_ray_says_becomes_one_line(said: str, line: str) -> None:
    error = ClusterAddress("head:6379").refusal(RuntimeError(said + "\nand more"))
    assert line in str(error)
    assert "\n" not in str(error)


_NOT_READY = (
    "Initialization failure from server:\nTraceback (most recent call last):\n  in DataPath\n"
    "RuntimeError: Proxy failed to Connect to backend! Check `ray_client_server.err`\n"
)


def test_a_head_that_is_not_ready_is_no_wrong_token() -> None:
    error = ClusterAddress("ray://head:10001").refusal(ConnectionAbortedError(_NOT_READY))
    assert "started no server for this process: Proxy failed to Connect" in str(error)
    assert "when the cluster's head has less to do" in str(error)
    assert "TOKEN" not in str(error)


@pytest.mark.parametrize(
    ("said", "tries"), [(_NOT_READY, 2), ("Initialization of something else", 1)]
)
def test_a_head_that_is_not_ready_is_asked_again(
    said: str, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def init(address: str, **_how: object) -> None:
        calls.append(address)
        raise ConnectionAbortedError(said)

    ray = SimpleNamespace(init=init, is_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "ray", cast("ModuleType", ray))
    monkeypatch.setattr(ClusterAddress, "answers", lambda _address: True)
    with pytest.raises(RunError):
        RayCluster("ray://127.0.0.1:10001").connect()
    assert calls == ["ray://127.0.0.1:10001"] * tries


def open_one(given: str) -> Workers | None:
    with opened_workers(given) as workers:
        return workers
