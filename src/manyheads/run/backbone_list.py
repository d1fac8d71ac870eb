"""The catalogue of backbones: what each is, what it costs, and what of it is here already."""

from __future__ import annotations

from dataclasses import dataclass, replace

from manyheads.backbones import hub_backbones, registry
from manyheads.backbones.backbone_catalogue import HUB, RECOMMENDED, HubEntry, licence_of
from manyheads.backbones.backbone_cost import cost_of
from manyheads.backbones.known import known
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import cached
from manyheads.core.text import counted, decimal
from manyheads.errors import BackboneError
from manyheads.findings.finding import Finding


@dataclass(frozen=True, kw_only=True)
class ListedBackbone:
    """A backbone by its name, and what is known of it without fetching anything; None: nothing.

    `image_size` is in pixels; `megabytes` are those of its weights, 1e6 bytes; `gflop` is for an
    image of that size, 2 × multiply-adds / 1e9; `images_per_second`, from files to features, is
    what the last extraction at that size measured on this machine. `licence` is that of the
    weights, as their publishers state it. `cached` says whether the weights are here. `remark` is
    "", or what else to know of it.
    """

    name: str
    image_size: int
    features: int | None
    megabytes: float | None
    gflop: float | None
    images_per_second: float | None
    licence: str | None
    cached: bool
    remark: str = ""


@dataclass(frozen=True)
class BackboneList(Finding):
    """Backbones, a sentence and an entry each."""

    entries: tuple[ListedBackbone, ...]  # pyright: ignore[reportIncompatibleMethodOverride]

    @property
    def sentences(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Each backbone in one line."""
        return tuple(map(_sentence, self.entries))


def list_backbones(*, everything: bool = False, image_size: int | None = None) -> BackboneList:
    """The backbones that are recommended, or with `everything` all that have a name here.

    Nothing is fetched or made. What depends on the size of images is told for `image_size` pixels;
    None: for each at its own. Raises `BackboneError` for a size that one of them does not take.
    """
    others = [name for name in registry.names() if everything and name not in RECOMMENDED]
    names = [*RECOMMENDED, *others]
    named = [_named(registry.get(name), image_size) for name in names]
    return BackboneList((*named, *(_of_hub(entry, image_size) for entry in HUB)))


def _named(spec: BackboneSpec, image_size: int | None) -> ListedBackbone:
    facts = known(spec)
    assert facts is not None
    found = _listed(spec, image_size, facts.features, licence_of(spec))
    if found.gflop is None and found.image_size == spec.default_size:
        return replace(found, gflop=facts.gflop)
    return found


def _of_hub(entry: HubEntry, image_size: int | None) -> ListedBackbone:
    remark, spec = "", None
    if entry.classes is not None:
        remark = f"its features are the scores of {counted(entry.classes, 'class')}"
    try:
        spec = hub_backbones.described_spec(entry.name)
    except BackboneError as error:
        remark = f"it cannot be used: expected {error.expected}, found {error.found}"
    if spec is not None:
        licence = hub_backbones.licence_of(spec) or entry.licence
        found = _listed(spec, image_size, entry.features, licence)
        return replace(found, name=entry.name, remark=remark)
    return ListedBackbone(
        name=entry.name,
        image_size=entry.image_size if image_size is None else image_size,
        features=entry.features,
        megabytes=None if entry.size is None else entry.size / 1e6,
        gflop=None,
        images_per_second=None,
        licence=entry.licence,
        cached=False,
        remark=remark,
    )


def _listed(
    spec: BackboneSpec, image_size: int | None, features: int, licence: str | None
) -> ListedBackbone:
    size = spec.default_size if image_size is None else image_size
    spec.check_size(size)
    weights = cached(spec)
    cost = cost_of(spec, weights, size)
    return ListedBackbone(
        name=spec.name,
        image_size=size,
        features=features,
        megabytes=cost.megabytes,
        gflop=cost.gflop,
        images_per_second=cost.images_per_second,
        licence=licence,
        cached=weights is not None,
    )


def _sentence(each: ListedBackbone) -> str:
    known = [
        f"{each.image_size} pixels",
        each.features and counted(each.features, "feature"),
        each.megabytes and f"{decimal(each.megabytes, 1)} MB",
        each.gflop and f"{decimal(each.gflop, 2)} GFLOP per image",
        each.images_per_second
        and f"measured here: {decimal(each.images_per_second, 1)} per second",
        each.licence,
        "in the cache" if each.cached else "not in the cache",
    ]
    return f"{each.name}: {'; '.join(filter(None, [', '.join(filter(None, known)), each.remark]))}."
