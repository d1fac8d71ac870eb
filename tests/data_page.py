"""`python -m tests.data_page` writes docs/data.md from the rules that the code reads by.

A section is a heading and what makes its text; a new one is a line in `SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from manyheads.data import image_kinds, left_out, name_rules, split_names
from manyheads.data.left_out import Reason

PAGE = Path(__file__).parents[1] / "docs" / "data.md"

_HEAD = """\
# What manyheads reads, passes over, refuses, and says

<!-- Written by `python -m tests.data_page` from the rules in the code: change those, not this. -->

Nothing in your folders is ever changed. Whatever is not used is counted, in one line that every
command prints and that Python has as `Study.left_out` and `Dataset.left_out`:

```
Left out   12 of 3,421 files (0.4 %): 9 videos, 2 system files, 1 file that is no image (notes.txt)
```

Images that turn out to be damaged when they are read are told apart from that, with the reason.
"""


def page() -> str:
    """The page as it must stand in docs/."""
    parts = [_HEAD]
    parts += [f"## {heading}\n\n{text().strip()}\n" for heading, text in SECTIONS if text()]
    return "\n".join(parts)


def _folders() -> str:
    return """\
- A folder of **class folders** is a data set. Images lie in them at any depth.
- **Split folders** above the class folders are recognised by their names, see below.
- A folder that holds only one folder, and class folders in that: refused with "did you mean
  photos/animals?". A folder of one class gets the same hint. Inside a split, a folder such as
  `images`, or one of the split's own name, is looked into.
- **A test or validation folder without class folders**, also `test/unknown/` or `test/images/`:
  heads are trained on the rest, and the images without labels are left to `manyheads predict RUN
  DATA/test`.
- Split folders inside every class folder are refused: turn them round, or write a manifest.
- If all classes hold folders of the same names, every command says so, and `check` calls it a
  problem: the classes are probably one level below.
- **Links** to files and folders are followed. A folder is searched once, so loops end; an image
  that is reached twice in one class and split counts once. Links to folders above the data are
  not followed.
- **The names of classes**: composed and decomposed letters (`é`) are the same. White space at the
  ends of a name is no part of it. Names that differ only in case, white space, line ends or
  invisible signs are refused, both named.
- `predict`, `explain` and `import --check` search folders, and folders that a pattern matches, by
  the same rules. A file that you name is read, whatever its name.
"""


def _splits() -> str:
    rows = []
    for split, words in split_names.SPLIT_WORDS.items():
        other = ", ".join(f"`{word}`" for word in split_names.FOREIGN_WORDS[split])
        rows.append(f"| {split} | {_names(words)} | {other} |")
    return f"""\
Case, numbers, accents and signs do not matter, nor do words that say nothing of a split:
{_names(split_names.EMPTY_WORDS)}. So `Train_images-2` is training. What all names share does not
matter either: `seg_train` beside `seg_test`.

| split | names | of other languages |
| --- | --- | --- |
{chr(10).join(rows)}

- {_names(split_names.DOUBTFUL_WORDS)} may be validation or test: the one that is left where the
  other two are there, and refused otherwise.
- {_names(split_names.UNLABELLED_WORDS)} beside splits are images without labels.
- {_names(split_names.CORE)} are splits wherever they stand. One folder of another of these names
  among others (`valid` beside `invalid`, `Training` beside `Resting`) is a class, unless class
  folders lie in it.
- Split folders beside others that hold images are refused, with what to rename. A class that is
  really named `test` needs a manifest.
- In a manifest's column `split` the same names count, each by itself.
"""


def _passed_over() -> str:
    patterns = "\n".join(f"- {words}" for _, words in name_rules.SYSTEM_PATTERNS)
    return f"""\
**Folders of systems and tools** (case does not matter):
{_names(sorted(name_rules.SYSTEM_FOLDERS))}.

**Files of systems and tools**: {_names(sorted(name_rules.SYSTEM_FILES))}, and

{patterns}

**Hidden files and folders**: all other names that begin with a dot.

**What manyheads has written**: a folder with {_names(name_rules.OUTPUT_FILES)} in it (run folders,
fits, maps of `explain`), a folder `claims` with `shortcut.json`, and the cache. So commands may be
run inside the folder of the photographs, and repeated there. Given as data, such a folder is
refused.
"""


def _kinds() -> str:
    return f"""\
Files that end in {_names(name_rules.IMAGE_SUFFIXES)} are images. Of any other file the first bytes
decide, so a photograph is found whatever its name (`.jfif`, `.JPG_large`, `.webp.download`, none).

| kind | read |
| --- | --- |
{chr(10).join(f"| {kind} | yes |" for kind in image_kinds.PLAIN_KINDS)}
| AVIF | where Pillow has it; else `{image_kinds.NEEDED["AVIF"]}` |
| HEIC | with the extra: `{image_kinds.NEEDED["HEIC"]}` |
| RAW, SVG, PSD, JPEG XL, JPEG 2000 and others | no: left out, and counted by kind |

{_names(name_rules.RAW_SUFFIXES)} are RAW images of cameras, which show only a thumbnail to readers
of TIFF. {_names(name_rules.VIDEO_SUFFIXES)} are counted as videos.
"""


def _reasons() -> str:
    found = [each for each in vars(left_out).values() if isinstance(each, Reason)]
    rows = [
        f"| {each.many} | {'folders' if each.folder else 'files'} "
        f"| {'no' if each.harmless else 'yes'} |"
        for each in found
    ]
    return f"""\
| reason | counts | a problem for `check` |
| --- | --- | --- |
{chr(10).join(rows)}
| HEIC images, RAW images, … | files | yes |

A folder counts as one, whatever it holds; shares are of files.
"""


def _later() -> str:
    """For a section whose rules are still to come: it is left out of the page."""
    return ""


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in map(name_rules.printable, names))


SECTIONS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Folders", _folders),
    ("Names of splits", _splits),
    ("What is passed over by its name", _passed_over),
    ("Which files are images", _kinds),
    ("Why something is left out", _reasons),
    ("Tables", _later),
    ("Labels", _later),
    ("Images", _later),
    ("Divisions", _later),
)
"""The page's sections, in their order."""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
