"""The backbones that a fit looks among: those that were named, or `auto`, those that can be had.

`auto` takes what is in the cache, whole, and fetches a few small or well-known ones beside. It
waits for no server: what cannot be fetched soon is left out, unless nothing else is there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from manyheads.backbones import hub_backbones, own_files, registry
from manyheads.backbones.registry import JOINT, BackboneSpec
from manyheads.backbones.weights import Weights, cached, resolve
from manyheads.core.job import SILENT, Job
from manyheads.core.text import clock, joined
from manyheads.errors import BackboneError, DownloadError, Interrupted, SettingError
from manyheads.run.fit.fit_settings import AUTO, FitSettings
from manyheads.run.fit.time_budget import TimeBudget

# Fetched if they are not there, the one that computes least first; the last one is what a fit
# without any other is made with.
_FETCHED = "efficientnet_lite0", "efficientnet_lite2", "xception"
_FETCHING = 0.1  # of the budget, and
_LONGEST = 30.0  # seconds, in which a further backbone is fetched, or it is left out

_Found = tuple[FitSettings, BackboneSpec, Weights]


@dataclass(frozen=True)
class FitBackbone:
    """A backbone of a fit: its `settings` name it alone, and `weights` are in the cache.

    `label` is what words and folders call it; "" where a single one was named, which needs no name.
    A `pair` is two of the others side by side.
    """

    settings: FitSettings
    spec: BackboneSpec
    weights: Weights
    label: str
    pair: bool = False

    @property
    def name(self) -> str:
        """The name by which it is asked for, of one from the hub that which is pinned."""
        assert isinstance(self.settings.backbone, str)
        return self.settings.backbone

    @property
    def folder(self) -> str:
        """What the names of its studies' folders begin with."""
        plain = re.sub(r"[^\w.+-]+", "-", self.label.removeprefix("hf:").replace("/", "--"))
        return f"{plain}-" if plain else ""

    @property
    def own_size(self) -> int:
        """The size at which it is compared with others: the one asked for, or its own."""
        return self.settings.size or self.spec.default_size


def automatic_backbones() -> list[str]:
    """The names among which `auto` looks, if their weights can be had.

    They are those that it fetches, as far as they are known, and whatever else is in the cache:
    networks of the hub, and those of Keras with ImageNet's weights.
    """
    known = registry.names()
    fetched = [name for name in _FETCHED if name in known]
    others = [name for name in known if name not in fetched and cached(registry.get(name))]
    return [*fetched, *hub_backbones.in_cache(), *others]


def check_backbones(settings: FitSettings) -> None:
    """Raise what is wrong with the backbones that `settings` name, before anything is fetched."""
    if settings.backbone != AUTO:
        for _, spec in _named(settings):
            spec.check_size(settings.size or spec.default_size)


def fit_backbones(
    settings: FitSettings, budget: TimeBudget, job: Job = SILENT
) -> tuple[FitBackbone, ...]:
    """The backbones that `settings` name, or those that `auto` finds; at least one.

    Raises what `registry.get` and `weights.resolve` raise for one that was named, or for the last
    that `auto` might fetch.
    """
    if settings.backbone == AUTO:
        found = _automatic(settings, budget, job)
    else:
        found = [(each, spec, resolve(spec, each.weights, job)) for each, spec in _named(settings)]
    labels = [""] if settings.single else _labels([spec for _, spec, _ in found])
    return tuple(FitBackbone(*each, label) for each, label in zip(found, labels, strict=True))


def side_by_side(first: FitBackbone, second: FitBackbone) -> FitBackbone | None:
    """Both as one backbone, at the size of the first; None where they do not go together."""
    name = JOINT.join((first.name, second.name))
    preprocessing = first.settings.preprocessing or second.settings.preprocessing
    settings = replace(first.settings, backbone=name, preprocessing=preprocessing)
    with suppress(BackboneError, SettingError):
        spec = registry.get(name, preprocessing)
        spec.check_size(first.own_size)
        weights = cached(spec)
        # Networks of the hub that take one size say so in their file alone.
        sides = {own_files.side_of(part.file) for part in spec.parts if part.file and weights}
        if weights is not None and sides <= {None, first.own_size}:
            return FitBackbone(settings, spec, weights, f"{first.label}+{second.label}", pair=True)
    return None


def unusable(error: BackboneError) -> str:
    """Why `auto` goes on without a backbone that turned out to be none."""
    return f"{error.found} where {error.expected} was expected"


def _named(settings: FitSettings) -> list[tuple[FitSettings, BackboneSpec]]:
    names = [settings.single] if settings.single else settings.backbone
    return [
        (settings.of(name), registry.get(name, settings.of(name).preprocessing)) for name in names
    ]


def _automatic(settings: FitSettings, budget: TimeBudget, job: Job) -> list[_Found]:
    specs = _taking(settings.size)
    there = {name: cached(spec) for name, spec in specs.items()}
    found = [(settings.of(name), specs[name], each) for name, each in there.items() if each]
    absent = [name for name, each in there.items() if each is None]
    left_out, why = list[str](), ""
    for name in absent:
        weights = None
        if not found and name == absent[-1]:
            weights = resolve(specs[name], None, job)
        elif not why:
            weights, why = _fetched_soon(specs[name], budget, job)
        if weights is None:
            left_out.append(name)
        else:
            found.append((settings.of(name), specs[name], weights))
    if left_out:
        job.note(f"Without {joined(left_out)}, of which no weights are in the cache: {why}")
    return found


def _fetched_soon(spec: BackboneSpec, budget: TimeBudget, job: Job) -> tuple[Weights | None, str]:
    """The weights of a backbone that a fit can do without, or why it does."""
    seconds = min(_FETCHING * budget.seconds, _LONGEST)
    try:
        part = job.limited(job.tell, budget.clock() + seconds, budget.clock)
        return resolve(spec, None, part), ""
    except Interrupted:
        job.check("the fit", "repeat the same command to resume")
        return None, f"to fetch them takes longer than {clock(seconds)}"
    except DownloadError as error:
        return None, error.found


def _taking(size: int | None) -> dict[str, BackboneSpec]:
    """The backbones among which `auto` looks, by name, that take images of this size."""
    found: dict[str, BackboneSpec] = {}
    for name in automatic_backbones():
        with suppress(BackboneError):  # one that takes another size, or is none after all
            spec = registry.get(name)
            spec.check_size(size or spec.default_size)
            found[name] = spec
    if not found:
        registry.get(_FETCHED[-1]).check_size(size or 0)
    return found


def _labels(specs: Sequence[BackboneSpec]) -> list[str]:
    """Their names, or what tells those apart that have equal ones."""
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        return [spec.hub or str(spec.file or spec.name) for spec in specs]
    return names
