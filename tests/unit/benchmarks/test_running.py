"""How the benchmarks are chosen, called and survive what is missing."""

from __future__ import annotations

import importlib.util

import pytest

from benchmarks import __main__, alternatives, machine
from benchmarks.generated import generated_photographs
from benchmarks.registry import BENCHMARKS, chosen
from manyheads.data.dataset import open_dataset


@pytest.mark.parametrize("name", [each.name for each in BENCHMARKS])
def test_every_registered_benchmark_is_a_module_with_a_main(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert module.__doc__
    assert callable(module.main)


def test_named_benchmarks_run_alone_and_in_their_order() -> None:
    assert [each.name for each in chosen(["lesson", "bounds"])] == ["lesson", "bounds"]
    assert all(each.by_default for each in chosen([]))


def test_an_unknown_benchmark_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(["nonsense"])
    assert ended.value.code == 2
    assert "bounds" in capsys.readouterr().err


def test_what_is_not_installed_is_a_reason_and_not_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    answer = alternatives.measured("JAX", "parts.jax_heads.heads", ("jax",), count=1)
    assert answer == "not installed: pip install 'manyheads[bench]'"


def test_what_fails_is_a_reason_and_not_a_crash() -> None:
    answer = alternatives.measured("a product", "parts.rates.no_such_function")
    assert isinstance(answer, str)
    assert answer.startswith("failed: KeyError")


def test_the_pinned_alternatives_bring_no_cuda() -> None:
    pins = (machine.ROOT / "requirements" / "bench.txt").read_text(encoding="utf-8")
    names = {line.partition("==")[0] for line in pins.splitlines() if "==" in line[:60]}
    assert {"jax", "onnxruntime", "tensorflow-cpu"} <= names
    assert not [name for name in names if "nvidia" in name or "cuda" in name or name == "torch"]


def test_the_best_variant_is_chosen() -> None:
    found = {"slow": {"epoch": 2.0}, "fast": {"epoch": 1.0}, "none": "not installed"}
    assert alternatives.best(found, "epoch") == ("fast", {"epoch": 1.0})
    assert alternatives.best({"none": "not installed"}, "epoch") == "not installed"


def test_without_photographs_images_are_generated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = generated_photographs(12, 10)
    dataset = open_dataset(folder)
    assert (len(dataset.rows("train")), len(dataset.rows("validation"))) == (12, 10)
    assert len(set(dataset.digests)) == 22
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.jpg")}
    assert generated_photographs(12, 10) == folder
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*.jpg")}
    monkeypatch.setenv("MANYHEADS_DATA", str(folder / "nowhere"))
    with pytest.raises(SystemExit, match="found none"):
        machine.photographs(None)
    assert machine.photographs(folder) == folder.absolute()
    monkeypatch.delenv("MANYHEADS_DATA")
    with pytest.raises(SystemExit, match="MANYHEADS_DATA"):
        machine.photographs(None, real=True)
