"""What a study will take, known before anything is fetched or computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from manyheads.backbones.joined_backbones import short_name
from manyheads.backbones.placement import check_place
from manyheads.backbones.weights import Weights, cached
from manyheads.core.job import SILENT, Job
from manyheads.core.label_sets import require_one_label
from manyheads.core.machine import cores
from manyheads.core.settings import store
from manyheads.core.workers import Workers
from manyheads.data.dataset import Dataset
from manyheads.data.feature_files import read_matrix
from manyheads.data.unreadable_images import share_of
from manyheads.errors import SettingError
from manyheads.features.cache import lacking
from manyheads.features.extraction import recipe_of
from manyheads.heads.class_weights import require_known_classes
from manyheads.heads.epoch_rules import rules_kept, scored_by
from manyheads.heads.fold import Variant
from manyheads.heads.hyperparameters import NEUTRAL, Hyperparameters
from manyheads.models.checkpoints import MAX_CHECKPOINTS, check_pattern
from manyheads.study.division import require_trainable, validation_counts
from manyheads.study.feature_variants import missing_passes, training_images, variant_bytes
from manyheads.study.folder import RunFolder, engine_as_begun, place_as_begun, split_as_begun
from manyheads.study.sources import array_weights, open_data
from manyheads.study.space import Candidates
from manyheads.study.store import Store, TrialRecord
from manyheads.study.study_settings import StudySettings
from manyheads.study.table_writing import require_parquet
from manyheads.study.work import Work
from manyheads.workers.opening import workers_asked

USUAL_WIDTH = 2048  # features of Xception and of most backbones its size
_USUAL_WEIGHTS = 84_000_000  # bytes

# Bytes, checked by benchmarks/big_study.py: the process itself, what it keeps of a trial, how many
# times a thread holds its head (with Adam's moments and the best epoch's), and Keras in a child.
_PROCESS = 240_000_000
_TRIAL = 3_000
_COPIES = 6
_KERAS = 650_000_000


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run may do differently without becoming another study.

    `strict` makes an unreadable image an error instead of leaving it out, `max_unreadable` a larger
    share of them than this (0.01 or "1%"); `keep_heads` bounds the files of heads;
    `checkpoint_pattern` asks for a whole network of each of the best candidates (at most
    `MAX_CHECKPOINTS`), named by it; `parquet` for the tables as Parquet too; without `models` no
    whole network is written at all, without `baselines` none is trained. `workers` compute features
    and train heads in the place of this process: a number of processes, `ray`, the address of a
    cluster, or workers that are open; raises `SettingError` for others.
    """

    strict: bool = False
    max_unreadable: float | str | None = None
    keep_heads: int = 100
    checkpoint_pattern: str | None = None
    parquet: bool = False
    models: bool = True
    baselines: bool = True
    workers: int | str | Workers | None = None

    def __post_init__(self) -> None:
        share = share_of("max_unreadable", self.max_unreadable)
        store(self, workers=workers_asked(self.workers), max_unreadable=share)

    def checkpoints(self, candidates: int) -> int:
        """How many whole networks are written beside the best, at most."""
        if self.checkpoint_pattern is None:
            return 0
        return min(MAX_CHECKPOINTS, self.keep_heads, candidates)


@dataclass(frozen=True)
class Disk:
    """What a run folder will hold, in bytes: a whole network, heads, and what all heads predict.

    `cache` is what the versions of the training images will add to the cache.
    """

    model: int
    heads: int
    predictions: int
    cache: int


