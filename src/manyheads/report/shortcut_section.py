"""What the report says of a check for shortcuts, if there was one."""

from __future__ import annotations

from collections.abc import Iterator

from manyheads.core.text import counted
from manyheads.findings.shortcut_record import ShortcutFiles, ShortcutRecord, read_record
from manyheads.findings.shortcut_words import points, sentences
from manyheads.report.content import Picture, Section, Table
from manyheads.stats.shortcut_effects import Measurement
from manyheads.study.folder import RunFolder

COLUMNS = ("arm", "setting", "%", "less the control’s [95 %]", "it is", "the gap’s change", "it is")


def shortcut_section(folder: RunFolder) -> Section | None:
    """The verdict, the tables and the picture of the check in a run folder; None if there is none.

    Raises `RunError` for a record that cannot be read.
    """
    files = ShortcutFiles.of(folder.path)
    if not files.record.is_file():
        return None
    record = read_record(files.record)
    pictures = ()
    if files.picture.is_file():
        caption = f"{record.mark}, planted on {100 * record.share:g} % of {record.target}"
        data = files.picture.read_bytes()
        pictures = (Picture(data=data, media="image/png", alt=caption, caption=caption),)
    arms = "; ".join(f"{name}: {words}" for name, words in record.arms.items())
    return Section(
        title=f"Is a {record.noun} learnt instead of {record.target}?",
        paragraphs=(*sentences(record), *_other_images(folder, record), f"Arms: {arms}."),
        tables=tuple(shortcut_tables(record)),
        figures=pictures,
    )


def _other_images(folder: RunFolder, record: ShortcutRecord) -> Iterator[str]:
    """A sentence if the study in the folder was not made on the images of the check."""
    if not folder.settings.is_file():
        return
    study, asked = folder.document().get("resolved", {}).get("content"), record.about.get("content")
    if study and asked and study != asked:
        images = record.images
        yield (
            f"This check was not made on the study's images: its data set ({images.train:,} images "
            f"that train, {images.validation:,} that validate) was another or has changed; "
            "repeat `manyheads shortcut` with the same --out."
        )


def shortcut_tables(record: ShortcutRecord) -> Iterator[Table]:
    """A table for each measure: a row for each arm and setting, in % and points of 100.

    The gap's change is to that of the marked arm; in that arm, to that of the first setting.
    """
    images = record.images
    of_others = f"{counted(images.asked, 'image')} of other classes with the {record.noun}"
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
            columns=COLUMNS,
            rows=tuple(
                _row(record, entry) for arm in record.arms for entry in record.of(arm, measure)
            ),
            names=2,
        )


def _row(record: ShortcutRecord, entry: Measurement) -> tuple[str, ...]:
    value = "–"
    if entry.value is not None:
        spread = "" if entry.deviation is None else f" ± {100 * entry.deviation:.1f}"
        value = f"{100 * entry.value:.1f}{spread}"
    cells = [
        cell
        for each in (entry.gap, entry.change)
        for cell in (("", "") if each is None else (points(each), each.outcome))
    ]
    return entry.arm, record.candidates[entry.candidate - 1], value, *cells
