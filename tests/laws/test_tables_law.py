"""Whatever a table holds: no traceback, nothing silently wrong, and what is left out is counted."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from manyheads.data.data_settings import TableSettings
from manyheads.data.listing import Listing
from manyheads.data.manifest import read_manifest
from manyheads.data.table_files import MISSING
from manyheads.errors import DataError

FILES = ("a.png", "b.png", "c d.png", "deep/e.png", "caf\u00e9.png")
NAMES = {"path": ("path", "Path", "image"), "label": ("label", "LABEL", "class")}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tables")
    for name in FILES:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def spelled(name: str) -> st.SearchStrategy[str]:
    """Ways to write the path of one file."""
    return st.sampled_from(
        [
            name, f" {name}", f"./{name}", name.replace("/", "\\"), f"deep/../{name}",
            unicodedata.normalize("NFD", name),
        ]
    )  # fmt: skip


CELLS = st.fixed_dictionaries(
    {
        "path": st.one_of(
            st.sampled_from(FILES).flatmap(spelled),
            st.sampled_from(
                ["absent.png", "", "deep", "C:\\x.png", "https://a.org/b.png", "\0", "\ud800"]
            ),
        ),
        "label": st.sampled_from(
            ["cat", "cat", "dog", "dog ", " 1", "01", "1.0", "NA", *MISSING, "", "Ä", "\ud800"]
        ),
        "split": st.sampled_from(["", "", "", "train", "val", "TEST", "nan", "trian"]),
        "group": st.sampled_from(["", "g", "h ", "nan"]),
    }
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The names of the columns, in their order, and the rows."""
    names = {role: draw(st.sampled_from(names)) for role, names in NAMES.items()}
    names |= {role: role for role in ("split", "group") if draw(st.booleans())}
    order = draw(st.permutations(list(names)))
    rows = draw(st.lists(CELLS, max_size=8))
    if draw(st.booleans()):  # else hardly a table would be sound
        for row in rows:
            row["split"] = ""
            row["path"] = draw(st.sampled_from(FILES).flatmap(spelled))
    return {role: names[role] for role in order}, rows


def written(folder: Path, names: dict[str, str], rows: list[dict[str, str]], form: Any) -> Path:
    suffix, separator, encoding = form
    path = folder / f"t{suffix}"
    if suffix == ".jsonl":
        lines = [json.dumps({names[role]: row[role] for role in names}) for row in rows]
        path.write_text("\n".join(lines), encoding="utf-8")
        return path
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(names.values())
    writer.writerows([row[role] for role in names] for row in rows)
    path.write_bytes(text.getvalue().encode(encoding, "replace"))
    return path


FORMS = st.one_of(
    st.just((".jsonl", "", "")),
    st.tuples(
        st.sampled_from([".csv", ".tsv"]), st.sampled_from(",;\t|"), st.sampled_from(ENCODINGS)
    ),
)


def file_of(folder: Path, cell: str) -> str | None:
    """The file, or the address, that a cell means, by a slower way than the one under test."""
    if cell.strip().startswith("https://"):
        return cell.strip()
    plain = unicodedata.normalize("NFC", cell.strip().replace("\\", "/"))
    files = {(folder / name).resolve() for name in FILES}
    found = (folder / plain).resolve() if "\0" not in plain else None
    return str(found) if found in files else None


def listed(path: Path, table: TableSettings) -> Listing | DataError:
    """What a table says, or why it is refused."""
    try:
        return read_manifest(path, table)
    except DataError as error:
        return error


@pytest.mark.when_changed("data")
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=tables(), form=FORMS)
def test_every_row_is_an_image_or_left_out_or_the_table_is_refused(
    folder: Path, table: tuple[dict[str, str], list[dict[str, str]]], form: Any
) -> None:
    names, rows = table
    if form[0] != ".jsonl":  # which alone can hold half a letter
        rows = [{role: cell.replace("\ud800", "?") for role, cell in row.items()} for row in rows]
    path = written(folder, names, rows, form)
    options = TableSettings(
        path_column="image" if names["path"] == "image" else None,
        label_column="class" if names["label"] == "class" else None,
    )
    listing = listed(path, options)
    if isinstance(listing, DataError):
        event("refused")
        assert "\n" not in str(listing)
        assert listing.remedy
        return
    event("read")
    filled = [row for row in rows if any(row[role].strip() for role in names)]
    if form[0] == ".jsonl":
        filled = rows
    assert len(listing.paths) + len(listing.ignored) == len(filled)
    meant: dict[str, tuple[str, str, str]] = {}
    for row in filled:
        if row["label"].strip() not in ("", *MISSING):
            place = file_of(folder, row["path"])
            assert place is not None, row
            split = row["split"].strip().lower() if "split" in names else ""
            split = {"val": "validation", "nan": ""}.get(split, split)
            group = row["group"].strip() if "group" in names else ""
            said = (row["label"].strip(), split, "" if group == "nan" else group)
            assert meant.setdefault(place, said) == said
    splits = listing.splits or [""] * len(listing.paths)
    groups = listing.groups or [""] * len(listing.paths)
    places = [t if "://" in t else str(Path(t).resolve()) for t in listing.paths.texts()]
    found = zip(places, zip(listing.labels, splits, groups, strict=True), strict=True)
    assert dict(found) == meant


@pytest.mark.when_changed("data")
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".xlsx"]))
def test_any_bytes_behind_a_sound_first_row_are_read_or_refused_in_one_line(
    folder: Path, data: bytes, suffix: str
) -> None:
    if suffix == ".xlsx":
        pytest.importorskip("openpyxl", reason="the extra `xlsx` is absent")
    path = folder / f"any{suffix}"
    path.write_bytes(b"path,label\na.png,cat\n" + data)
    listing = listed(path, TableSettings())
    if isinstance(listing, DataError):
        assert "\n" not in str(listing)
    else:
        assert not set(listing.labels.names) & {"", *MISSING}
