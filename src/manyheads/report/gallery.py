"""What a check found, to look at: one HTML file, small pictures in it and nothing elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from html import escape
from pathlib import Path

from manyheads.core.job import SILENT, Job
from manyheads.core.places import write_text
from manyheads.core.threads import map_in_threads
from manyheads.data.cell_paths import below
from manyheads.data.dataset import Dataset
from manyheads.data.remote_path import FilePath, RemotePath
from manyheads.errors import ImageError, RunError
from manyheads.findings.labels import SuspiciousLabel, SuspiciousLabels
from manyheads.findings.similar import SimilarImages, SimilarPair
from manyheads.report.thumbnails import natural_thumbnail
from manyheads.study.space import counted

MOST = 200  # pairs, and as many labels: a page of some megabytes
_SUFFIXES = (".html", ".htm")

# No script, no address: a browser that opens the file asks nobody for anything.
_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff; }}
h1, h2 {{ font-weight: 600; }}
main {{ display: flex; flex-wrap: wrap; gap: 1rem; }}
article {{ border: 1px solid #ccc; border-radius: 4px; padding: .6rem; }}
article > div {{ display: flex; gap: .6rem; }}
figure {{ margin: 0; width: 10.5rem; }}
figcaption, p {{ overflow-wrap: anywhere; margin: .3rem 0; }}
figcaption {{ font-size: .8rem; }}
strong {{ color: #a00; }}
img {{ display: block; max-width: 100%; }}
</style>
</head>
<body>
"""


def check_gallery_path(path: Path, dataset: Dataset) -> None:
    """Raise `RunError` unless `path` names an HTML file outside the data set's folder."""
    if path.suffix.lower() not in _SUFFIXES:
        raise RunError("a gallery whose name ends in .html", str(path), "give it such a name")
    if isinstance(dataset.folder, RemotePath):
        return
    folder = dataset.folder.resolve()
    if path.resolve().is_relative_to(folder):
        raise RunError(
            f"a gallery outside the data set's folder {folder}, where nothing is changed",
            str(path), "write it elsewhere",
        )  # fmt: skip


def write_gallery(
    path: Path,
    dataset: Dataset,
    similar: SimilarImages | None,
    labels: SuspiciousLabels | None,
    *,
    exif: bool = True,
    depth: int | None = None,
    job: Job = SILENT,
) -> None:
    """Write what was found to `path`, whole or not at all: at most `MOST` pairs and labels.

    Raises `RunError` for a path that does not do, `DiskError` if it cannot be written, and
    `Interrupted` when `job` is stopped.
    """
    check_gallery_path(path, dataset)
    pairs = similar.pairs[:MOST] if similar else ()
    doubtful = labels.suspicious[:MOST] if labels else ()
    names = [name for pair in pairs for name in pair.names] + [each.name for each in doubtful]
    pictures = _pictures(dataset, names, exif, depth, job)
    title = f"manyheads check: {_text(dataset.name)}"
    parts = [_HEAD.format(title=title), f"<h1>{title}</h1>"]
    if similar is not None:
        parts += _section(
            "Nearly identical images", _shown(len(pairs), similar.found, "pair"),
            (_pair(pair, pictures) for pair in pairs),
        )  # fmt: skip
    if labels is not None:
        parts += _section(
            "Suspicious labels", _shown(len(doubtful), len(labels.suspicious), "label"),
            (_label(each, pictures) for each in doubtful),
        )  # fmt: skip
    write_text(path, "\n".join([*parts, "</body>", "</html>", ""]))


def _section(heading: str, words: str, articles: Iterable[str]) -> Iterator[str]:
    yield from (f"<h2>{heading}</h2>", f"<p>{words}</p>", "<main>", *articles, "</main>")


def _shown(count: int, found: int, noun: str) -> str:
    if not found:
        return "None were found."
    if count < found:
        return f"The first {count:,} of {counted(found, noun)}, those that matter most."
    return f"{counted(found, noun)}, those that matter most first."


def _pair(pair: SimilarPair, pictures: dict[str, str]) -> str:
    remarks = [f"similarity {pair.similarity:.3f}"]
    remarks += ["<strong>across splits</strong>"] if pair.across_splits else []
    remarks += ["<strong>different labels</strong>"] if pair.differs_in_label else []
    figures = [
        _figure(name, f"{split}, {_text(label)}", pictures)
        for name, split, label in zip(pair.names, pair.splits, pair.labels, strict=True)
    ]
    return f"<article><div>{''.join(figures)}</div><p>{'; '.join(remarks)}</p></article>"


def _label(found: SuspiciousLabel, pictures: dict[str, str]) -> str:
    words = (
        f"labelled <strong>{_text(found.label)}</strong> ({100 * found.given:.1f} %), looks like "
        f"<strong>{_text(found.suggested)}</strong> ({100 * found.confidence:.0f} %)"
    )
    return (
        f"<article><div>{_figure(found.name, found.split, pictures)}</div><p>{words}</p></article>"
    )


def _figure(name: str, caption: str, pictures: dict[str, str]) -> str:
    text = _text(name)
    return f"<figure>{pictures[name]}<figcaption>{text}<br>{caption}</figcaption></figure>"


def _text(words: str) -> str:
    """`words` so that HTML shows them as they are; bytes of a name that are no text as \\x.."""
    return escape(words.encode("utf-8", "backslashreplace").decode("utf-8"))


def _pictures(
    dataset: Dataset,
    names: Sequence[str],
    exif: bool,
    depth: int | None,
    job: Job,
) -> dict[str, str]:
    different = list(dict.fromkeys(names))
    draw = partial(_picture, dataset.folder, exif, depth)
    drawn = map_in_threads(draw, different, what="drawing the gallery", job=job)
    return dict(zip(different, drawn, strict=True))


def _picture(folder: FilePath, exif: bool, depth: int | None, name: str) -> str:
    try:
        picture = natural_thumbnail(below(folder, name), exif=exif, depth=depth)
    except ImageError:
        return "<p>cannot be read any more</p>"
    data = base64.b64encode(picture).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{data}">'
