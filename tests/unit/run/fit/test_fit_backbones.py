"""Which backbones a fit looks among: those that are named, there, or soon fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manyheads.backbones import registry
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core.job import SILENT, Job
from manyheads.errors import BackboneError, DownloadError, SettingError
from manyheads.run.fit import fit_backbones
from manyheads.run.fit.fit_backbones import automatic_backbones, check_backbones
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.time_budget import TimeBudget
from tests.jobs import HeardJob

UNREACHABLE = DownloadError("to fetch it", "no answer within 4 seconds", "check the network")


class Sources:
    """Weights of some backbones in the cache, and of some that can be fetched."""

    def __init__(self, there: list[str], reachable: list[str], pause: float = 0.0) -> None:
        self._there, self._reachable, self._pause = there, reachable, pause
        self.asked: list[str] = []

    def cached(self, spec: BackboneSpec) -> Weights | None:
        return _weights(spec) if spec.name in self._there else None

    def resolve(self, spec: BackboneSpec, given: str | None = None, job: Job = SILENT) -> Weights:
        del given
        self.asked.append(spec.name)
        job.wait(self._pause)
        job.check("the download")
        if spec.name not in self._reachable:
            raise UNREACHABLE
        return _weights(spec)


def _weights(spec: BackboneSpec) -> Weights:
    return Weights(Path(spec.name), "0" * 64, "no weights")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Callable[..., list[str]]:
    """The labels of the backbones that a fit finds with these sources."""
    del own_cache  # it is there

    def find(sources: Sources, job: Job = SILENT, budget: float = 600.0, **asked: Any) -> list[str]:
        monkeypatch.setattr(fit_backbones, "cached", sources.cached)
        monkeypatch.setattr(fit_backbones, "resolve", sources.resolve)
        # Names that are known today, whatever else will be fetched.
        monkeypatch.setattr(fit_backbones, "_FETCHED", ("mobilenet", "unknown", "xception"))
        settings = FitSettings(data="none", budget=budget, **asked)
        backbones = fit_backbones.fit_backbones(settings, TimeBudget(budget, 0.0), job)
        return [each.label for each in backbones]

    return find


Found = Callable[..., list[str]]


def test_what_is_in_the_cache_and_what_can_be_fetched(found: Found) -> None:
    told = HeardJob()
    sources = Sources(there=["resnet50"], reachable=["mobilenet", "xception"])
    assert found(sources, told) == ["resnet50", "mobilenet", "xception"]
    assert sources.asked == ["mobilenet", "xception"]
    assert told.notes == []


def test_what_cannot_be_fetched_is_left_out_in_one_line(found: Found) -> None:
    told = HeardJob()
    sources = Sources(there=["resnet50"], reachable=[])
    assert found(sources, told) == ["resnet50"]
    assert sources.asked == ["mobilenet"]  # the second would wait for nothing, too
    assert told.notes == [
        "Without mobilenet and xception, of which no weights are in the cache: "
        "no answer within 4 seconds"
    ]


def test_xception_is_the_last_resort(found: Found) -> None:
    sources = Sources(there=[], reachable=["xception"])
    assert found(sources) == ["xception"]
    assert sources.asked == ["mobilenet", "xception"]
    with pytest.raises(DownloadError):
        found(Sources(there=[], reachable=[]))


def test_nobody_waits_for_what_is_not_needed(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_backbones, "_LONGEST", 0.05)
    told = HeardJob()
    sources = Sources(["resnet50"], ["mobilenet", "xception"], pause=60)
    assert found(sources, told) == ["resnet50"]
    assert told.notes[0].endswith(": to fetch them takes longer than 0:00")


def test_a_size_that_a_backbone_does_not_take_leaves_it_out(found: Found) -> None:
    sources = Sources(there=[], reachable=["mobilenet", "xception"])
    assert found(sources, size=64) == ["mobilenet"]


@pytest.mark.usefixtures("own_cache")
def test_names_that_are_not_known_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_backbones, "_FETCHED", ("unknown", "xception"))
    assert automatic_backbones() == ["xception"]


def test_names_are_checked_before_anything_is_fetched() -> None:
    with pytest.raises(BackboneError, match="did you mean xception"):
        check_backbones(FitSettings(data="none", backbone=("mobilenet", "xceptoin")))
    with pytest.raises(BackboneError, match="at least 71 for xception"):
        check_backbones(FitSettings(data="none", backbone=("mobilenet", "xception"), size=64))
    check_backbones(FitSettings(data="none"))


def test_one_name_is_itself_and_several_are_different() -> None:
    assert FitSettings(data="none", backbone=("xception",)).backbone == "xception"
    assert FitSettings(data="none", backbone=("a", "b", "a")).backbone == ("a", "b")
    assert FitSettings(data="none").single is None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"backbone": ()}, "names of backbones, or auto alone, found none"),
        ({"backbone": ("auto", "xception")}, "found auto xception"),
        ({"weights": "mine.h5"}, "a backbone that the `weights` belong to, found auto"),
        ({"preprocessing": "tf"}, "a backbone that the `preprocessing` belong to"),
        ({"backbone": ("xception", "mobilenet"), "weights": "random:0"}, "found 2 of them"),
    ],
)
def test_settings_that_fit_no_backbone_are_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        FitSettings(data="none", **asked)


def test_a_stated_preprocessing_is_that_of_files() -> None:
    settings = FitSettings(
        data="none", backbone=("xception", "mine.onnx", "hf:a/b"), preprocessing="tf"
    )
    assert [settings.of(name).preprocessing for name in settings.backbone] == [None, "tf", None]


def test_equal_names_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_backbones, "resolve", lambda spec, *_: _weights(spec))
    xception = registry.get("xception")
    of = {
        each: replace(xception, file=Path(each), name="net") for each in ("a/net.xml", "b/net.xml")
    }
    monkeypatch.setattr(registry, "get", lambda name, *_: of[name])
    settings = FitSettings(data="none", backbone=tuple(of))
    found = fit_backbones.fit_backbones(settings, TimeBudget(600, 0.0))
    assert [each.label for each in found] == [*of]
    assert [each.folder for each in found] == ["a--net.xml-", "b--net.xml-"]
