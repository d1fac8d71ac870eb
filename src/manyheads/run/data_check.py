"""The verbs on data: what is in it, what a backbone sees in it, and its features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from manyheads.backbones import registry
from manyheads.backbones.placement import check_place, device_lines, placed
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights, resolve
from manyheads.core.job import SILENT, Job
from manyheads.core.label_sets import require_one_label
from manyheads.core.settings import store
from manyheads.core.text import counted
from manyheads.core.workers import Workers
from manyheads.data.checks import CheckReport, check_dataset
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.features.cache import FeatureRecipe, Lacking, lacking
from manyheads.features.extraction import Features, extract, recipe_of
from manyheads.features.worker_filling import shard_words
from manyheads.findings import suspect_lines
from manyheads.findings.finding import Finding
from manyheads.findings.labels import SuspiciousLabels, find_suspicious, require_cleanlab
from manyheads.findings.similar import NEARER, SimilarImages, check_nearer, find_similar
from manyheads.run.estimate import Cost, estimate_extraction, remember_extraction
from manyheads.workers.opening import as_asked, opened_workers, workers_asked


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
        decode: str | None = None,
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
            image=spec.prepared(size, interpolation, resize, exif=exif, depth=depth, decode=decode),
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
        classes = counted(len(report.classes), "class" if report.sizes is None else "label")
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
    workers: int | str | Workers | None = None,
) -> DataCheck:
    """Decode every image and look for what `settings` ask for, by features of the `extraction`.

    Labels are judged without the test images. With `workers`, these compute the features. Raises
    what `check_dataset`, `extracted`, `find_similar` and `find_suspicious` raise.
    """
    if settings.labels:
        require_one_label(
            dataset.label_names, "suspicious labels", "leave out `labels`; the rest is checked"
        )
    report = check_dataset(dataset, settings.image, job=job)
    similar = labels = None
    if extraction is not None and (settings.similar or settings.labels):
        seen = dataset.without([] if settings.similar else dataset.rows("test").tolist())
        features = extracted(seen, extraction, job, workers)
        if settings.similar:
            similar = find_similar(seen, features, nearer=settings.nearer, job=job)
        if settings.labels:
            labels = find_suspicious(seen, features, job=job)
    report = report.with_problems(
        suspect_lines.spoiling_problems(similar) if similar else (),
        suspect_lines.lesser_problems(similar, labels),
    )
    return DataCheck(report=report, similar=similar, labels=labels)


def extracted(
    dataset: Dataset,
    settings: ExtractionSettings,
    job: Job = SILENT,
    workers: int | str | Workers | None = None,
) -> Features:
    """The features of a data set, from the cache or computed now; the job hears what it costs.

    With `workers`, as `opened_workers` takes them, these compute. Raises what `resolve`, `extract`
    and `opened_workers` raise.
    """
    workers = workers_asked(workers)
    weights = resolve(settings.spec, settings.weights, job)
    planned = planned_extraction(dataset, settings, weights, workers)
    for label, text in planned.lines:
        job.note(f"{label:<10} {text}")
    with opened_workers(workers if planned.passes else None) as opened:
        found = extract(
            dataset, settings.spec, weights, settings.image,
            runtime=settings.runtime, device=settings.device, precision=settings.precision,
            workers=opened, job=job,
        )  # fmt: skip
    remember_extraction(found.recipe, found.passes, found.seconds, as_asked(workers))
    return found


@dataclass(frozen=True)
class PlannedExtraction:
    """The backbone passes that an extraction still takes, and lines of a label and a text on it."""

    passes: int
    lines: tuple[tuple[str, str], ...]


def planned_extraction(
    dataset: Dataset,
    settings: ExtractionSettings,
    weights: Weights | None,
    workers: int | str | Workers | None = None,
) -> PlannedExtraction:
    """What `extracted` will take; without `weights`, which are still to be fetched, all passes."""
    how = settings.runtime, settings.precision, settings.device
    left = Lacking(len(settings.spec.parts) * len(dataset.contents), 0)
    given: FeatureRecipe | None = None
    if weights is not None:
        given = recipe_of(settings.spec, weights, settings.image, *how)
        left = lacking(given, dataset.contents)
    lines = device_lines(settings.runtime, settings.device)
    images = counted(len(dataset.contents), "image")
    if given is not None:
        seconds, measured = estimate_extraction(given, left.passes, as_asked(workers))
        cost = Cost(passes=left.passes, extraction=seconds, measured=measured)
        lines = [*lines, ("Cost", cost.words(images=f" for {images}"))]
    else:
        passes = counted(left.passes, "backbone pass")
        lines = [*lines, ("Cost", f"{passes} for {images}, after the weights are fetched")]
    if workers is not None and left.passes:
        lines = [*lines, ("Workers", shard_words(workers, left.passes, left.width))]
    return PlannedExtraction(left.passes, tuple(lines))