@dataclass(frozen=True)
class Memory:
    """Bytes resident while heads train, and while a Keras process beside writes the best model."""

    training: int
    writing: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study will take: `plain` counts the images that the backbone has not seen yet.

    `variants` counts the passes for each variant of the training images beside. `weights` is None
    as long as ImageNet's have not been fetched; then all images are missing. `features` is how many
    an image has, 0 as long as that is unknown. `ended` counts the trials that the run folder has
    already, and `work` tells what there is to train: at most that, if patience ends trials early.
    Of several backbones `parts` has the plan of each, whose trials are those of the whole study;
    passes are sums over these, `weights` None, and `features` the most.
    """

    settings: StudySettings
    options: RunOptions
    dataset: Dataset
    weights: Weights | None
    plain: int
    variants: Mapping[Variant, int]
    features: int
    ended: int
    work: Work
    parts: tuple[Plan, ...] = ()

    @property
    def by_backbone(self) -> tuple[Plan, ...]:
        """The plan of each backbone."""
        return self.parts or (self,)

    @property
    def fetched(self) -> bool:
        """Whether the weights of all backbones are here."""
        return all(part.weights is not None for part in self.by_backbone)

    @property
    def _kept_epochs(self) -> int:
        """Of how many epochs of a trial predictions are kept, at most; see `rules_kept`."""
        return len({*rules_kept(self.settings.select), "last"})

    @property
    def missing(self) -> int:
        """The backbone passes that are left, of all versions."""
        return self.plain + sum(self.variants.values())

    @property
    def disk(self) -> Disk:
        """About how much a run folder will take; a network holds its head and Adam's moments."""
        classes, features = len(self.dataset.outputs), self.width
        heads = sorted(head_size(setting, features, classes) for setting in self.settings.grid)
        backbone = max(part.backbone_size for part in self.by_backbone)
        validated = validation_counts(self.settings.folds, self.dataset)[1]
        rounds = len(self.settings.trials()) // (self.settings.folds or 1)
        return Disk(
            model=backbone + 3 * heads[-1],
            heads=sum(heads[-self.kept_heads :]),
            predictions=2 * rounds * validated * classes * self._kept_epochs,
            cache=sum(
                passes
                * variant_bytes(part.settings, variant, part.width)
                // len(part.settings.spec.parts)
                for part in self.by_backbone
                for variant, passes in part.variants.items()
            ),
        )

    @property
    def width(self) -> int:
        """How many features an image has, about, as long as that is not known."""
        return self.features or USUAL_WIDTH

    @property
    def backbone_size(self) -> int:
        """The bytes of the backbone's weights, about, as long as they are not here."""
        if self.settings.features is not None:
            return 0
        return self.weights.size if self.weights else _USUAL_WEIGHTS

    @property
    def kept_heads(self) -> int:
        """How many candidates' heads have files in the end, at most."""
        return min(self.options.keep_heads, self.settings.rungs[-1].candidates)

    @property
    def memory(self) -> Memory:
        """About how much is resident; it hardly grows with the number of heads."""
        images, classes = len(self.dataset.contents), len(self.dataset.outputs)
        training = training_memory(self.settings, images, self.width, classes)
        others = sum(part.width for part in self.by_backbone) - self.width
        training += 4 * images * others
        trained = len(training_images(self.settings.folds, self.dataset))
        training += trained * sum(
            variant_bytes(part.settings, variant, part.width)
            for part in self.by_backbone
            for variant in part.variants
        )
        return Memory(training=training, writing=training + _KERAS + 3 * self.disk.model)

    @property
    def products(self) -> float:
        """Training images × inner units, summed over the epochs of all heads still to train."""
        return validation_counts(self.settings.folds, self.dataset)[0] * self.work.left.units


def require_for_labels(grid: Candidates, select: str, dataset: Dataset) -> None:
    """Raise `DataError` for what is asked of classes, where images have several labels."""
    if grid.class_weight != (NEUTRAL["class_weight"],):
        require_one_label(
            dataset.label_names, "class weights", "leave out `class_weight`: each label is judged "
            "by its own threshold",
        )  # fmt: skip
    if grid.balanced_batches != (NEUTRAL["balanced_batches"],):
        require_one_label(dataset.label_names, "balanced batches", "leave out `balanced_batches`")
    if scored_by(select) is not None:
        require_one_label(
            dataset.label_names, select, "give `select` best_loss, best_accuracy or last"
        )


def head_size(setting: Hyperparameters, features: int, classes: int) -> int:
    """The bytes of a head's parameters."""
    units = setting.size_inner
    return 4 * ((features + 1) * units + (units or features) * classes + classes)


def training_memory(settings: StudySettings, images: int, features: int, classes: int) -> int:
    """About how many bytes are resident while a study trains on so many images' features."""
    largest = max(head_size(setting, features, classes) for setting in settings.grid)
    threads = cores()
    matrix = 4 * images * features
    return _PROCESS + matrix + _TRIAL * len(settings.trials()) + _COPIES * largest * threads


