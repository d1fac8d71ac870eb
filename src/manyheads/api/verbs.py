"""The verbs that train, judge and import, as functions with the command line's defaults.

`progress`: True shows a bar in a notebook or a terminal and nothing elsewhere, False nothing; a
function is called with (step, done, total), often.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from manyheads.api.opened_studies import OpenedStudy, open_study
from manyheads.api.progress_bars import ShowProgress, reported
from manyheads.backbones import registry
from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings
from manyheads.data.given_data import Data, given_data
from manyheads.data.several_labels import table_as_it_shows
from manyheads.errors import SettingError
from manyheads.findings.prediction_comparison import ComparedPredictions
from manyheads.findings.run_comparison import RunComparison, compare_folders
from manyheads.lesson.lesson_report import (
    finish_lesson,
    is_lesson,
    write_whole_lesson,
)
from manyheads.lesson.stages import LessonSettings, run_stages
from manyheads.models.importing.class_names import read_names
from manyheads.models.importing.imported import Imported
from manyheads.models.importing.imported import import_model as import_file
from manyheads.run.compared_predictions import compare_with_run
from manyheads.run.fit.fit_call import fit_folder
from manyheads.run.fit.fit_record import Fitted
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import (
    AUTO,
    USUAL_BUDGET,
    USUAL_FOLDS,
    USUAL_HEADS,
    FitSettings,
    seconds_of,
)
from manyheads.run.fit.grown_fit import plan_growth, run_growth
from manyheads.run.plan import RunOptions
from manyheads.stats.comparisons import Margins
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings, lasting


def fit(
    data: Data,
    *,
    from_run: str | Path | None = None,
    train_on_validation: bool = False,
    budget: float | str | None = None,
    heads: int = USUAL_HEADS,
    folds: int = USUAL_FOLDS,
    image_size: int | None = None,
    depth: int | None = None,
    decode: str | None = None,
    class_weight: str | Path | Mapping[str, float] | None = None,
    balanced_batches: bool | str | None = None,
    select: str | None = None,
    augment: str | None = None,
    backbone: str | Sequence[str] = AUTO,
    preprocessing: str | None = None,
    weights: str | None = None,
    test_share: float = 0.0,
    group_by: str | None = None,
    table: TableSettings | None = None,
    out: str | Path | None = None,
    workers: int | str | None = None,
    progress: ShowProgress = True,
) -> Fitted:
    """Find the best classifier for these images within a budget, as `manyheads fit`.

    `data` may be all that `Study` takes. With `from_run`, the run folder of a finished fit or
    sweep, the fit begins from that run: its backbone, image size and division stay, and `.growth`
    of the result says what has changed and whether the new model is better on images that both
    held out; with `train_on_validation` a sweep's validation images are trained on too. `budget` is
    the time of the whole call, in seconds or such as "30m" (None: 10 minutes, or that of the fit in
    `from_run`); the model averages at most so many `heads`; images for training and validation are
    divided into `folds`. Test images are not used; of images without splits, `test_share` are kept
    for a test. `group_by` says which images belong together, as in `SplitSettings`. `table` says
    how data in a table are read. `backbone` may be a name, several to look
    among, or `"auto"`, those in the cache and a few that are fetched if they can be; one in a file
    needs its `preprocessing`; `depth` is of images with more than 8 bits a channel, and `decode` as
    in `Study` (None: "full"). `class_weight` is "balanced", weights by class or a file of them, and
    with `balanced_batches` each class has the same share of the batches, for all heads. `select`
    names the score that ranks what is tried by a rule of `Study`, such as "last_macro_f1" (None:
    "best_loss"). `augment` says how copies of training images differ: "none", "flip" (None),
    "light", "medium" or "strong". `workers` compute: a number of processes of this machine, "ray"
    or the address of a Ray cluster.
    `.classifier()` is the model, `.expected` what to expect of it on new images, `.tried` what else
    was tried, and `.remarks` what there was no time for. Called again, a finished fit is only read.
    """
    source, table = given_data(data, table)
    settings = FitSettings(
        data=lasting(source),
        backbone=backbone if isinstance(backbone, str) else tuple(backbone),
        preprocessing=preprocessing,
        weights=weights,
        budget=seconds_of(USUAL_BUDGET if budget is None else budget),
        heads=heads,
        folds=folds,
        size=image_size,
        depth=depth,
        decode=decode or ImageSettings.decode,
        class_weight=cast("str | None", class_weight),  # as it is kept, once it is checked
        balanced_batches=cast("str | None", balanced_batches),
        select=select,
        augment=augment,
        split=SplitSettings(test=test_share, group_by=group_by),
        table=table_as_it_shows(source, table),
    )
    if train_on_validation and from_run is None:
        raise SettingError(
            "`from_run`, with `train_on_validation`", "none", "name the run folder of a sweep"
        )
    with reported(progress) as job:
        if from_run is not None:
            asked = {
                "budget": budget, "class_weight": class_weight,
                "balanced_batches": balanced_batches, "select": select, "decode": decode,
            }  # fmt: skip
            planned = plan_growth(
                Path(from_run).expanduser(), settings, out,
                named=[name for name, value in asked.items() if value is not None],
                train_on_validation=train_on_validation, job=job,
            )  # fmt: skip
            return run_growth(planned, workers=workers, job=job)
        return run_fit(
            settings, fit_folder(source) if out is None else out, workers=workers, job=job
        )


def run_lesson(
    data: Data,
    *,
    learning_rate: Iterable[float] = LessonSettings.learning_rate,
    size_inner: Iterable[int] = LessonSettings.size_inner,
    droprate: Iterable[float] = LessonSettings.droprate,
    epochs: int = LessonSettings.epochs,
    droprate_epochs: int = LessonSettings.droprate_epochs,
    batch_size: int = 32,
    seeds: int = 10,
    select: str = StudySettings.select,
    engine: str = "auto",
    split: SplitSettings | None = None,
    table: TableSettings | None = None,
    backbone: str | Path = "xception",
    preprocessing: str | None = None,
    weights: str | Path | None = None,
    image_size: int = 150,
    interpolation: str = "nearest",
    resize: str | None = None,
    exif: bool = True,
    depth: int | None = None,
    decode: str = "full",
    runtime: str = "auto",
    device: str = "auto",
    precision: str = "f32",
    strict: bool = False,
    out: str | Path = "runs/lesson",
    progress: ShowProgress = True,
) -> list[OpenedStudy]:
    """Run the lesson in stages (learning rate, inner layer, droprate); return their studies.

    Each takes over the winner of the one before, chosen on validation images; the first two train
    for `epochs`. `lesson.csv` in `out` has all candidates, and `report.html` tells the stages as a
    story. The other parameters are `Study`'s.
    """
    source, table = given_data(data, table)
    lesson = LessonSettings(
        tuple(learning_rate), tuple(size_inner), tuple(droprate), epochs, droprate_epochs
    )
    base = StudySettings(
        data=lasting(source),
        grid=Grid((0.001,), (0,), (0.0,), batch_size=(batch_size,)),
        backbone=str(backbone),
        preprocessing=preprocessing,
        weights=None if weights is None else str(weights),
        image=registry.get(backbone, preprocessing).prepared(
            image_size, interpolation, resize, exif=exif, depth=depth, decode=decode
        ),
        split=split or SplitSettings(),
        table=table,
        seeds=seeds,
        select=select,
        engine=engine,
        runtime=runtime,
        device=device,
        precision=precision,
    )
    options = RunOptions(strict=strict)
    with reported(progress) as job:
        found = list(run_stages(base, lesson, out, options=options, job=job))
        finish_lesson(out, found, job)
    return [open_study(Path(out) / stage.name) for stage in found]


def write_report(
    run: str | Path,
    out: str | Path | None = None,
    *,
    figures: bool = False,
    baseline: int | None = None,
    margin_accuracy: float = 1.0,
    margin_log_loss: float = 0.02,
    data: str | Path | None = None,
) -> Path:
    """Write the report of the study in the run folder `run`, as `OpenedStudy.report` does.

    `data` is where the data set lies, if it was moved. In the folder of a lesson, those of its
    stages are written anew too; it has no `baseline`.
    """
    if is_lesson(run):
        margins = Margins.in_points(margin_accuracy, margin_log_loss)
        return write_whole_lesson(
            run, out, figures=figures, baseline=baseline, margins=margins, data=data
        )
    return open_study(run, data=data).report(
        out, figures=figures, baseline=baseline,
        margin_accuracy=margin_accuracy, margin_log_loss=margin_log_loss,
    )  # fmt: skip


def compare_runs(
    runs: Iterable[str | Path],
    *,
    all_candidates: bool = False,
    margin_accuracy: float = 1.0,
    margin_log_loss: float = 0.02,
) -> RunComparison:
    """Compare the selected candidates of finished studies, as `manyheads compare RUN RUN` does.

    They are compared on the images that all `runs` validated. `all_candidates` compares all of
    them, or the best of each run, 20 together. `.verdict` is None, and `.reason` says why, where
    the runs share too few images; `.runs` are the scores to expect of each. Raises `RunError` for
    runs on different classes.
    """
    margins = Margins.in_points(margin_accuracy, margin_log_loss)
    folders = [RunFolder(Path(each).expanduser()) for each in runs]
    return compare_folders(folders, every=all_candidates, margins=margins)


def compare_predictions(
    run: str | Path,
    predictions: str | Path,
    *,
    margin_accuracy: float = 1.0,
    margin_log_loss: float = 0.02,
) -> ComparedPredictions:
    """Compare predictions in a file with those of a study's model, as `compare RUN FILE.csv` does.

    `predictions` is a .csv with a column `image` and one for each class, as `predict` writes it, of
    all the validation images of the finished study in `run`; others are left out. Where an
    image may have several labels, there is a column for each. So a network that was fine-tuned
    elsewhere is judged image by image. Raises `RunError` for a study with folds, whose model has
    trained on every image, and `DataError` for a file that does not fit.
    """
    margins = Margins.in_points(margin_accuracy, margin_log_loss)
    folder = RunFolder(Path(run).expanduser())
    return compare_with_run(folder, Path(predictions).expanduser(), margins=margins)


def import_model(
    file: str | Path,
    out: str | Path,
    *,
    classes: Sequence[str] | str | Path,
    backbone: str | None = None,
    image_size: int | None = None,
    interpolation: str = "nearest",
    exif: bool = False,
    depth: int | None = None,
    preprocessing: str | None = None,
    check: Sequence[str | Path] = (),
) -> Imported:
    """Import a model saved by Keras 2 or 3, `file` (.keras or .h5), as the model `out` (.keras).

    `classes` are the names in the order of the outputs, or where they stand: the folder of class
    folders that it was trained on, or a text, CSV or JSON file. `backbone` and `image_size`
    (pixels) are taken from the file where it tells them. `interpolation`, `exif` and `depth` are
    how images were prepared; the defaults are those of the lesson's loader. `preprocessing` is what
    was done to pixels, where layers in the file do not do it. The model is compared with what Keras
    makes of the file, on the images `check` or on generated ones. Raises `ModelError` for a file
    that holds no frozen backbone with a head of one or two dense layers, `WeightsError` if its
    arrays are not this backbone's, `SettingError` for what does not fit the file.
    """
    names = read_names(classes) if isinstance(classes, str | Path) else classes
    return import_file(
        file, out, classes=names, backbone=backbone, image_size=image_size,
        interpolation=interpolation, exif=exif, depth=depth, preprocessing=preprocessing,
        check=[Path(each) for each in check],
    )  # fmt: skip
