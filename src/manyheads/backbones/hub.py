"""Repositories of the Hugging Face hub: which files they have, and these files in the cache.

Plain files over HTTPS at a pinned commit; nothing of a repository is executed. What is in the cache
is asked for no more, so that a study goes on without a network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from manyheads.core.download import StatusError, download, small_file
from manyheads.core.job import SILENT, Job
from manyheads.core.places import (
    atomic_path,
    cache_dir,
    disk_errors,
    make_folder,
    stays_below,
    write_text,
)
from manyheads.core.settings import choice, digest, plain, restored
from manyheads.core.text import size_words
from manyheads.errors import BackboneError, DownloadError

PREFIX = "hf:"
TOKEN_POOLINGS = ("cls", "mean", "cls+mean", "pooler")
"""What of tokens [n, tokens, features] are features: the first token, the mean of those of patches,
both, or the network's own pooled output."""
CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"

_SERVER = "https://huggingface.co"
_NAME = re.compile(
    r"hf:(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?(?::(?P<network>[\w./-]+))?"
    r"(?:#(?P<pooling>[\w+]+))?"
)
_NETWORKS = ("onnx/model.onnx", "model.onnx", "onnx/vision_model.onnx")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_RECORD = "repository.json"
_DESCRIPTION = 8 << 20  # bytes, at most
_JSON = 1 << 20


def is_hub(name: object) -> bool:
    """Whether `name` means a repository of the hub."""
    return str(name).startswith(PREFIX)


@dataclass(frozen=True)
class HubName:
    """`hf:ORG/NAME[@REVISION][:FILE][#POOLING]`.

    Without a file it is the first of the usual ones that is there, and without a `pooling` of
    tokens that of the network's family.
    """

    repository: str
    revision: str
    network: str
    pooling: str | None

    @classmethod
    def of(cls, name: str) -> HubName:
        """Raises `BackboneError` for a name of another form."""
        found = _NAME.fullmatch(name)
        # The hub has no names with two dashes, which separate the two parts in the cache.
        if found is None or ".." in name or "--" in found["repository"]:
            raise BackboneError(
                "a repository of the Hugging Face hub, hf:ORG/NAME[@REVISION][:FILE][#POOLING]",
                repr(name), "write it as hf:onnx-community/dinov2-small, for example",
            )  # fmt: skip
        if found["pooling"] is not None:
            choice("pooling", found["pooling"], TOKEN_POOLINGS)
        return cls(
            found["repository"], found["revision"] or "main", found["network"] or "",
            found["pooling"],
        )  # fmt: skip

    def at(self, commit: str, pooling: str | None) -> str:
        """The name that means the same for ever."""
        network = f":{self.network}" if self.network else ""
        pooled = f"#{pooling}" if pooling else ""
        return f"{PREFIX}{self.repository}@{commit}{network}{pooled}"


@dataclass(frozen=True)
class HubFile:
    """A file of a repository: bytes, and the digest that the hub has of it.

    `sha256` of large ones; of others `sha1`, that of git, over a header and the content.
    """

    name: str
    size: int
    sha256: str | None
    sha1: str | None


