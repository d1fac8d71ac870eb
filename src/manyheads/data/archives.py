"""Unpack a downloaded data set: nothing outside its folder, nothing but what was pinned."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from manyheads.core.job import SILENT, Job
from manyheads.core.places import disk_errors, make_folder
from manyheads.data.digests import tree_digest
from manyheads.errors import DownloadError

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Archive:
    """A data set in a `.tar.gz`, and what must be in it below its single top folder.

    `counts` are the images of each split, `classes` the number of class folders in every one;
    `content` is the `tree_digest` of the splits named in `pinned`. Together the members may not
    pass `limit` bytes.
    """

    address: str
    file: str
    counts: tuple[tuple[str, int], ...]
    classes: int
    pinned: tuple[str, ...]
    content: str
    suffix: str = ".jpg"
    limit: int = 2 << 30


CLOTHING = Archive(
    address="alexeygrigorev/clothing-dataset-small/tar.gz/1196151",
    file="clothing-dataset-small-1196151.tar.gz",
    counts=(("train", 3068), ("validation", 341), ("test", 372)),
    classes=10,
    # The test split is counted but not pinned: its images are kept for a final measurement.
    pinned=("train", "validation"),
    content="f50438f3b179c339992fac53ac7d9ef1032c35d9f155bab97dc8e162d8847431",
)


def unpack(file: Path, archive: Archive, folder: Path, *, job: Job = SILENT) -> None:
    """Write the images of the archive's splits below `folder` and check them.

    Raises `DownloadError` for a damaged archive, for a member that is not a regular file inside
    it, and for any other content than the pinned one; `folder` is then to be thrown away.
    """
    try:
        with tarfile.open(file, "r:gz") as tar:
            digests = _extract(tar, archive, folder, job)
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError) as error:
        raise _refused("a whole archive", f"a damaged one ({_short(error)})", archive) from error
    _check(digests, archive)


def _extract(tar: tarfile.TarFile, archive: Archive, folder: Path, job: Job) -> dict[str, str]:
    splits = dict(archive.counts)
    digests: dict[str, str] = {}
    size = 0
    for member in tar:
        job.check("unpacking the data set")
        size += member.size
        if size > archive.limit:
            found = f"more than {archive.limit:,} bytes"
            raise _refused("an archive of the known size", found, archive)
        inside = _inside(member, archive)
        if member.isdir() or len(inside.parts) < 2 or inside.parts[0] not in splits:
            continue
        stream = tar.extractfile(member)
        if stream is None or len(inside.parts) != 3 or inside.suffix != archive.suffix:
            expected = f"{archive.suffix} images in class folders"
            raise _refused(expected, repr(member.name), archive)
        if str(inside) in digests:
            raise _refused("one member of each name", repr(member.name), archive)
        digests[str(inside)] = _copy(stream, folder / inside)
    return digests


def _inside(member: tarfile.TarInfo, archive: Archive) -> PurePosixPath:
    """The member's path below the top folder; names that lead elsewhere are refused."""
    path = PurePosixPath(member.name)
    strange = path.is_absolute() or ".." in path.parts or set(member.name) & set("\\:\0")
    if strange or not (member.isreg() or member.isdir()):
        expected = "regular files inside the archive's folder"
        raise _refused(expected, repr(member.name), archive)
    return PurePosixPath(*path.parts[1:])


def _copy(stream: IO[bytes], target: Path) -> str:
    make_folder(target.parent)
    total = hashlib.sha256()
    with disk_errors(target):
        file = target.open("xb")
    with file:
        while chunk := stream.read(_CHUNK):
            total.update(chunk)
            with disk_errors(target):
                file.write(chunk)
                file.flush()
    return total.hexdigest()


def _check(digests: dict[str, str], archive: Archive) -> None:
    paths = [PurePosixPath(name) for name in digests]
    counts = Counter(path.parts[0] for path in paths)
    for split, expected in archive.counts:
        if counts[split] != expected:
            raise _refused(f"{expected:,} {split} images", f"{counts[split]:,}", archive)
    classes = {
        split: {path.parts[1] for path in paths if path.parts[0] == split} for split in counts
    }
    for split, found in classes.items():
        if len(found) != archive.classes or found != classes[archive.counts[0][0]]:
            expected = f"the same {archive.classes} classes in every split"
            raise _refused(expected, f"{', '.join(sorted(found))} in {split}"[:160], archive)
    pinned = [(n, d) for n, d in digests.items() if PurePosixPath(n).parts[0] in archive.pinned]
    if (content := tree_digest(pinned)) != archive.content:
        raise _refused(
            f"images with the digest {archive.content[:16]}…", content[:16] + "…", archive
        )


def _refused(expected: str, found: str, archive: Archive) -> DownloadError:
    remedy = "nothing of it was kept: repeat the command, or set MANYHEADS_CATALOG_URL to a mirror"
    return DownloadError(f"{expected} from {archive.address}", found, remedy)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
