"""The verbs on data: what is in it, what a backbone sees in it, and its features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from manyheads.backbones import registry
from manyheads.backbones.placement import check_place, device_lines, placed
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import resolve
from manyheads.core.job import SILENT, Job
from manyheads.core.settings import store
from manyheads.core.text import counted
from manyheads.data.checks import CheckReport, check_dataset
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.features.cache import lacking
from manyheads.features.extraction import Features, extract, recipe_of
from manyheads.findings import suspect_lines
from manyheads.findings.finding import Finding
from manyheads.findings.labels import SuspiciousLabels, find_suspicious, require_cleanlab
from manyheads.findings.similar import NEARER, SimilarImages, check_nearer, find_similar
from manyheads.run.estimate import Cost, estimate_extraction, remember_extraction


@dataclass(frozen=True, kw_only=True)
class ExtractionSettings:
    """A backbone, its weights, and how it sees images.

    Raises `BackboneError` for an unknown backbone or a size that it does not take, and
    `SettingError` for a precision that the runtime lacks, and `DeviceError` for a device that is
    not there. A `runtime` or a `device` that is `auto` becomes what suits this machine.
    """

    backbone: str | Path
    preprocessing: str | None = None
    weights: str | Path | None = None
    image: ImageSettings
    runtime: str = "openvino"
    device: str = "cpu"
    precision: str = "f32"

    def __post_init__(self) -> None:
        self.spec.check_size(self.image.size)
        found = placed(self.runtime, self.device, self.precision, lambda: self.spec)
        store(self, runtime=found.runtime, device=found.device)
        check_place(self.spec, self.runtime, self.device, self.precision)

    @classmethod
    def of(
        cls,
        backbone: str | Path,
        preprocessing: str | None,
        weights: str | Path | None,
        size: int | None,
        interpolation: str | None,
        exif: bool,
        depth: int | None,
        *,
        resize: str | None = None,
        runtime: str,
        device: str,
        precision: str,
    ) -> ExtractionSettings:
        """The same from single values; without a size or a way of resizing, the backbone's own."""
        spec = registry.get(backbone, preprocessing)
        return cls(
            backbone=backbone,
            preprocessing=preprocessing,
            weights=weights,
            image=spec.prepared(size, interpolation, resize, exif=exif, depth=depth),
            runtime=runtime,
            device=device,
            precision=precision,
        )

    @cached_property
    def spec(self) -> BackboneSpec:
        """The backbone's record."""
        return registry.get(self.backbone, self.preprocessing)


@dataclass(frozen=True)
class ClassCount:
    """How many images of a class a split has, and which share of the split, in [0, 1], that is."""

    split: str
    label: str
    images: int
    share: float


@dataclass(frozen=True, kw_only=True)
class DataCheck(Finding):
    """What `check` found: the `report` on every image, and what a backbone saw, where asked for.

    `.report.problems` are what may spoil a study, the most serious first.
    """

    report: CheckReport
    similar: SimilarImages | None
    labels: SuspiciousLabels | None

    @property
    def sentences(self) -> tuple[str, ...]:
        """How many images and problems there are, then the problems."""
        report = self.report
        problems = counted(len(report.problems), "problem") if report.problems else "no problems"
        classes = counted(len(report.classes), "class")
        head = f"{report.name}: {counted(report.images, 'image')}, {classes}; {problems}."
        return (head, *report.problems)

    @property
    def entries(self) -> tuple[ClassCount, ...]:
        """A row for each class of each split."""
        return tuple(
            ClassCount(split, name, count, self.report.shares[split].get(name, 0.0))
            for split, counts in self.report.counts.items()
            for name, count in counts.items()
        )


@dataclass(frozen=True, kw_only=True)
class CheckSettings:
    """What is looked for beside what decoding tells: near-duplicates, labels that are doubtful.

    `image` says how images are decoded. Raises `SettingError` unless `nearer` is in (0, 1), and
    `MissingExtraError` for `labels` without cleanlab.
    """

    image: ImageSettings
    similar: bool = False
    nearer: float = NEARER
    labels: bool = False

    def __post_init__(self) -> None:
        check_nearer(self.nearer)
        if self.labels:
            require_cleanlab()


def check_data(
    dataset: Dataset,
    settings: CheckSettings,
    extraction: ExtractionSettings | None,
    job: Job = SILENT,
) -> DataCheck:
    """Decode every image and look for what `settings` ask for, by features of the `extraction`.

    Labels are judged without the test images. Raises what `check_dataset`, `extracted`,
    `find_similar` and `find_suspicious` raise.
    """
    report = check_dataset(dataset, settings.image, job=job)
    similar = labels = None
    if extraction is not None and (settings.similar or settings.labels):
        seen = dataset.without([] if settings.similar else dataset.rows("test").tolist())
        features = extracted(seen, extraction, job)
        if settings.similar:
            similar = find_similar(seen, features, nearer=settings.nearer, job=job)
        if settings.labels:
            labels = find_suspicious(seen, features, job=job)
    report = report.with_problems(
        suspect_lines.spoiling_problems(similar) if similar else (),
        suspect_lines.lesser_problems(similar, labels),
    )
    return DataCheck(report=report, similar=similar, labels=labels)


def extracted(dataset: Dataset, settings: ExtractionSettings, job: Job = SILENT) -> Features:
    """The features of a data set, from the cache or computed now; the job hears what it costs.

    Raises what `resolve` and `extract` raise.
    """
    weights = resolve(settings.spec, settings.weights, job)
    how = settings.runtime, settings.precision, settings.device
    recipe = recipe_of(settings.spec, weights, settings.image, *how)
    missing = lacking(recipe, dataset.contents).passes
    seconds, measured = estimate_extraction(recipe, missing)
    cost = Cost(passes=missing, extraction=seconds, measured=measured)
    images = counted(len(dataset.contents), "image")
    for label, text in device_lines(settings.runtime, settings.device):
        job.note(f"{label:<10} {text}")
    job.note(f"Cost       {cost.words(images=f' for {images}')}")
    found = extract(
        dataset, settings.spec, weights, settings.image,
        runtime=settings.runtime, device=settings.device, precision=settings.precision, job=job,
    )  # fmt: skip
    remember_extraction(recipe, found.passes, found.seconds)
    return found
