"""Networks of the user's own as backbones: what a `.keras`, `.onnx` or OpenVINO file declares.

Nothing of the network is run here, and no framework is loaded: shapes are read from the file's own
description. Building it is for a child process (`own_programs`).
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from manyheads.backbones import preprocessing_modes
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.core.places import stays_below
from manyheads.errors import BackboneError, WeightsError
from manyheads.modelfiles.onnx_parts import Shape, read_parts

KERAS, ONNX, OPENVINO = SUFFIXES = (".keras", ".onnx", ".xml")
USUAL_SIZE = 224  # pixels, where a network takes images of any size

_LEAST, _MOST = 32, 2048  # pixels, as `ImageSettings` has them
_LONGEST = 1 << 26  # bytes of a description
_LONGEST_NAME = 255  # as file systems have it
_BLOCK = 1 << 24
_INPUT = "InputLayer"
_DAMAGE = (
    ValueError, KeyError, TypeError, AttributeError, RecursionError, NotImplementedError,
    zipfile.BadZipFile, ElementTree.ParseError,
)  # fmt: skip


def is_file(name: str | Path) -> bool:
    """Whether `name` means a file, and no backbone of Keras's."""
    return Path(name).suffix.lower() in SUFFIXES or "/" in str(name) or "\\" in str(name)


def spec_of(name: str | Path, preprocessing: str | None) -> BackboneSpec:
    """The backbone in the file `name`, whose network expects pixels as `preprocessing` says.

    Raises `SettingError` without a preprocessing, and `BackboneError` for a file that is missing,
    damaged, or no network of square RGB images.
    """
    file = Path(name).expanduser()
    if file.suffix.lower() not in SUFFIXES:
        raise BackboneError(
            f"the name of a backbone, or a file that ends with {', '.join(SUFFIXES)}", str(name),
            "export the network as ONNX, or give its `features` to a study",
        )  # fmt: skip
    words = preprocessing_modes.parse(preprocessing_modes.stated(preprocessing, file.name))
    if not file.is_file():
        raise BackboneError("a file with a backbone", f"no file at {file}", "check the path")
    size = side_of(file)
    return BackboneSpec(
        name=file.stem,
        module="",
        function="",
        default_size=size or USUAL_SIZE,
        min_size=_LEAST,
        data_format=CHANNELS_LAST,
        file=file.absolute(),
        normalisation=words,
        fixed=size is not None,
    )


def digest_of(file: Path) -> str:
    """SHA-256 over `file` and the files that belong to it; raises `BackboneError`."""
    total = hashlib.sha256()
    for part in _parts(file):
        try:
            with part.open("rb", buffering=0) as opened:
                while block := opened.read(_BLOCK):
                    total.update(block)
        except OSError as error:
            raise _unreadable(part, error) from error
    return total.hexdigest()


def size_of(file: Path) -> int:
    """Bytes of `file` and the files that belong to it; raises `BackboneError`."""
    try:
        return sum(part.stat().st_size for part in _parts(file))
    except OSError as error:
        raise _unreadable(file, error) from error


def require(file: Path, digest: str) -> None:
    """Raise `WeightsError` unless `file` is still what `digest` names."""
    if digest_of(file) != digest:
        raise WeightsError(
            f"the network with the digest {digest[:12]}… in {file}", "another one",
            "restore the file, or begin a study anew in another run folder",
        )  # fmt: skip


def no_features(file: Path, found: str) -> BackboneError:
    """What is wrong with a network whose output of the shape `found` is no features."""
    return BackboneError(
        f"one output of features, [n, features], or of a feature map, from {file}", found,
        "export the network up to such an output, or give its `features` to a study",
    )  # fmt: skip


def _parts(file: Path) -> Iterator[Path]:
    """The file, and those beside it that hold its weights."""
    yield file
    if file.suffix.lower() == OPENVINO:
        if not file.with_suffix(".bin").is_file():
            raise WeightsError(
                f"the weights of {file.name} beside it", f"no {file.with_suffix('.bin').name}",
                "keep the .xml and the .bin together",
            )  # fmt: skip
        yield file.with_suffix(".bin")
    elif file.suffix.lower() == ONNX:
        try:
            names = sorted(read_parts(file).files)
        except ValueError as error:
            raise _damaged(file, error) from error
        for name in names:
            yield _beside(file, name)


