"""The report's section on a check for shortcuts, if there was one."""

from __future__ import annotations

from collections.abc import Iterator

from manyheads.core.table import Table, names, numbers, words
from manyheads.core.text import NOTHING, counted, mean_std
from manyheads.findings.shortcut_record import ShortcutFiles, ShortcutRecord, read_shortcut
from manyheads.findings.shortcut_words import sentences
from manyheads.findings.wording import difference_words
from manyheads.report.content import Picture, Section
from manyheads.stats.shortcut_effects import Measurement
from manyheads.study.folder import RunFolder


def shortcut_section(folder: RunFolder) -> Section | None:
    """The verdict, the tables and the picture of the check in a run folder; None if there is none.

    Raises `RunError` for a record that cannot be read.
    """
    files = ShortcutFiles.of(folder.path)
    record = read_shortcut(files.record)
    if record is None:
        return None
    pictures = ()
    if files.picture.is_file():
        caption = f"{record.mark}, planted on {100 * record.share:g} % of {record.target}"
        data = files.picture.read_bytes()
        pictures = (Picture(data=data, media="image/png", alt=caption, caption=caption),)
    named = "; ".join(f"{name}: {words}" for name, words in record.conditions.items())
    return Section(
        title=f"Is a {record.noun} learnt instead of {record.target}?",
        paragraphs=(*sentences(record), *_other_images(folder, record), f"Conditions: {named}."),
        tables=tuple(shortcut_tables(record)),
        figures=pictures,
    )


def _other_images(folder: RunFolder, record: ShortcutRecord) -> Iterator[str]:
    """A sentence if the study in the folder was not made on the images of the check."""
    if not folder.settings.is_file():
        return
    study, own = folder.document().get("resolved", {}).get("content"), record.about.get("content")
    if study and own and study != own:
        images = record.images
        yield (
            f"This check was not made on the study's images: its data set ({images.train:,} "
            f"training and {images.validation:,} validation images) was another or has changed; "
            "repeat the check for shortcuts in this folder."
        )


def shortcut_tables(record: ShortcutRecord) -> Iterator[Table]:
    """A table for each measure: a row for each condition and setting, in % and points.

    The gap is the difference from the control; its change is to the marked condition's gap, and in
    that condition to the first setting's.
    """
    images = record.images
    of_others = f"{counted(images.with_mark, 'image')} of other classes with the {record.noun}"
    titles = {
        "called": f"{of_others} called {record.target}",
        "recall": f"{counted(images.of_class, 'image')} of {record.target} without the "
        f"{record.noun} recognised",
        "clean_accuracy": f"{counted(images.validation, 'image')} without the {record.noun} "
        "recognised",
    }
    for measure, title in titles.items():
        yield Table(
            caption=title,
            columns=[
                *names("condition", "setting"), *numbers("%", "gap to control [95 %]"),
                *words("verdict"), *numbers("change of gap"), *words("verdict"),
            ],
            rows=[_row(record, e) for name in record.conditions for e in record.of(name, measure)],
            grouped=True,
        )  # fmt: skip


def _row(record: ShortcutRecord, entry: Measurement) -> tuple[str, ...]:
    value = NOTHING
    if entry.value is not None:
        deviation = None if entry.deviation is None else 100 * entry.deviation
        value = mean_std(100 * entry.value, deviation, 1)
    cells = [
        cell
        for each in (entry.gap, entry.change)
        for cell in (
            ("", "")
            if each is None
            else (difference_words("accuracy", each.estimate, unit=False), each.outcome)
        )
    ]
    return entry.condition, record.candidates[entry.candidate - 1], value, *cells
