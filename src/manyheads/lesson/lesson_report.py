"""The report of a lesson: its stages as one story, and what became of the lesson's claims."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from manyheads.core.destinations import file_for
from manyheads.core.job import SILENT, Job
from manyheads.core.places import is_writable
from manyheads.core.table import Table, names, numbers, words
from manyheads.core.text import capital, counted, decimal, joined, option
from manyheads.errors import RunError, SettingError
from manyheads.findings.claim_record import read_ensemble, read_longer
from manyheads.findings.scores_by_setting import scores_by_setting
from manyheads.findings.settling import settling_study
from manyheads.findings.shortcut_record import ShortcutFiles, read_shortcut
from manyheads.findings.shortcut_words import sentences as shortcut_sentences
from manyheads.findings.study_findings import Findings, read_findings
from manyheads.findings.wording import METRIC_WORDS
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.lesson.stages import STAGES, Stage, winner_of, write_stages
from manyheads.report.compared import expected
from manyheads.report.content import Section
from manyheads.report.facts import study_facts
from manyheads.report.from_study import command_of
from manyheads.report.plots import curve_panels
from manyheads.report.sections import claim_sections
from manyheads.report.setting_plots import plot_words, setting_plots
from manyheads.report.story_page import Story, write_story
from manyheads.report.study_curves import ranked_candidates
from manyheads.report.study_scores import candidate_scores
from manyheads.report.written_report import write_or_note, written_report
from manyheads.stats.comparisons import Margins
from manyheads.study.folder import RunFolder
from manyheads.study.space import setting_words
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings

_MARGINS = Margins()
_TITLES = ("Stage 1: learning rate", "Stage 2: inner layer", "Stage 3: dropout rate")
_VARIED = ("learning_rate", "size_inner", "droprate")
_CURVES = ("val_loss", "loss")  # which show what dropout does
_DRAWN = 20  # candidates in the curves


def finish_lesson(out: str | Path, stages: Sequence[Stage], job: Job) -> None:
    """Write `lesson.csv`, and the report of a lesson that trained something or has none.

    What keeps the report from being written is a note.
    """
    write_stages(out, stages)
    if any(stage.finished.findings is None for stage in stages):
        return
    trained = any(stage.finished.trained for stage in stages)
    if trained or not lesson_report_file(out).exists():
        write_or_note(lambda: write_lesson_report(out), job)


def is_lesson(folder: str | Path) -> bool:
    """Whether `folder` is that of a lesson: it holds stages, and no study itself."""
    path = Path(folder).expanduser()
    begun = any(RunFolder(path / name).settings.is_file() for name in STAGES)
    return begun and not RunFolder(path).settings.is_file()


def lesson_report_file(folder: str | Path) -> Path:
    """Where the report of the lesson in `folder` is."""
    return Path(folder).expanduser() / "report.html"


def write_lesson_report(
    folder: str | Path, out: str | Path | None = None, *, margins: Margins = _MARGINS
) -> Path:
    """Write the report of the finished lesson in `folder`, and return its file.

    That is `out`, or `report.html` in the folder, or, where that is read-only, `NAME-report.html`
    in the working folder. Raises `RunError` for a lesson that is not
    finished, `SettingError` for a name that does not end as a page's, and `DiskError`.
    """
    path = Path(folder).expanduser()
    target = _target(path, out)
    write_story(target, lesson_story(path, target.parent, margins))
    return target


def write_whole_lesson(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    figures: bool,
    baseline: object,
    margins: Margins,
    data: str | Path | None = None,
    job: Job = SILENT,
) -> Path:
    """Write the reports of a lesson's stages, as `written_report` does, then that of the lesson.

    Returns the file of the last one. Raises what both raise, and `SettingError` for a `baseline`,
    which is a candidate of one study.
    """
    if baseline is not None:
        raise SettingError(
            "a lesson without a baseline, which is one study's", f"baseline {baseline}",
            f"leave it out, or write the report of a stage, such as {Path(folder) / STAGES[-1]}",
        )  # fmt: skip
    path = Path(folder).expanduser()
    target, stages = _target(path, out), [RunFolder(path / name) for name in STAGES]
    for stage in stages:
        _require_stage(path, stage)
    for stage in stages:
        if not stage.is_read_only:
            written_report(
                stage, figures=figures, baseline=None, margins=margins, data=data, job=job
            )
    return write_lesson_report(path, target, margins=margins)


def _target(folder: Path, out: str | Path | None) -> Path:
    target = lesson_report_file(folder) if out is None else Path(out).expanduser()
    if out is None and not is_writable(folder):
        target = Path(f"{folder.absolute().name}-report.html")
    return file_for(target, suffixes=(".html", ".htm"))


def lesson_story(folder: Path, page: Path, margins: Margins = _MARGINS) -> Story:
    """What the report says of the lesson in `folder`, with links that are followed from `page`."""
    studies = [_finished(folder, name, margins) for name in STAGES]
    winners = [_winner(study, name) for study, name in zip(studies, STAGES, strict=True)]
    last = studies[-1]
    found = last.recommendation
    chosen = [setting_words(winners[-1], (name,)) for name in _VARIED[:-1]]
    scores = candidate_scores(last, last.result.ranking[0].candidate)
    stages = zip(_TITLES, studies, winners, STAGES, strict=True)
    return Story(
        title=f"The lesson on {Path(last.settings.data).name}",
        kind="manyheads lesson",
        run=str(folder),
        answer=(
            _plain(found.use),
            f"With {joined(chosen)}, the winners of the stages before.",
            _plain(found.sure),
        ),
        facts=tuple(study_facts(last, scores, expected(last), before=studies[:-1])),
        overview=_overview(studies, winners),
        chapters=(
            *(_chapter(*stage, folder=folder, page=page) for stage in stages),
            _claims(last),
            *claim_sections(last.folder),
        ),
        repeat=tuple(
            (title, command_of(study.settings, str(folder / name)))
            for title, study, name in zip(_TITLES, studies, STAGES, strict=True)
        ),
        settling=settling_study(last),
    )


def _finished(folder: Path, name: str, margins: Margins) -> Findings:
    stage = RunFolder(folder / name)
    _require_stage(folder, stage)
    return read_findings(stage, margins=margins)


def _require_stage(folder: Path, stage: RunFolder) -> None:
    if not stage.settings.is_file():
        raise RunError(
            f"a finished lesson in {folder}", f"no stage {stage.path.name}",
            "repeat its command to finish it; what was done is kept",
        )  # fmt: skip


def _winner(study: Findings, stage: str) -> Hyperparameters:
    winner = winner_of(stage, study.result)
    if winner is None:
        raise RunError(
            "a head with an inner layer that trained", f"none in {study.folder.path}",
            "begin the lesson again with a lower `learning_rate`, with another `out`",
        )  # fmt: skip
    return winner


def _plain(text: str) -> str:
    return text.replace("`", "")


def _overview(studies: Sequence[Findings], winners: Sequence[Hyperparameters]) -> Table:
    """A row for each stage: what was tried, what came of it, and how sure that is."""
    metric = studies[0].recommendation.best.metric
    rows = []
    for title, name, study, winner in zip(_TITLES, _VARIED, studies, winners, strict=True):
        found, grid = study.recommendation, study.settings.grid
        best = grid[found.best.candidate - 1]
        tried, first, carried = (
            ", ".join(setting_words(each, (name,)).partition(" ")[2] for each in settings)
            for settings in (grid, [best], [winner])
        )
        score = decimal(found.best.score)
        rows.append((title, f"{name} {tried}", first, score, found.confidence, carried))
    return Table(
        caption="The stages: each takes over the winner of the one before",
        columns=[
            *names("stage"), *words("tried", "best"),
            *numbers(f"validation {METRIC_WORDS[metric]}"), *words("how sure", "carried over"),
        ],
        rows=rows,
    )  # fmt: skip


def _chapter(
    title: str,
    study: Findings,
    winner: Hyperparameters,
    name: str,
    *,
    folder: Path,
    page: Path,
) -> Section:
    """A stage: what varied, what that showed, what was carried over."""
    found, by_setting = study.recommendation, scores_by_setting(study)
    plots = setting_plots(by_setting) if by_setting else []
    if name == STAGES[-1]:
        with Store(study.folder.store) as store:
            candidates = list(ranked_candidates(store, study.result, _DRAWN))
        panels = curve_panels(candidates)
        plots += [panels[metric] for metric in _CURVES if metric in panels]
    address = os.path.relpath(folder / name / "report.html", page).replace(os.sep, "/")
    return Section(
        title=title,
        paragraphs=(
            _what_varied(study, name),
            *map(_plain, found.sentences),
            *map(_plain, study.training_notes),
            _carried(study, winner, name),
        ),
        figures=tuple(plots),
        caption=plot_words(by_setting, plots) if by_setting else "",
        links=((f"The whole report of stage {name}", quote(address)),),
    )


def _what_varied(study: Findings, name: str) -> str:
    settings, place = study.settings, STAGES.index(name)
    fixed = f" with {setting_words(settings.grid[0], _VARIED[:place])}" if place else ""
    of = "a head without an inner layer" if name == STAGES[0] else "a head"
    epochs, seeds = counted(settings.epochs, "epoch"), counted(settings.seeds, "seed")
    return (
        f"{capital(of)}{fixed} trained for {epochs} with {counted(len(settings.grid), 'value')} "
        f"of {_VARIED[place]}, {seeds} each."
    )


def _carried(study: Findings, winner: Hyperparameters, name: str) -> str:
    words = setting_words(winner, study.settings.grid.varying or _VARIED)
    if name == STAGES[-1]:
        return f"The lesson's answer: {words}."
    best = study.result.hyperparameters(study.result.ranking[0].candidate)
    why = "" if best == winner else ", the best with an inner layer: dropout needs units to hide"
    return f"Carried over: {words}{why}."


def _claims(study: Findings) -> Section:
    """What the lesson claims of dropout, with the evidence or the command that gives it."""
    rows, commands = [], []
    for claim, evidence, command in _tested(study):
        rows.append((claim, evidence or ("not tested yet" if command else "cannot be tested here")))
        commands += [] if evidence or not command else [command]
    paragraphs = ["What the lesson says of dropout, and what these images show."]
    if commands:
        commands.append(shlex.join(["manyheads", "report", str(study.folder.path.parent)]))
        paragraphs.append(
            "Commands below test what is not tested yet; the last one makes this report anew, with "
            "the evidence."
        )
    return Section(
        title="The lesson's claims",
        paragraphs=tuple(paragraphs),
        tables=(
            Table(
                caption="Claims, and their evidence on the validation images",
                columns=[*names("claim"), *words("evidence")],
                rows=rows,
            ),
        ),
        commands=tuple(commands),
    )


def _tested(study: Findings) -> Iterator[tuple[str, str, str]]:
    """A claim, the headline of its evidence, and the command that tests it; each may be empty."""
    folder, run = study.folder, str(study.folder.path)
    gap = " ".join(filter(None, [study.recommendation.training, *_ends(study)]))
    yield "Dropout keeps a head from overfitting", _plain(gap), ""
    ensemble, longer = read_ensemble(folder), read_longer(folder)
    ranking = [entry.candidate for entry in study.result.ranking]
    hiding = [each for each in ranking if study.result.hyperparameters(each).droprate]
    command = ["manyheads", "claims", run, *option("ensemble")]
    if hiding and hiding[0] != ranking[0]:
        command += option("candidate", hiding[0])
    yield (
        "Dropout works as an ensemble of networks",
        " ".join(ensemble.sentences[:3]) if ensemble else "",
        shlex.join(command) if hiding else "",
    )
    goes_on = all(each.learning_rate_schedule == "constant" for each in study.settings.grid)
    yield (
        "Dropout must train longer",
        " ".join(longer.sentences[:2]) if longer else "",
        shlex.join(["manyheads", "claims", run, *option("longer")]) if goes_on else "",
    )
    record = read_shortcut(ShortcutFiles.of(folder.path).record)
    yield (
        "Hiding parts of images keeps a network from learning a logo instead of the class",
        " ".join(shortcut_sentences(record)[:1]) if record else "",
        _shortcut_command(study, run),
    )


def _ends(study: Findings) -> Iterator[str]:
    """What the verdict says of the end of training."""
    return (each for each in study.verdict.sentences if each.startswith("Final"))


def _shortcut_command(study: Findings, run: str) -> str:
    """The check for shortcuts on the class with the most validation images, prepared alike."""
    settings, validated = study.settings, study.validated
    counts = [int((validated.labels == place).sum()) for place in range(len(validated.classes))]
    most = validated.classes[counts.index(max(counts))]
    words = ["manyheads", "shortcut", settings.data, *option("class", most)]
    words += option("image_size", settings.image.size)
    words += option("interpolation", settings.image.interpolation)
    if settings.image.resize is not None:
        words += option("resize", settings.image.resize)
    for name in ("backbone", "preprocessing", "weights"):
        value = getattr(settings, name)
        words += [] if value == getattr(StudySettings, name) else option(name, value)
    words += settings.split.group_arguments + settings.table.arguments
    return shlex.join([*words, *option("out", run)])
