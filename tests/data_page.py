"""`python -m tests.data_page` writes docs/data.md from the rules that the code reads by.

A section is a heading and what makes its text; a new one is a line in `SECTIONS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from manyheads.cli.main import build_parser
from manyheads.data import (
    cell_paths,
    decoding,
    group_rules,
    image_kinds,
    image_memory,
    left_out,
    name_rules,
    remote_copies,
    remote_files,
    several_labels,
    split_names,
    table_files,
    trainable,
)
from manyheads.data.data_settings import FINER
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
- Class folders that are all of a split and a class (`trainA`, `trainB`, `testA`, `testB`) are
  classes, and said to be doubtful.
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
{_lines(rows)}

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
{_lines(rows)}
| HEIC images, RAW images, … | files | yes |

A folder counts as one, whatever it holds; shares are of files.
"""


def _tables() -> str:
    formats = [f"| `{suffix}` | {words} |" for suffix, words in table_files.TABLE_FORMATS.items()]
    encodings = [f"| {name} | {_flags(words)} |" for name, words in table_files.ENCODINGS.items()]
    places = [f"| `{text}` | {_flags(words)} |" for text, words in cell_paths.PATH_RULES.items()]
    suggested = [f"| {role} | {_names(names)} |" for role, names in table_files.SUGGESTED.items()]
    return f"""\
A table names one image in each row: the columns `path` and `label`, and if wanted `split` and
`group`.

| format | |
| --- | --- |
{_lines(formats)}

{_names(table_files.NEAR_FORMATS)} are refused, with the way to save them.

| encoding | |
| --- | --- |
{_lines(encodings)}

**Columns of other names**: `--path-column`, `--label-column`, `--split-column`, `--group-column`;
in Python `table=TableSettings(path_column="image", …)`. A name that differs in case only is taken.
These names are suggested, and never taken by themselves; `check` says which columns are not read
that may be splits or groups.

**Several labels per image** ([guide](guides/several-labels.md)): `--label-separator ';'` where a
cell holds all labels of an image, `--label-columns a b c` where each label has a column of 0 and 1.
Where no column is called label and one is called `labels`, the separator of its cells is seen, if
it is one of {_signs()} alone.

| column | suggested |
| --- | --- |
{_lines(suggested)}

**Paths** are taken so (`--images-in FOLDER` is itself relative to the table's folder):

| in the table | file |
| --- | --- |
{_lines(places)}

A file that is not there is an error that counts how many are not, and says under which option, or
where below the folder, it would be:

```console
$ manyheads check images.csv --path-column image
manyheads: … found no file '7ed92e7c-…', and so for 3,409 of 3,409 rows; did you mean
--images-in images --suffix .jpg?
$ manyheads check images.csv --path-column image --images-in images --suffix .jpg \\
    --group-column sender_id
images: 3,409 images, 10 classes, manifest
```

**Repeated rows.** A file that is listed again, by whatever spelling or link, counts once if its
label, split and group are the same, and is refused if not. Hard links and copies are files of their
own; `check` says which are identical.
"""


def _labels() -> str:
    return f"""\
**No label** in a table: an empty cell, no value in JSON, Parquet or a workbook, and the texts
{_names(table_files.MISSING)}. Such rows are left out and counted. `NA` and `none` are classes, and
`check` says so; `--missing-labels NA` makes the list another one. A folder's name is always a
class. A table of which no row has a label is refused. Rows of features that were computed elsewhere
cannot be left out, and are refused. The same texts mean no group, and no split; splits in some rows
only are refused. `HeadClassifier.fit` refuses samples without a class, and counts them.

**What spreadsheets change** is said: a date as label or path (`3-4` became one), a formula that was
never computed, numbers of more than 15 digits. Zeros that a cell shows are read, and whole numbers
are 1, not 1.0. Where labels are compared with a model's classes, or classes of one table with each
other, `001`, `1` and `1.0`, case and spaces are told.

**Order of classes.** Classes are numbered in the order of their names as text: 0, 1, 10, 11, 2, as
Keras's loaders do. Where all are whole numbers, the side file (`outputs`), `export`, `predict` and
the report say which output is which. [Why](decisions/0024-classes-are-sorted-as-text.md).
"""


def _images() -> str:
    return f"""\
- **What an image is made**: RGB, 8 bits, laid on white where it is transparent, turned as the
  camera recorded (`--no-exif`: not), squashed to the size. Of an animation the first frame is read.
- **Large images** are read. Decoding takes at most {image_memory.DEFAULT / 2**30:g} GiB, all
  threads together; `{image_memory.VARIABLE}=8G` sets another limit. A JPEG of more than
  {decoding.PLAIN_PIXELS:,} pixels is decoded at a half, a quarter or an eighth of its size. With
  `--decode scaled` smaller ones are too, as far as the shorter side keeps {FINER} times the pixels
  that it is resized to ([what that is for](guides/gpu.md#what-limits-the-rate)).
- **More than 8 bits a channel** are scaled from 16 to 8. Images that hold fewer in 16 (cameras and
  scanners with 12) are nearly black then: `check` says so, and every command that decodes them, and
  `--depth 12` scales them rightly. The depth is part of the study and of the model, so `predict`
  uses it too. 32-bit numbers outside 0 to 1 are refused without `--depth`.
- **A file that lacks only its end** is used where no pixel depends on what is missing, and `check`
  counts it. A truncated image is refused.
- PNGs with large texts or colour profiles are read.
- Unreadable files are named and left out; `--strict` makes them an error,
  `--max-unreadable 1%` a larger share of them.
- `predict`, `explain` and Python read files, bytes, open files, Pillow images and arrays in this
  one way.
"""


