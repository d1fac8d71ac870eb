"""What folders and tables at addresses hold, asked once for an opening and kept for the next one.

Without a network the last answer is taken, so that a data set whose features are complete can be
opened again.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from manyheads.core.addresses import split_address
from manyheads.core.download import is_offline, require_network
from manyheads.core.job import SILENT, Job
from manyheads.core.places import atomic_path, scratch_dir
from manyheads.core.threads import map_in_threads
from manyheads.data.remote_files import READERS, RemoteFacts, facts_of, list_folder, read
from manyheads.data.remote_path import RemoteError
from manyheads.errors import DiskError

_ASKING = "asking about the files"
_FORMAT = 1


@dataclass(frozen=True)
class _Listing:
    """The files and folders in one folder, in the order of their names, and the files' facts."""

    folders: list[str]
    files: list[str]
    sizes: list[int]
    versions: list[str]
    times: list[int]

    @cached_property
    def rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.files)}

    def facts(self, name: str) -> RemoteFacts | None:
        row = self.rows.get(name)
        return (
            row
            if row is None
            else RemoteFacts(self.sizes[row], self.versions[row], self.times[row])
        )


@dataclass
class _Opening:
    """The folders that one opening of a data set has listed, or may take as they were."""

    job: Job
    listings: dict[str, _Listing] = field(default_factory=dict[str, _Listing])

    def listing(self, address: str) -> _Listing:
        if address not in self.listings:
            self.listings[address] = _listed(address, self.job)
        return self.listings[address]


_opening: ContextVar[_Opening | None] = ContextVar("opening", default=None)


@contextmanager
def listed_once(root: str, job: Job = SILENT) -> Iterator[None]:
    """Inside, each folder at or below the address `root` is listed once.

    What was listed is kept. Without a network, what was kept last is taken; then raises
    `DownloadError` if there is nothing.
    """
    place, opening = _place(root, "listing"), _Opening(job)
    if is_offline():
        opening.listings = _loaded(place)
        if not opening.listings:
            require_network(root)
    token = _opening.set(opening)
    try:
        yield
    finally:
        _opening.reset(token)
    if not is_offline():
        document = {
            "format": _FORMAT,
            "folders": {k: _plain(v) for k, v in opening.listings.items()},
        }
        _save(place, json.dumps(document).encode())


def entries(folder: str) -> Iterator[tuple[str, bool]]:
    """The name of each file and folder in the folder at an address, and whether it is a folder.

    Raises `RemoteError`, and what `remote_files.read` raises.
    """
    listing = _of(folder)
    if not (listing.files or listing.folders):
        # A store of objects has no empty folders: it says nothing of one that is not there.
        raise RemoteError(folder, "nothing there", "check the address")
    yield from ((name, True) for name in listing.folders)
    yield from ((name, False) for name in listing.files)


def facts_of_files(addresses: Iterable[str], job: Job = SILENT) -> dict[str, RemoteFacts]:
    """What tells the versions of these files, from the listings or asked for, many at once.

    Without a network, none. Raises what `remote_files.read` raises.
    """
    if is_offline():
        return {}
    opening = _opening.get()
    found: dict[str, RemoteFacts] = {}
    unknown: list[str] = []
    for address in addresses:
        folder, name = split_address(address)
        listing = None if opening is None else opening.listings.get(folder)
        facts = None if listing is None else listing.facts(name)
        # A web page lists names alone.
        if facts is None or (facts.size < 0 and not facts.version):
            unknown.append(address)
        else:
            found[address] = facts
    ask = partial(facts_of, job=job)
    asked = map_in_threads(ask, unknown, what=_ASKING, threads=READERS, job=job)
    found.update(zip(unknown, asked, strict=True))
    return found


def refresh_table(address: str, job: Job = SILENT) -> None:
    """Fetch the table at `address`, which `table` then returns.

    Without a network the last one is taken, and `DownloadError` raised if there is none. Raises
    what `remote_files.read` raises.
    """
    place = _place(address, "table")
    if not (is_offline() and _load(place) is not None):
        data = read(address, job)
        _fetched[address] = data
        _save(place, data)


def table(address: str) -> bytes:
    """The table at `address` as it was when it was last fetched; raises as `refresh_table`."""
    if address in _fetched:
        return _fetched[address]
    if (data := _load(_place(address, "table"))) is None:
        refresh_table(address)
        return table(address)
    return data


# Of this process, for a cache that cannot be written, or that another process writes meanwhile.
_fetched: dict[str, bytes] = {}


def _of(folder: str) -> _Listing:
    opening = _opening.get()
    return _listed(folder, SILENT) if opening is None else opening.listing(folder)


def _listed(address: str, job: Job) -> _Listing:
    found = sorted(list_folder(address, job))
    files = [each for each in found if not each.is_folder]
    return _Listing(
        [each.name for each in found if each.is_folder],
        [each.name for each in files],
        [each.facts.size for each in files],
        [each.facts.version for each in files],
        [each.facts.modified for each in files],
    )


def _place(address: str, kind: str) -> Path | None:
    name = hashlib.blake2b(address.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    try:
        return scratch_dir("remote") / f"{name}.{kind}"
    except DiskError:
        return None


def _plain(listing: _Listing) -> list[Any]:
    return [listing.folders, listing.files, listing.sizes, listing.versions, listing.times]


def _loaded(place: Path | None) -> dict[str, _Listing]:
    with suppress(ValueError, KeyError, TypeError):
        document = json.loads(_load(place) or b"{}")
        if document.get("format") == _FORMAT:
            return {folder: _Listing(*parts) for folder, parts in document["folders"].items()}
    return {}


def _load(place: Path | None) -> bytes | None:
    with suppress(OSError, zlib.error):
        return None if place is None else zlib.decompress(place.read_bytes())
    return None


def _save(place: Path | None, data: bytes) -> None:
    # Where it cannot be kept, it is asked for again the next time.
    with suppress(DiskError, OSError):
        if place is not None:
            with atomic_path(place) as temporary:
                temporary.write_bytes(zlib.compress(data, 1))