def plan_study(
    settings: StudySettings,
    options: RunOptions | None = None,
    out: str | Path | None = None,
    *,
    job: Job = SILENT,
) -> Plan:
    """What `run_study` would do in `out`; fetches nothing, and computes only the images' digests.

    The plan's settings divide the images as those of a study in `out` did, and their epochs, their
    engine, their runtime and their device are decided. Weights in a file are read. Raises
    `DataError` for a data set that cannot be trained on, `WeightsError` for a file that does not
    hold the backbone's weights.
    """
    options = options or RunOptions()
    if out is not None:
        settings = replace(settings, split=split_as_begun(settings.split, out))
        settings = replace(settings, engine=engine_as_begun(settings.engine, out))
        settings = place_as_begun(settings, out)
    settings = settings.placed_here()
    if options.checkpoint_pattern is not None:
        check_pattern(options.checkpoint_pattern)
    if options.parquet:
        require_parquet()
    for place in range(settings.backbones):
        _check_backbone(settings.on_backbone(place), options)
    settings.trials()
    dataset = open_data(settings, job)
    require_trainable(settings.folds, dataset)
    require_for_labels(settings.grid, settings.select, dataset)
    require_known_classes(settings.grid.class_weight, dataset.classes)
    settings = settings.for_training_on(
        validation_counts(settings.folds, dataset)[0], several_labels=bool(dataset.label_names)
    )
    work = Work(settings)
    records = _records(settings, RunFolder(out).store) if out is not None else []
    if records:
        work.count(records)
    ended = sum(record.state in ("done", "failed", "pruned") for record in records)

    def part(settings: StudySettings) -> Plan:
        weights = _weights(settings, dataset, job)
        plain, features = _missing(settings, weights, dataset)
        return Plan(
            settings=settings,
            options=options,
            dataset=dataset,
            weights=weights,
            plain=plain,
            variants=missing_passes(settings, weights, dataset),
            features=features,
            ended=ended,
            work=work,
        )

    parts = [part(settings.on_backbone(place)) for place in range(settings.backbones)]
    return parts[0] if len(parts) == 1 else _together(settings, parts)


def _together(settings: StudySettings, parts: Sequence[Plan]) -> Plan:
    """The plan of a study of several backbones."""
    variants: Counter[Variant] = Counter()
    for part in parts:
        variants.update(part.variants)
    return replace(
        parts[0],
        settings=settings,
        weights=None,
        plain=sum(part.plain for part in parts),
        variants=dict(variants),
        features=max(part.features for part in parts),
        parts=tuple(parts),
    )


def _check_backbone(settings: StudySettings, options: RunOptions) -> None:
    """Raise what is wrong with the backbone of a study, and with images for it."""
    spec = settings.spec
    spec.check_size(settings.image.size)
    _check_runtime(settings, options)
    if max(settings.grid.dropblock):
        spec.check_grid()


def _check_runtime(settings: StudySettings, options: RunOptions) -> None:
    """Raise `SettingError` for what the backbone, or its absence, does not allow."""
    if settings.features is None:
        check_place(settings.spec, settings.runtime, settings.device, settings.precision)
    if settings.spec.in_keras:
        return
    name = short_name(settings.backbone)
    if options.checkpoint_pattern is not None:
        raise SettingError(
            "a backbone that Keras builds, for checkpoints of whole networks", name,
            "leave out `checkpoint_pattern`, or give a .keras file",
        )  # fmt: skip


def _weights(settings: StudySettings, dataset: Dataset, job: Job) -> Weights | None:
    """What is here of the weights already; None where ImageNet's have to be fetched."""
    if settings.features is not None:
        return array_weights(settings.features, dataset)
    return cached(settings.spec, settings.weights, job)


def _missing(settings: StudySettings, weights: Weights | None, dataset: Dataset) -> tuple[int, int]:
    """How many plain passes are left, and how many features an image has, 0 if that is unknown."""
    if settings.features is not None:
        return 0, read_matrix(dataset.file, settings.features).shape[1]
    if weights is None:
        return len(settings.spec.parts) * len(dataset.contents), 0
    image, how = settings.image, (settings.runtime, settings.precision, settings.device)
    return lacking(recipe_of(settings.spec, weights, image, *how), dataset.contents)


def _records(settings: StudySettings, path: Path) -> list[TrialRecord]:
    """What is recorded of this study's trials; nothing, if `path` records another's.

    A study that grows has records of fewer, under other numbers: the others are pending.
    """
    if not path.is_file():
        return []
    with Store(path) as store:
        records = store.trials()
    trials = settings.trials()
    try:
        known = [replace(each, trial=trials.same(each.trial)) for each in records]
    except IndexError:
        return []
    of_number = {each.trial.number: each for each in known}
    return [of_number.get(trial.number, TrialRecord(trial, "pending")) for trial in trials]