@dataclass(frozen=True)
class Repository:
    """What a repository holds at a `commit`; the `licence` as its card states it."""

    name: str
    commit: str
    licence: str
    files: tuple[HubFile, ...]

    @cached_property
    def by_name(self) -> dict[str, HubFile]:
        """Its files."""
        return {file.name: file for file in self.files}

    @property
    def folder(self) -> Path:
        """Where its files are kept."""
        return _folder(self.name) / self.commit

    def network(self, asked: HubName) -> str:
        """The file that holds the network; raises `BackboneError` if there is none."""
        given = asked.network
        wanted = (given, f"{given}.onnx", f"onnx/{given}.onnx") if given else _NETWORKS
        found = next((name for name in wanted if name in self.by_name), None)
        if found is None or not found.endswith(".onnx"):
            there = sorted(name for name in self.by_name if name.endswith(".onnx"))
            remedy = "take a repository that has one, or export the network to a file"
            if there:
                remedy = f"name one of them, as {PREFIX}{self.name}:{Path(there[0]).stem}"
            names = " or ".join(wanted[-1:] if given else wanted)
            raise BackboneError(
                f"a network as ONNX in {self.name}, {names}",
                ", ".join(there[:6]) or "no .onnx file",
                remedy,
            )
        return found

    def with_data(self, network: str) -> list[str]:
        """The file of a network, and those beside it that hold its weights."""
        stems = f"{network}_data", f"{network}.data"
        return [network, *sorted(name for name in self.by_name if name.startswith(stems))]

    def present(self, name: str) -> Path | None:
        """A file, if it is in the cache."""
        file, known = self.folder / name, self.by_name.get(name)
        try:
            return file if known and file.stat().st_size == known.size else None
        except OSError:
            return None

    def json(self, name: str, job: Job = SILENT) -> dict[str, Any]:
        """The content of a small file; raises `BackboneError` if it is missing or no JSON."""
        known = self.by_name.get(name)
        if known is None:
            raise BackboneError(
                f"{name} in {self.name}", "no such file",
                "take a repository that has one, or give its .onnx file with `preprocessing`",
            )  # fmt: skip
        file = self.folder / name
        if self.present(name) is None:
            content = small_file(self._address(name), limit=_JSON, token=_token(), job=job)
            self._check(name, known, content)
            with atomic_path(make_folder(file.parent) / file.name) as temporary:
                temporary.write_bytes(content)
        try:
            found = json.loads(file.read_bytes())
        except (OSError, ValueError) as error:
            found = error
        if not isinstance(found, dict):
            raise BackboneError(
                f"settings as JSON in {name} of {self.name}", str(found)[:120],
                "take another revision of the repository",
            )  # fmt: skip
        return found

    def fetch(self, name: str, job: Job = SILENT) -> Path:
        """A large file in the cache, fetched if it is not there; raises `DownloadError`."""
        found = self.present(name)
        if found is not None:
            return found
        known, file = self.by_name[name], self.folder / name
        make_folder(file.parent)
        download(
            self._address(name), file,
            sha256=known.sha256, token=_token(), step=f"fetching {self.name}", job=job,
        )  # fmt: skip
        if known.sha256 is None:
            with disk_errors(file):
                content = file.read_bytes()
            try:
                self._check(name, known, content)
            except DownloadError:
                file.unlink(missing_ok=True)
                raise
        return file

    def missing(self, names: list[str]) -> int:
        """The bytes of those files that are not in the cache."""
        return sum(self.by_name[name].size for name in names if self.present(name) is None)

    def _check(self, name: str, known: HubFile, content: bytes) -> None:
        found = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        wrong = known.sha1 is not None and found != known.sha1
        if wrong or len(content) != known.size:
            raise DownloadError(
                f"{name} of {self.name} as it is at the commit {self.commit[:12]}",
                f"another file, of {len(content):,} bytes",
                "repeat the command; if it happens again, the server does not have what it says",
            )  # fmt: skip

    def _address(self, name: str) -> str:
        return f"{_server()}/{self.name}/resolve/{self.commit}/{quote(name)}"


def repository(asked: HubName, job: Job = SILENT) -> Repository:
    """What `asked` names, from the cache or the hub; a name without a commit keeps its first one.

    Raises `DownloadError` if the hub cannot be reached, or does not give it.
    """
    if (known := known_repository(asked)) is not None:
        return known
    found = _described(asked, job)
    write_text(make_folder(found.folder) / _RECORD, json.dumps(plain(found), indent=1) + "\n")
    if not _COMMIT.fullmatch(asked.revision):
        write_text(_reference(asked), found.commit + "\n")
    return found


