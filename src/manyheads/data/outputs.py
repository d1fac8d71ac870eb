"""Mark a folder of pictures as what manyheads wrote, so that no search takes them for data."""

from __future__ import annotations

import re
from pathlib import Path

from manyheads.core.places import disk_errors, make_folder, write_text
from manyheads.data.name_rules import OUTPUT_FILES, OUTPUT_MARK
from manyheads.errors import RunError

_WORDS = "Written by manyheads, which passes over this folder when it looks for images.\n"
_OURS = re.compile(r".+_(?:occlusion|cam)\.png|contact-sheet(?:-\d+)?\.png")


def check_output(folder: Path) -> None:
    """Raise `RunError` unless pictures may be written to `folder`: it is new, empty or an output.

    Of an output without a mark, as earlier versions wrote them, all files have such names.
    """
    if folder.is_file():
        raise RunError(f"a folder at {folder}", "a file", "choose another `out`")
    with disk_errors(folder):
        names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set[str]()
    if names & set(OUTPUT_FILES):
        return
    strangers = sorted(n for n in names if not n.startswith(".") and not _OURS.fullmatch(n))
    if strangers:
        raise RunError(
            f"an empty folder or one that this command has written at {folder}",
            f"other files ({strangers[0]})", "choose another `out`",
        )  # fmt: skip


def mark_output(folder: Path) -> None:
    """Make `folder` and mark it; raises what `check_output` raises, and `DiskError`."""
    check_output(folder)
    make_folder(folder)
    if not any((folder / name).exists() for name in OUTPUT_FILES):
        write_text(folder / OUTPUT_MARK, _WORDS)
