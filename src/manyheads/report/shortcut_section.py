"""What the report says of a check for shortcuts, if there was one."""

from __future__ import annotations

from manyheads.evidence.shortcut_record import ShortcutFiles, ShortcutRecord, read_record
from manyheads.evidence.shortcut_words import points, sentences
from manyheads.evidence.shortcuts import MEASURES, Entry
from manyheads.report.content import Picture, Section, Table
from manyheads.study.folder import RunFolder

TITLES = {
    "clean_accuracy": "clean accuracy",
    "recall": "recall without the mark",
    "called": "others called the class with it",
}


def shortcut_section(folder: RunFolder) -> Section | None:
    """The verdict, the table and the picture of the check in a run folder; None if there is none.

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
    return Section(
        title=f"Does a {record.noun} make {record.target}?",
        paragraphs=sentences(record),
        tables=(shortcut_table(record),),
        figures=pictures,
    )


def shortcut_table(record: ShortcutRecord) -> Table:
    """A row for each arm and candidate: every measure in %, and its gap to the control."""
    columns = ["arm", "setting"]
    for measure in MEASURES:
        columns += [f"{TITLES[measure]}, %", "against the control, points"]
    columns.append("gap of the last")
    rows = []
    for arm in record.arms:
        for entries in zip(*(record.of(arm, measure) for measure in MEASURES), strict=True):
            cells = [arm, record.candidates[entries[0].candidate - 1]]
            for entry in entries:
                cells += [value_words(entry), gap_words(entry)]
            rows.append((*cells, change_words(entries[-1])))
    caption = (
        f"{record.noun} planted on {100 * record.share:g} % of the training images of "
        f"{record.target}: mean ± standard deviation over seeds; gaps with 95 % intervals. "
        f"The last column compares the gap with that of the marked arm, or in it with the first "
        f"setting's. " + "; ".join(f"{name}: {words}" for name, words in record.arms.items()) + "."
    )
    return Table(caption=caption, columns=tuple(columns), rows=tuple(rows), names=2)


def value_words(entry: Entry) -> str:
    """Such as `63.1 ± 2.4`, in %."""
    if entry.value is None:
        return "–"
    spread = "" if entry.deviation is None else f" ± {100 * entry.deviation:.1f}"
    return f"{100 * entry.value:.1f}{spread}"


def gap_words(entry: Entry) -> str:
    """Such as `52.1 [44.0, 60.2] worse`; empty for the control."""
    return "" if entry.gap is None else f"{points(entry.gap)} {entry.gap.outcome}"


def change_words(entry: Entry) -> str:
    """What became of the gap, such as `−40.2 [−45.1, −35.3] better`."""
    return "" if entry.change is None else f"{points(entry.change)} {entry.change.outcome}"