def _divisions() -> str:
    return f"""\
- **Given splits** are kept. If only validation is missing, it is carved from training.
- **Without splits** images are divided by class and group, by their content and `--split-seed`
  ([the law](decisions/0023-images-are-divided-by-class-and-group.md)): 60 % train, 20 % validate,
  20 % are kept for a test (`--validation-share`, `--test-share`). Identical images and images of
  one group stay together. One image more moves at most two others, of its own class; a group that
  grows may move more. `manyheads split DATA --out FILE.csv` writes a division down.
- **Groups** are patients, sessions, senders: images that must not train and validate at once. A
  table names them in its column `group` (`--group-column`). `--group-by` derives them, in Python
  `split=SplitSettings(group_by="parent")`, in a study.toml `group_by` under `[split]`:

| `--group-by` | the group of an image |
| --- | --- |
{_lines(f"| `{rule}` | {words} |" for rule, words in group_rules.GROUP_RULES.items())}

- An image that the rule says nothing of has no group, and is divided by its content. How many
  groups there are, how large the largest is and how many images have none is said. A rule that
  gives no image a group, all the same one, or each class its own, is refused.
- **Groups of very unequal size**: with `--group-by`, groups that have more than half of what the
  smallest split is due are dealt first, the largest first; then smaller ones even out the shares
  ([the law](decisions/0047-large-groups-are-dealt-first.md)). `split` says by how much groups keep
  a split from its share, and which classes are not tested.
- **Few images**: below {trainable.FEW_IMAGES} for training and validation, `--folds 5` is advised.
- **Rare classes** train, and every command says which are not validated. A class that validates and
  does not train is refused.
- Images that train and validate at once are counted before training, and by `check`.
"""


def _flags(words: str) -> str:
    """`words` with settings in backquotes as `manyheads check` writes them."""
    check = build_parser().commands["check"]
    return re.sub(r"`(\w+)`", lambda found: f"`{check.flag(found[1]) or found[1]}`", words)


def _addresses() -> str:
    identities = [f"| `{name}` | {words} |" for name, words in remote_files.IDENTITIES.items()]
    copies = f"{remote_copies.DEFAULT / 2**30:g} GiB"
    return f"""\
`pip install 'manyheads[remote]'`, and a folder, a table or an image may be at an address wherever
one is taken: `manyheads check s3://bucket/photos`, `manyheads predict RUN gs://bucket/new.csv`,
`Study("hf://datasets/ORG/NAME")`. `s3://`, `gs://`, `https://` and `hf://` come with the extra;
for others that [fsspec](https://filesystem-spec.readthedocs.io) knows, the error names the
package. A table here may name addresses too, and a table at an address names files beside it, or
addresses.

- **What it is, its last part says**: a table by the suffixes above, an image by its own, else a
  folder. In a folder, a file is an image by its suffix; none is opened to see. A web server's
  folder is the page of links that it makes of one.
- **Credentials** come from the environment or from a profile of the provider's own, as its tools
  take them; public data on S3 need `FSSPEC_S3_ANON=true`. An address that holds a password, a
  token or a signature is refused, and neither shown nor stored.
- **Each file is read once.** Its content is what its features are kept by, so all files are read
  when a data set is first opened, {remote_files.READERS} at a time, and copies are kept in the
  cache until the features are computed: {copies} of them, `{remote_copies.VARIABLE}=100G` for
  more, `0` for none. What does not fit is read a second time. `predict` reads what is at the
  address at that moment.
- **The next opening reads nothing again**: a folder is listed (on S3 a thousand files a request),
  and each file that a table names is asked about (one request). `check` reads all.

| address | a file is believed to be the one that was read by its |
| --- | --- |
{_lines(identities)}

A time counts if it is more than a minute old when it is asked for. Features are never kept under
a wrong name: whoever decodes an image compares its bytes with the digest first.

- **What may pass** (no answer, a broken one, fewer bytes than told, HTTP 408, 425, 429 and 5xx)
  is tried {remote_files.ATTEMPTS} times, after growing random pauses or the one that the server
  asks for. What does not is one line at once: no such bucket, nothing there, no access, no
  credentials. A web page in place of an image is named as such.
- **`--offline`**, or `MANYHEADS_OFFLINE=1`, makes no request. A data set that was opened before
  is taken as it was then, and commands that find its features in the cache work; all else at an
  address is refused.
- **`predict --out s3://bucket/answers.jsonl`** writes the rows to the cache and sends the whole
  file at the end, so there is never a part of one. After an interruption the same command goes
  on, on the same machine; once sent, it sends nothing again. A file that is there and was not
  sent from here is not written over. Studies and reports are written here only.
"""


def _signs() -> str:
    return ", ".join(f"`{sign}`" for sign in several_labels.SEPARATORS)


def _lines(rows: Iterable[str]) -> str:
    return "\n".join(row.replace("tabs or |", "tabs or \\|") for row in rows)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in map(name_rules.printable, names))


SECTIONS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Folders", _folders),
    ("Names of splits", _splits),
    ("What is passed over by its name", _passed_over),
    ("Which files are images", _kinds),
    ("Why something is left out", _reasons),
    ("Tables", _tables),
    ("Labels", _labels),
    ("Images", _images),
    ("Files at addresses", _addresses),
    ("Divisions", _divisions),
)
"""The page's sections, in their order."""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
