"""A folder in the layout of the Hugging Face hub, served as the hub serves it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.unit.servers import Site, serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1 << 18  # bytes, from which a file has a SHA-256
PROCESSOR = {
    "do_resize": True, "size": {"shortest_edge": 64}, "do_center_crop": True,
    "crop_size": {"height": 56, "width": 56}, "resample": 3, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3,
    "image_std": [0.25] * 3, "image_processor_type": "AnyImageProcessor",
}  # fmt: skip


def described(files: dict[str, bytes], licence: str = "apache-2.0") -> bytes:
    """What the hub says of a repository with these files."""
    siblings = []
    for name, content in files.items():
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        entry = {"rfilename": name, "size": len(content), "blobId": blob}
        if len(content) >= LARGE:
            sha256 = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
        siblings.append(entry)
    answer = {"sha": COMMIT, "siblings": siblings, "cardData": {"license": licence}}
    return json.dumps(answer).encode()


def site_of(name: str, files: dict[str, bytes], revision: str = "main") -> dict[str, bytes]:
    """The addresses of a repository and its files, with what the hub answers."""
    pages = {f"{name}/resolve/{COMMIT}/{file}": content for file, content in files.items()}
    api = f"api/models/{name}/revision/"
    about = described(files)
    return pages | {f"{api}{each}?blobs=true": about for each in (revision, COMMIT)}


def files_in(folder: Path) -> dict[str, bytes]:
    """The files of a repository's folder, by their names in it."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@contextmanager
def serving_hub(pages: dict[str, bytes]) -> Iterator[Site]:
    """Serve the pages of a hub until the block ends."""
    with serving(Site(pages)) as site:
        yield site
