"""Rules about names, the same for every command that looks for images: what is passed over.

Systems, network drives, phones and tools leave files and folders among photographs, and manyheads
leaves its own outputs. None of them is data.
"""

from __future__ import annotations

import re
import unicodedata

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
"""Names that end so are images at once; any other file is one if its first bytes say so."""

RAW_SUFFIXES = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos",
    ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw",
    ".x3f",
)  # fmt: skip
"""Names of cameras' raw images, which begin like a TIFF and show a thumbnail to its readers."""

VIDEO_SUFFIXES = (
    ".3gp", ".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm",
    ".wmv",
)  # fmt: skip

SYSTEM_FOLDERS = frozenset((
    "__macosx", ".appledouble", ".documentrevisions-v100", ".fseventsd", ".spotlight-v100",
    ".temporaryitems", ".trashes", "network trash folder", "temporary items",
    "@eadir", "@synoresource", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot",
    ".@__thumb", "$recycle.bin", "$winreagent", "system volume information", "lost+found",
    ".trash", ".thumbnails", ".picasaoriginals", ".ipynb_checkpoints", "__pycache__",
    "node_modules", ".git", ".svn", ".hg", ".dvc", ".cache", ".dropbox.cache", ".sync",
    ".stversions", "_vti_cnf",
))  # fmt: skip
"""Folders of systems and tools, in small letters; the case of a name does not matter."""

SYSTEM_FILES = frozenset((
    ".ds_store", ".localized", "icon\r", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db",
    "desktop.ini", ".directory", ".nomedia", ".picasa.ini", "picasa.ini", "zbthumbnail.info",
    ".gitignore", ".gitattributes", ".gitkeep", ".keep", ".dvcignore", ".dropbox",
))  # fmt: skip
"""Files of systems and tools, in small letters; the case of a name does not matter."""

SYSTEM_PATTERNS = (
    (re.compile(r"\._.+", re.S), "`._name`, what a Mac leaves beside `name`"),
    (re.compile(r".+:zone\.identifier", re.S), "`name:Zone.Identifier`, a mark of Windows"),
    (re.compile(r".+@syno[a-z]+", re.S), "`name@SynoEAStream` and its kin, of a network drive"),
    (re.compile(r"\.trash-\d+"), "`.Trash-1000` and its kin"),
    (re.compile(r"found\.\d{3}"), "`found.000` and its kin, of a disk check"),
)
"""Names of systems that vary, in small letters, with words for each."""

OUTPUT_MARK = ".manyheads"
"""A folder with this file in it was written by manyheads and is no data."""

OUTPUT_FILES = ("study.toml", "fit.json", OUTPUT_MARK)
"""A folder with one of these in it is an output of manyheads."""

CATALOG_MARK = ".complete"
"""What the catalog leaves in a data set that it made whole; nobody need hear of it."""

NEUTRAL_FOLDERS = frozenset((
    "image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pics", "data",
    "dataset", "files", "all", "all_classes", "unknown", "unlabeled", "unlabelled", "no_label",
    "nolabel", "none", "jpg", "jpeg", "png",
))  # fmt: skip
"""Folders whose names say nothing of a class, where a split has no class folders."""


_INVISIBLE = ("Cc", "Cf")  # control characters, and marks of format such as a zero-width space


def is_system(name: str, *, folder: bool) -> bool:
    """Whether `name` is that of a system's or a tool's own file or folder."""
    small = name.lower()
    if small in (SYSTEM_FOLDERS if folder else SYSTEM_FILES):
        return True
    return any(pattern.fullmatch(small) for pattern, _ in SYSTEM_PATTERNS)


def is_hidden(name: str) -> bool:
    """Whether systems hide what has this name."""
    return name.startswith(".")


def class_name(folder: str) -> str:
    """The class that a folder's name means: composed (Unicode NFC), no white space at its ends."""
    return unicodedata.normalize("NFC", folder).strip()


def likeness(name: str) -> str:
    """Equal for names that differ only in case, white space, line ends or invisible signs."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return "".join(c for c in text if not c.isspace() and unicodedata.category(c) not in _INVISIBLE)


def printable(text: str) -> str:
    """`text` on one line that every encoding of Unicode can hold: what is no sign as an escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
