"""Predictions in a file, row by row, so that whatever ends the work loses no whole row.

JSON lines and CSV grow in place. Parquet files cannot: their rows are kept in a file beside them
until the last is there. `FILE.asked.json` says which model was asked what, so that an output goes
on only as what it began as; then a finished one is the same, byte for byte, however often the work
was ended.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from filelock import FileLock, Timeout

from manyheads.core.places import disk_errors, make_folder, scratch_dir, write_text
from manyheads.errors import DataError, SettingError
from manyheads.models.prediction import Prediction
from manyheads.models.prediction_rows import RowForm
from manyheads.models.row_lines import LINES, Lines, whole_records
from manyheads.study.table_writing import require_parquet, write_parquet

if TYPE_CHECKING:
    import pyarrow

SUFFIXES = (".jsonl", ".csv", ".parquet")

_FORMAT = 1
_GROUP = 10_000  # rows of Parquet that are in memory at a time
_TEXTS = ("image", "label", "given", "error")
_ANOTHER = "repeat the former command, remove the file, or choose another `out`"


class PredictionFile:
    """An output that is open for more rows; made by `opened`."""

    def __init__(self, path: Path, form: RowForm, file: BinaryIO | None, lines: Lines) -> None:
        self._path, self._form, self._file, self._lines = path, form, file, lines

    def kept(self) -> Iterator[dict[str, Any]]:
        """The rows that are there, by column; what is behind the last whole one is cut off.

        To be read to its end before the first `write`. Raises `DataError` for a row that cannot
        be of this output.
        """
        if self._file is None:
            yield from _parquet_rows(self._path)
            return
        self._file.seek(0)
        header, end = self._lines.header(self._form), 0
        damaged = ""
        for number, (record, after) in enumerate(whole_records(self._file, self._lines), start=1):
            if damaged:  # it is not the last, so no kill has made it
                raise DataError(f"a whole row {number - 1} in {self._path}", damaged, _ANOTHER)
            if number == 1 and header:
                if record != header:
                    raise DataError(f"the columns of this output in {self._path}", "others",
                                    _ANOTHER)  # fmt: skip
            else:
                try:
                    row = self._lines.parsed(record, self._form)
                except ValueError as error:
                    damaged = str(error)
                    continue
                yield row
            end = after
        with disk_errors(self._path):
            self._file.truncate(end)
            self._file.seek(end)
            if not end:
                self._file.write(header)

    @property
    def finished(self) -> bool:
        """Whether no row can be added: a Parquet file that is there is whole."""
        return self._file is None

    def write(self, entry: Prediction, given: str | None = None) -> None:
        """Add a row."""
        assert self._file is not None
        with disk_errors(self._path):
            self._file.write(self._lines.written(self._form, entry, given))

    def finish(self) -> None:
        """Say that the last row is there."""
        if self._file is not None and self._path.suffix == ".parquet":
            part = _rows_path(self._path)
            with part.open(encoding="utf-8") as lines:
                schema = _schema(self._form)
                write_parquet(self._path, schema, _tables(schema, lines))
            part.unlink()


@contextmanager
def opened(path: Path, form: RowForm, asked: dict[str, Any]) -> Iterator[PredictionFile]:
    """Open the output `path`, new or begun before, for predictions that were `asked` so.

    Raises `SettingError` for a name that ends with none of `SUFFIXES`, and `DataError` if the
    file is another output or another process writes it.
    """
    if path.suffix not in SUFFIXES:
        raise SettingError(
            f"a file name that ends with {', '.join(SUFFIXES)}", str(path), "rename it"
        )
    if path.suffix == ".parquet":
        require_parquet("choose CSV or JSON lines")
    make_folder(path.parent)
    with _alone(path):
        rows = _rows_path(path)
        _claim(path, rows, {"format": _FORMAT, **asked, "given": form.given})
        lines = LINES[path.suffix]
        if rows != path and path.exists():
            rows.unlink(missing_ok=True)
            yield PredictionFile(path, form, None, lines)
            return
        with disk_errors(rows):
            rows.touch()
            # Unbuffered: a row is on its way to the disk once it is written.
            file = rows.open("r+b", buffering=0)
        with file:
            yield PredictionFile(path, form, file, lines)


def _schema(form: RowForm) -> pyarrow.Schema:
    import pyarrow

    def kind(name: str) -> Any:
        if name in _TEXTS or (form.top is not None and name.startswith("class_")):
            return pyarrow.string()
        return pyarrow.bool_() if name in ("abstained", "unknown") else pyarrow.float64()

    return pyarrow.schema([(name, kind(name)) for name in form.columns])


def _tables(schema: pyarrow.Schema, lines: Iterator[str]) -> Iterator[pyarrow.Table]:
    """The rows in `lines`, each a list of cells, some thousand at a time."""
    import pyarrow

    while rows := [[_text(cell) for cell in json.loads(line)] for line in islice(lines, _GROUP)]:
        columns = [list(column) for column in zip(*rows, strict=True)]
        yield pyarrow.table(columns, schema=schema)


def _text(cell: Any) -> Any:
    # A name of a file that is no text has bytes that Parquet's text cannot hold.
    if isinstance(cell, str):
        return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return cell


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file by column; raises `DataError` if it is none."""
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except (ArrowException, OSError) as error:
        found = " ".join(str(error).split())[:120]
        raise DataError(f"{path} to be a Parquet file", found, "remove it") from error


def _rows_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.rows") if path.suffix == ".parquet" else path


def _claim(path: Path, rows: Path, asked: dict[str, Any]) -> None:
    side = path.with_name(f"{path.name}.asked.json")
    begun = [file for file in {path, rows} if file.exists()]
    if not begun:
        write_text(side, json.dumps(asked, indent=2, ensure_ascii=False) + "\n")
        return
    try:
        before = json.loads(side.read_text(encoding="utf-8"))
        changed = [
            f"{key}: {_shown(before.get(key))} → {_shown(asked.get(key))}"
            for key in sorted(before.keys() | asked.keys())
            if before.get(key) != asked.get(key)
        ]
    except (OSError, ValueError, AttributeError):
        found = f"a file that is there, without {side.name} beside it"
        raise DataError(f"no file at {path}, or one begun by predict", found, _ANOTHER) from None
    if changed:
        raise DataError(
            f"{path} to hold predictions of this model with these options",
            "; ".join(changed), _ANOTHER,
        )  # fmt: skip


def _shown(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
    folder = make_folder(scratch_dir("outputs"))
    with disk_errors(folder):
        lock = FileLock(folder / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            found = "another manyheads at work on it"
            remedy = "wait until it has finished, or choose another `out`"
            raise DataError(f"{path} to be free", found, remedy) from None
    try:
        yield
    finally:
        lock.release()
