"""Backbones of other frameworks: how they are named, and what a framework says of one.

A framework is asked once, in a child process (`framework_builds`); what it says is kept under its
version, so that a study goes on without it.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from manyheads.backbones import hub
from manyheads.core import keras_process
from manyheads.core.job import SILENT, Job
from manyheads.core.places import cache_dir, make_folder, write_text
from manyheads.core.settings import choice, plain, restored
from manyheads.errors import BackboneError, MissingExtraError

_EXTRAS = {"timm": "timm", "keras_hub": "keras-hub", "open_clip": "open-clip"}
FRAMEWORKS = tuple(_EXTRAS)
_OF_TORCH = ("timm", "open_clip")

_NAME = re.compile(
    r"(?P<framework>timm|keras_hub|open_clip):(?P<member>[\w.+-]+(?:/[\w.+-]+)?)"
    r"(?:@(?P<version>[\w.+-]+))?(?:#(?P<pooling>[\w+]+))?"
)


def is_framework(name: object) -> bool:
    """Whether `name` means a network that another framework builds."""
    return str(name).startswith(tuple(f"{each}:" for each in FRAMEWORKS))


@dataclass(frozen=True)
class FrameworkName:
    """`FRAMEWORK:MEMBER[@VERSION][#POOLING]`.

    Without a `version` it is that with which the member was first used, and without a `pooling` of
    tokens what the framework itself does.
    """

    framework: str
    member: str
    version: str | None = None
    pooling: str | None = None

    @classmethod
    def of(cls, name: str) -> FrameworkName:
        """Raises `BackboneError` for a name of another form."""
        found = _NAME.fullmatch(name)
        # Two dashes stand for the slash in the cache.
        if found is None or ".." in name or "--" in found["member"]:
            raise BackboneError(
                "a network of a framework, timm:NAME, keras_hub:PRESET or open_clip:NAME/WEIGHTS",
                repr(name), "write it as timm:resnet18.a1_in1k, for example",
            )  # fmt: skip
        if found["pooling"] is not None:
            choice("pooling", found["pooling"], hub.TOKEN_POOLINGS)
        return cls(**found.groupdict())

    @property
    def words(self) -> str:
        """The name without its version and its pooling."""
        return f"{self.framework}:{self.member}"


@dataclass(frozen=True)
class Described:
    """What a framework says of a member: how images are prepared for it, and whence it comes.

    `size` is the side in pixels, the only one if it is `fixed`; `resize`, `interpolation` and
    `preprocessing` are in the words of `BackboneSpec`, and so is `tokens`, what the framework's own
    pooled output is made of. It is `trained` if the framework has weights for it.
    """

    framework: str
    member: str
    version: str
    licence: str
    parameters: int
    size: int
    fixed: bool
    resize: str | None
    interpolation: str
    preprocessing: str
    tokens: str | None
    trained: bool

    @property
    def name(self) -> FrameworkName:
        """The name that means the same for ever."""
        return FrameworkName(self.framework, self.member, self.version)

    @property
    def source(self) -> str:
        """Where it comes from, with its licence."""
        licence = f"licence {self.licence}" if self.licence else "which states no licence for it"
        return f"{self.member} of {self.framework} {self.version}, {licence}"


def described(asked: FrameworkName, job: Job = SILENT) -> Described:
    """What the framework says of a member: as it is kept, or asked for now.

    Raises `BackboneError` for a member that it does not have, or that is no backbone of images;
    `MissingExtraError` without the framework, or with another version of it; `DownloadError`.
    """
    if (known := _read(asked if asked.version else _first(asked))) is not None:
        return known
    from manyheads.backbones import framework_builds

    require(asked)
    arguments = {"framework": asked.framework, "member": asked.member, "version": asked.version}
    what = f"asking {asked.framework} about {asked.member}"
    answer = keras_process.call(framework_builds.describe, arguments, what=what, job=job)
    found: Described = restored(Described, answer)
    make_folder(_record(found.name).parent)
    write_text(_record(found.name), json.dumps(plain(found), indent=1) + "\n")
    if asked.version is None:
        make_folder(_reference(asked).parent)
        write_text(_reference(asked), f"{found.name.words}@{found.version}\n")
    return found


def require(asked: FrameworkName) -> None:
    """Raise `MissingExtraError` with the line that installs it if the framework is missing."""
    needed = [asked.framework, *(["torch"] if asked.framework in _OF_TORCH else [])]
    absent = [each for each in needed if importlib.util.find_spec(each) is None]
    if absent:
        line = f"run: pip install 'manyheads[{_EXTRAS[asked.framework]}]'"
        if "torch" in absent and sys.platform == "linux":
            line += ", after PyTorch's build for the CPU (as pytorch.org says) unless CUDA is meant"
        raise MissingExtraError(
            f"{' and '.join(needed)} to build {asked.words}, once", f"no {' and no '.join(absent)}",
            line,
        )  # fmt: skip


def _read(name: FrameworkName | None) -> Described | None:
    try:
        return name and restored(Described, json.loads(_record(name).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _first(asked: FrameworkName) -> FrameworkName | None:
    """The member and version that a name without a version came to when it was first used."""
    try:
        return FrameworkName.of(_reference(asked).read_text(encoding="utf-8").strip())
    except (OSError, ValueError, BackboneError):
        return None


def _record(name: FrameworkName) -> Path:
    return _place(name, f"{name.version}.json")


def _reference(name: FrameworkName) -> Path:
    return _place(name, "first")


def _place(name: FrameworkName, file: str) -> Path:
    folder = cache_dir() / "frameworks" / name.framework / name.member.replace("/", "--")
    return folder / file