def in_cache() -> list[Repository]:
    """The repositories of which something is in the cache, each at its latest commit there."""
    records = sorted(
        (cache_dir() / "hub").glob(f"*/*/{_RECORD}"), key=lambda file: file.stat().st_mtime_ns
    )
    names = ((file.parent.parent.name.replace("--", "/"), file.parent.name) for file in records)
    latest = {name: found for name, commit in names if (found := _read(name, commit))}
    return [latest[name] for name in sorted(latest)]


def known_repository(asked: HubName) -> Repository | None:
    """What `asked` names, if the cache has it."""
    pinned = _pinned(asked)
    return None if pinned is None else _read(asked.repository, pinned)


def source_words(found: Repository) -> str:
    """Where a network comes from, with its commit and licence."""
    return f"{found.name} at {found.commit[:12]}, licence {found.licence}"


def announce(found: Repository, names: list[str], job: Job) -> None:
    """Say what is about to be fetched, of which size and under which licence."""
    job.note(f"Fetching {size_words(found.missing(names))}: {source_words(found)}")


def _pinned(asked: HubName) -> str | None:
    if _COMMIT.fullmatch(asked.revision):
        return asked.revision
    try:
        text = _reference(asked).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return text if _COMMIT.fullmatch(text) else None


def _read(name: str, commit: str) -> Repository | None:
    try:
        document = json.loads((_folder(name) / commit / _RECORD).read_bytes())
        return restored(Repository, document)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _described(asked: HubName, job: Job) -> Repository:
    name, revision = asked.repository, asked.revision
    url = f"{_server()}/api/models/{name}/revision/{quote(revision, safe='')}?blobs=true"
    try:
        answer = json.loads(small_file(url, limit=_DESCRIPTION, token=_token(), job=job))
        commit, siblings = str(answer["sha"]), answer["siblings"]
        files = tuple(map(_file, siblings))
    except StatusError as error:
        raise _refused(asked, error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadError(
            f"the hub's description of {name} at {_server()}", "something else",
            "check the address in HF_ENDPOINT",
        ) from error  # fmt: skip
    if not _COMMIT.fullmatch(commit) or not all(stays_below(each.name) for each in files):
        raise DownloadError(
            f"a commit and its files from {_server()}", f"{commit[:60]!r}",
            "check the address in HF_ENDPOINT",
        )  # fmt: skip
    return Repository(name, commit, _licence(answer), files)


def _file(sibling: dict[str, Any]) -> HubFile:
    large = sibling.get("lfs") or {}
    return HubFile(
        name=str(sibling["rfilename"]),
        size=int(large["size"] if large else sibling["size"]),
        sha256=large.get("sha256"),
        sha1=None if large else sibling.get("blobId"),
    )


def _licence(answer: dict[str, Any]) -> str:
    card = answer.get("cardData")
    stated = card.get("license") if isinstance(card, dict) else None
    return " or ".join(map(str, stated)) if isinstance(stated, list) else str(stated or "unknown")


def _refused(asked: HubName, error: StatusError) -> DownloadError:
    name = asked.repository
    if error.status in (401, 403):
        return DownloadError(
            f"the repository {name} to be open", f"HTTP status {error.status}",
            f"check the name; if it is gated, accept its terms at {_server()}/{name} and set "
            "HF_TOKEN",
        )  # fmt: skip
    if error.status == 404:
        return DownloadError(
            f"the revision {asked.revision} of {name} on the Hugging Face hub", "none",
            "check the name and the revision",
        )  # fmt: skip
    return error


def _server() -> str:
    return (os.environ.get("HF_ENDPOINT") or _SERVER).rstrip("/")


def _token() -> str | None:
    given = os.environ.get("HF_TOKEN")
    if given:
        return given.strip()
    home = os.environ.get("HF_HOME")
    file = (Path(home) if home else Path("~/.cache/huggingface").expanduser()) / "token"
    try:
        return file.read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def _folder(name: str) -> Path:
    return cache_dir() / "hub" / name.replace("/", "--")


def _reference(asked: HubName) -> Path:
    key = asked.revision if asked.revision.isalnum() else digest(asked.revision)[:16]
    return _folder(asked.repository) / f"revision-{key}"
