"""Predictions at an address are sent whole, once, and never over a file that is another's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyheads.errors import DataError, DiskError, DownloadError, SettingError
from manyheads.models.output_places import output_place
from manyheads.models.prediction_files import opened
from tests.remote_stores import Bucket
from tests.unit.models.outputs import PLAIN, entries

pytestmark = pytest.mark.usefixtures("own_cache")
ASKED = {"model": "abc", "top": None}


def write(given: str, until: int = 9, *, finish: bool = True) -> int:
    """Predict into `given` as the command does; returns how many rows were there already."""
    place = output_place(given)
    with opened(place.path, PLAIN, ASKED) as file:
        before = len(list(file.kept()))
        for entry in entries(until)[before:]:
            file.write(entry)
        if finish:
            file.finish()
            place.deliver()
    return before


def test_a_path_stays_a_path(tmp_path: Path) -> None:
    assert output_place(tmp_path / "a.csv").path == tmp_path / "a.csv"
    assert write(str(tmp_path / "a.csv")) == 0
    assert (tmp_path / "a.csv").is_file()


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_what_is_sent_is_what_would_be_written(bucket: Bucket, tmp_path: Path, suffix: str) -> None:
    write(str(tmp_path / f"a.{suffix}"))
    address = f"{bucket.address}/out/a.{suffix}"
    assert write(address) == 0
    assert bucket.get(f"out/a.{suffix}") == (tmp_path / f"a.{suffix}").read_bytes()


@pytest.mark.when_changed("commands")
def test_nothing_is_sent_before_the_last_row(bucket: Bucket) -> None:
    address = f"{bucket.address}/a.jsonl"
    assert write(address, 4, finish=False) == 0
    assert "Contents" not in bucket.client.list_objects_v2(Bucket=bucket.name)
    assert write(address) == 4
    assert len(bucket.get("a.jsonl").splitlines()) == 9


def test_what_is_there_is_not_sent_again(bucket: Bucket) -> None:
    address = f"{bucket.address}/a.csv"
    write(address)
    bucket.asked()
    assert write(address) == 9
    assert not any(each.startswith(("PUT", "POST")) for each in bucket.asked())
    bucket.client.delete_object(Bucket=bucket.name, Key="a.csv")
    assert write(address) == 9
    assert bucket.get("a.csv")


def test_another_file_is_not_written_over(bucket: Bucket) -> None:
    address = f"{bucket.address}/a.csv"
    bucket.put({"a.csv": b"somebody's"}, ".")
    bucket.client.put_object(Bucket=bucket.name, Key="a.csv", Body=b"somebody's")
    with pytest.raises(DataError, match=r"no file at .*, or one that predict sent from here"):
        write(address)
    bucket.client.delete_object(Bucket=bucket.name, Key="a.csv")
    write(address)
    bucket.client.put_object(Bucket=bucket.name, Key="a.csv", Body=b"somebody's")
    with pytest.raises(DataError, match="found another one; remove it"):
        write(address)
    assert bucket.get("a.csv") == b"somebody's"


def test_a_kill_while_it_is_sent(bucket: Bucket, own_cache: Path) -> None:
    address = f"{bucket.address}/a.csv"
    write(address)
    (mark,) = own_cache.rglob("*.sent.json")
    about = json.loads(mark.read_text())
    del about["version"]  # as it is until the server has said it
    mark.write_text(json.dumps(about))
    assert write(address) == 9
    assert "version" in json.loads(mark.read_text())


def test_a_place_that_cannot_be_written(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ("https://a.org/a.csv", f"{bucket.address}/a.txt"):
        with pytest.raises(SettingError, match="an address that can be written"):
            output_place(given)
    with pytest.raises(DiskError, match="no such bucket"):
        output_place("s3://no-bucket-of-that-name/a.csv")
    with pytest.raises(DataError, match="without a secret"):
        output_place("s3://key:secret@b/a.csv")
    bucket.asked()
    monkeypatch.setenv("MANYHEADS_OFFLINE", "1")
    with pytest.raises(DownloadError):
        output_place(f"{bucket.address}/a.csv")
    assert bucket.asked() == []


def test_rows_are_kept_where_they_cannot_be_sent(bucket: Bucket) -> None:
    address = f"{bucket.address}/a.csv"
    place = output_place(address)
    with opened(place.path, PLAIN, ASKED) as file:
        list(file.kept())
        for entry in entries(9):
            file.write(entry)
        bucket.client.delete_bucket(Bucket=bucket.name)
        with pytest.raises(DiskError, match="the rows are kept, and the same command sends them"):
            place.deliver()
    bucket.client.create_bucket(Bucket=bucket.name)
    assert write(address) == 9
    assert bucket.get("a.csv")