def _beside(file: Path, name: str) -> Path:
    """The file `name` that `file` keeps weights in; raises `WeightsError` for one elsewhere."""
    part, folder = file.parent / name, file.parent.resolve()
    if not stays_below(name) or not part.resolve().is_relative_to(folder):
        raise WeightsError(
            f"the weights of {file.name} in its own folder", f"{name[:80]!r}, which lies elsewhere",
            "use only files that you trust, with all their data in one folder",
        )  # fmt: skip
    if len(name) > _LONGEST_NAME or not part.is_file():
        raise WeightsError(
            f"the weights of {file.name} beside it", f"no {name[:80]!r}", "keep its files together"
        )
    return part


def side_of(file: Path) -> int | None:
    """The side in pixels of the only images that a network takes, None for any; `BackboneError`."""
    return _size(file, declared_input(file))


def declared_input(file: Path) -> Shape:
    """The shape of the only input that a file declares; raises `BackboneError`."""
    read = {KERAS: _keras_inputs, ONNX: _onnx_inputs, OPENVINO: _openvino_inputs}
    try:
        inputs = read[file.suffix.lower()](file)
    except OSError as error:
        raise _unreadable(file, error) from error
    except _DAMAGE as error:
        raise _damaged(file, error) from error
    if len(inputs) != 1:
        raise BackboneError(
            f"a network with one declared input in {file}", f"{len(inputs)}",
            "export the part from the image to its features",
        )  # fmt: skip
    return inputs[0]


def _keras_inputs(file: Path) -> list[Shape]:
    with zipfile.ZipFile(file) as archive:
        _check_length(archive.getinfo("config.json").file_size)
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    shapes = [each["config"]["batch_shape"] for each in layers if each["class_name"] == _INPUT]
    return [tuple(side if isinstance(side, int) else None for side in each) for each in shapes]


def _onnx_inputs(file: Path) -> list[Shape]:
    return list(read_parts(file).inputs.values())


def _openvino_inputs(file: Path) -> list[Shape]:
    _check_length(file.stat().st_size)
    root = ElementTree.parse(file).getroot()
    shapes = [
        layer.find("data").attrib["shape"]  # pyright: ignore[reportOptionalMemberAccess]
        for layer in root.iterfind("layers/layer[@type='Parameter']")
    ]
    return [tuple(_side(word) for word in shape.split(",")) for shape in shapes]


def _side(word: str) -> int | None:
    return int(word) if word.strip().isdecimal() else None  # ?, -1, 1..8


def _check_length(size: int) -> None:
    if size > _LONGEST:
        raise ValueError(f"a description of {size:,} bytes")


def _size(file: Path, shape: Shape) -> int | None:
    """The side of the images that an input of `shape` takes, None for any."""
    sides = _sides(shape)
    if sides is None:
        raise BackboneError(
            f"a network of RGB images, [n, side, side, 3] or [n, 3, side, side], in {file}",
            f"inputs {_shown(shape)}", "export it so that it takes a batch of images",
        )  # fmt: skip
    height, width = sides
    fixed = {side for side in sides if side is not None}
    if (height != width and None not in sides) or any(not _LEAST <= s <= _MOST for s in fixed):
        raise BackboneError(
            f"a network of square images with {_LEAST} to {_MOST:,} pixels in {file}",
            f"inputs {_shown(shape)}", "export it for such images",
        )  # fmt: skip
    return next(iter(fixed), None)


def _sides(shape: Shape) -> tuple[int | None, int | None] | None:
    if len(shape) == 4 and shape[3] == 3:
        return shape[1], shape[2]
    if len(shape) == 4 and shape[1] == 3:
        return shape[2], shape[3]
    return None


def _shown(shape: Shape) -> str:
    return "[" + ", ".join("any" if side is None else f"{side:,}" for side in shape) + "]"


def _damaged(file: Path, error: Exception) -> BackboneError:
    found = " ".join(str(error).split())[:160] or type(error).__name__
    return BackboneError(
        f"a whole network in {file}", f"a file that cannot be read as one ({found})",
        "export it again",
    )  # fmt: skip


def _unreadable(file: Path, error: OSError) -> BackboneError:
    found = (error.strerror or str(error)).lower()
    return BackboneError(f"to read {file}", found, "check the file and its permissions")
