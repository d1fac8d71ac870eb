"""Networks of the Hugging Face hub as backbones: their records, and their files in the cache."""

from __future__ import annotations

from contextlib import suppress

from manyheads.backbones import hub, preprocessing_modes
from manyheads.backbones.hub import CONFIG, PROCESSOR, HubName, Repository
from manyheads.backbones.processors import read_processor
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.core.job import SILENT, Job
from manyheads.errors import BackboneError

_LEAST = 32  # pixels, as `ImageSettings` has them
# What of a family's tokens are features; of others it is asked for if there are tokens.
_FAMILIES = {
    "dinov2": "cls+mean",
    "dinov2_with_registers": "cls+mean",
    "dinov3_vit": "cls+mean",
    "vit": "cls",
    "deit": "cls",
    "beit": "mean",
    "clip": "cls",
    "clip_vision_model": "cls",
    "siglip": "pooler",
    "siglip_vision_model": "pooler",
    "siglip2_vision_model": "pooler",
}


def spec_of(name: str, preprocessing: str | None = None) -> BackboneSpec:
    """The backbone that `hf:…` names; its network is not fetched yet.

    A stated `preprocessing` replaces the mean and deviation of the repository. Raises
    `BackboneError`, `SettingError` and `DownloadError`.
    """
    asked = HubName.of(name)
    found = hub.repository(asked)
    network = found.network(asked)
    how = read_processor(found.json(PROCESSOR), found.name)
    words = how.normalisation
    if preprocessing is not None:
        words = preprocessing_modes.parse(preprocessing)
    tokens = asked.pooling or _FAMILIES.get(_model_type(found))
    return BackboneSpec(
        name=f"{hub.PREFIX}{found.name}" + (f":{asked.network}" if asked.network else ""),
        module="",
        function="",
        default_size=how.size,
        min_size=_LEAST,
        data_format=CHANNELS_LAST,
        file=found.folder / network,
        normalisation=words,
        hub=asked.at(found.commit, tokens),
        tokens=tokens,
        resize=how.resize,
        interpolation=how.interpolation,
    )


def described_spec(name: str) -> BackboneSpec | None:
    """The backbone that `hf:…` names, if its description is in the cache; nothing is asked for."""
    found = hub.known_repository(HubName.of(name))
    needed = {PROCESSOR, CONFIG} & found.by_name.keys() if found else set()
    if found is None or any(found.present(each) is None for each in needed):
        return None
    return spec_of(name)


def licence_of(spec: BackboneSpec) -> str | None:
    """The licence that the repository of a network states, or None."""
    stated = _files(spec)[0].licence
    return None if stated == "unknown" else stated


def fetch(spec: BackboneSpec, job: Job = SILENT) -> str:
    """Fetch the files of a network that are not in the cache; where they come from, in words.

    Says first of which size they are, and under which licence.
    """
    found, files = _files(spec)
    if found.missing(files):
        hub.announce(found, files, job)
    for name in files:
        found.fetch(name, job)
    return hub.source_words(found)


def present(spec: BackboneSpec) -> str | None:
    """Where the files of a network come from, if all of them are in the cache."""
    found, files = _files(spec)
    return None if found.missing(files) else hub.source_words(found)


def in_cache() -> list[str]:
    """The pinned names of the networks whose files are all in the cache, without a request."""
    names: list[str] = []
    for found in hub.in_cache():
        asked = HubName(found.name, found.commit, "", None)
        described = [name for name in (PROCESSOR, CONFIG) if name in found.by_name]
        with suppress(BackboneError):  # no network is there
            files = [*found.with_data(found.network(asked)), *described]
            if PROCESSOR in described and not found.missing(files):
                names.append(asked.at(found.commit, None))
    return names


def size_of(spec: BackboneSpec) -> int:
    """Bytes of the files of a network, in the cache or not."""
    found, files = _files(spec)
    return sum(found.by_name[name].size for name in files)


def _files(spec: BackboneSpec) -> tuple[Repository, list[str]]:
    assert spec.hub is not None
    asked = HubName.of(spec.hub)
    found = hub.repository(asked)
    return found, found.with_data(found.network(asked))


def _model_type(found: Repository) -> str:
    try:
        return str(found.json(CONFIG).get("model_type", ""))
    except BackboneError:  # then it is no family that is known
        return ""
