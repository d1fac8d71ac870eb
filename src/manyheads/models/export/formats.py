"""The formats that a model is exported in: what opens them, and what writing them takes."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from manyheads.core.settings import choice
from manyheads.errors import MissingExtraError, SettingError


@dataclass(frozen=True)
class Format:
    """One format: how its files' names end ("": it is a folder), and what opens them.

    `backend` is the Keras backend that writes it; `packages` are what that and the runtime need
    beyond the base installation, and `extra` brings them. What that cannot write, Keras on the
    `fallback` may, which needs `more` packages. Some formats may be `quantised`, for which int8
    needs the packages of `int8` as well.
    """

    name: str
    suffix: str
    opens: str
    backend: str = "openvino"
    packages: tuple[str, ...] = ()
    extra: str = "export"
    fallback: str = ""
    more: tuple[str, ...] = ()
    quantised: bool = False
    int8: tuple[str, ...] = ()

    @property
    def is_folder(self) -> bool:
        """Whether a model of this format is a folder of files."""
        return not self.suffix

    def target(self, folder: Path, quantised: str = "") -> Path:
        """The usual place of a model of this format in `folder`; of a `quantised` one its own."""
        stem = f"best-{quantised}" if quantised else "best"
        return folder / (f"best_{self.name}" if self.is_folder else f"{stem}{self.suffix}")

    def check_target(self, target: Path) -> None:
        """Raise `SettingError` unless `target` is named like this format, and free to be written.

        A folder that is not an earlier export is the user's own.
        """
        if self.is_folder:
            ours = (target / _MARK).is_file()
            if target.is_file() or (target.is_dir() and not ours and any(target.iterdir())):
                raise SettingError(
                    f"a new folder, or an earlier {self.name} export, at {target}",
                    "a file" if target.is_file() else "a folder of other files",
                    "name another folder with `out`",
                )
        elif target.suffix != self.suffix:
            raise SettingError(
                f"a file name that ends with {self.suffix}", str(target),
                f"name it {target.stem}{self.suffix}",
            )  # fmt: skip
        elif target.is_dir():
            raise SettingError(f"a file at {target}", "a folder", "name another file with `out`")

    def require_installed(self) -> None:
        """Raise `MissingExtraError` if a package that this format needs is not installed."""
        if missing := _missing(self.packages):
            raise MissingExtraError(
                f"{', '.join(missing)}, which the format {self.name} needs", "none installed",
                f"run: pip install 'manyheads[{self.extra}]'",
            )  # fmt: skip

    def require_quantiser(self, kind: str) -> None:
        """Raise `MissingExtraError` if what quantises this format to `kind` is not installed."""
        if kind == "int8" and (missing := _missing(self.int8)):
            raise MissingExtraError(
                f"{', '.join(missing)}, to quantise {self.name} to {kind}", "none installed",
                "run: pip install 'manyheads[quantize]'",
            )  # fmt: skip

    def require_fallback(self, layer: str) -> None:
        """Raise `MissingExtraError` if what converts the `layer` of a model is not installed."""
        if missing := _missing(self.more):
            raise MissingExtraError(
                f"{', '.join(missing)}, to convert the layer {layer} to {self.name}",
                "none installed", "run: pip install 'manyheads[export]'",
            )  # fmt: skip


def _missing(packages: tuple[str, ...]) -> list[str]:
    return [name for name in packages if importlib.util.find_spec(name) is None]


INPUT, OUTPUT = "images", "outputs"
"""The names of every export's input and output."""

# What TensorFlow leaves to others lies here in a SavedModel.
EXTRAS = "assets.extra"
CARD, LABELS = "card.json", "labels.txt"
_MARK = f"{EXTRAS}/{CARD}"

FORMATS = {
    entry.name: entry
    for entry in (
        Format("keras", ".keras", "Keras"),
        Format("h5", ".h5", "Keras"),
        Format("openvino", ".xml", "OpenVINO", quantised=True, int8=("nncf",)),
        Format(
            "onnx", ".onnx", "ONNX Runtime", packages=("onnx", "onnxruntime"), extra="onnx",
            fallback="tensorflow", more=("tensorflow", "tf2onnx"), quantised=True,
        ),
        Format(
            "litert", ".tflite", "LiteRT", "tensorflow", ("tensorflow", "ai_edge_litert"),
            quantised=True,
        ),
        Format("saved_model", "", "TensorFlow", "tensorflow", ("tensorflow",)),
    )
}  # fmt: skip


# What users of other tools ask for, and why there is none; see docs/guides/export.md.
_ELSEWHERE = {
    "coreml": (
        "a Core ML model, which runs, and so can be checked, on Apple's systems alone",
        "export litert, which runs on iOS too, or convert a saved_model there with coremltools",
    ),
    "tfjs": (
        "a TensorFlow.js model, whose converter takes older versions of TensorFlow and NumPy",
        "export onnx, which ONNX Runtime Web opens in a browser",
    ),
}


def format_named(name: str) -> Format:
    """The format called `name`; raises `SettingError` with all names if there is none."""
    if name in _ELSEWHERE:
        why, remedy = _ELSEWHERE[name]
        raise SettingError(f"one of the formats {', '.join(FORMATS)}", why, remedy)
    return FORMATS[choice("format", name, tuple(FORMATS))]
