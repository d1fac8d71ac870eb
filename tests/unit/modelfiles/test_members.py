"""A member of an archive reads and seeks like a file with its bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.modelfiles.members import StoredMember

CONTENT = bytes(range(256)) * 3


def archive(folder: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    """An archive with the content between two others, behind a header with an extra field."""
    path = folder / "some.keras"
    with zipfile.ZipFile(path, "w", compression) as written:
        written.writestr("metadata.json", b"x" * 100)
        with written.open("model.weights.h5", "w", force_zip64=True) as member:
            member.write(CONTENT)
        written.writestr("config.json", b"y" * 100)
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(tmp_path_factory.mktemp("archive"))


STEPS = st.one_of(
    st.tuples(st.just("read"), st.integers(-1, 900), st.just(0)),
    st.tuples(st.just("seek"), st.integers(0, 900), st.just(io.SEEK_SET)),
    st.tuples(st.just("seek"), st.integers(0, 50), st.just(io.SEEK_CUR)),
    st.tuples(st.just("seek"), st.integers(-768, 0), st.just(io.SEEK_END)),
)


@given(st.lists(STEPS, max_size=8))
def test_it_is_like_a_file_of_its_own(path: Path, steps: list[tuple[str, int, int]]) -> None:
    wanted = io.BytesIO(CONTENT)
    with StoredMember(path, "model.weights.h5") as found:
        assert found.size == len(CONTENT)
        for what, count, whence in steps:
            if what == "read":
                assert found.read(count) == wanted.read(count)
            else:
                assert found.seek(count, whence) == wanted.seek(count, whence)
            assert found.tell() == wanted.tell()


def test_what_is_compressed_or_missing_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        StoredMember(path, "another")
    with pytest.raises(ValueError, match="compressed, where Keras"):
        StoredMember(archive(tmp_path, zipfile.ZIP_DEFLATED), "model.weights.h5")
