"""A folder that is ready for the Hugging Face hub: model files, settings as JSON, and the card."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from manyheads.core.destinations import folder_for
from manyheads.core.job import SILENT, Job
from manyheads.core.places import write_text
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import MissingExtraError, RunError, SettingError
from manyheads.models.card import card_path
from manyheads.models.drafts import drafts, replace_folder
from manyheads.models.export.exporter import Exported, export_model
from manyheads.models.export.formats import format_named
from manyheads.run.hand_over.card_facts import CardFacts, read_facts
from manyheads.run.hand_over.card_page import Licences, hub_metadata, model_card
from manyheads.study.folder import RunFolder

HUB = "hub"
"""The name of this format beside those of `formats.FORMATS`."""
_MARK = "manyheads"  # what config.json of a folder of ours has
_ONNX = "onnx/model.onnx"
_PIL = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4}
_LARGE = ("*.bin", "*.h5", "*.keras", "*.onnx", "*.safetensors", "*.xml")


@dataclass(frozen=True, kw_only=True)
class HubFolder:
    """A folder that was written: its models as they were checked, and what was `left_out`."""

    folder: Path
    models: tuple[Exported, ...]
    left_out: str

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, the card first."""
        every = sorted(each for each in self.folder.rglob("*") if each.is_file())
        return tuple(sorted(every, key=lambda each: each.name != "README.md"))


def write_hub_folder(
    run: str | Path,
    out: str | Path | None = None,
    *,
    licence: str | None = None,
    data_licence: str | None = None,
    data: str | Path | None = None,
    job: Job = SILENT,
) -> HubFolder:
    """Write the model of a finished sweep or fit for the Hugging Face hub; nothing is sent.

    The folder has the model in Keras's format (in OpenVINO's, of a backbone that Keras does not
    build) and, where the extra `onnx` is installed, as ONNX, each checked as `export_model` checks;
    config.json with the names of the classes, preprocessor_config.json with the preparation of
    images as numbers, and README.md, the card. `licence` and `data_licence` are the hub's names of
    licences, such as cc0-1.0; what is not given is said to be unknown. `data` is where the images
    lie now, if they were moved. Without `out` it is
    `export/hub` in the run folder. Raises what `export_model` raises, and `SettingError` for a
    folder of other files.
    """
    folder = RunFolder(run)
    if not folder.path.is_dir():
        raise RunError(f"a run folder at {run}", "no such folder", "name one of a sweep or fit")
    target = Path(out) if out is not None else folder.path / "export" / HUB
    _check_target(target)
    folder_for(target.parent)
    facts = read_facts(folder.path)
    if facts.image is None:
        raise SettingError(
            "a model of images, for the format hub", "one of features computed elsewhere",
            "give `format` keras",
        )  # fmt: skip
    first = format_named("openvino" if folder.best.suffix == ".xml" else "keras")
    with drafts(target.with_name(f".{target.name}-{os.getpid()}")) as scratch:
        made = scratch / "made"
        made.mkdir()
        models = [export_model(folder, first.name, made / f"model{first.suffix}", job, data=data)]
        files, left_out = [f"model{first.suffix}"], ""
        try:
            format_named("onnx").require_installed()
            models.append(export_model(folder, "onnx", made / _ONNX, job, data=data))
            files.append(_ONNX)
        except (MissingExtraError, SettingError) as error:
            left_out = f"{_ONNX}: {error.expected}, but found {error.found}; {error.remedy}"
        licences = Licences(model=licence, data=data_licence)
        page = hub_metadata(facts, first.name, licences) + "\n" + model_card(facts, files, licences)
        write_text(made / "README.md", page)
        _write_json(made / "config.json", _config(facts, facts.image))
        _write_json(made / "preprocessor_config.json", processor(facts.image))
        large = "".join(f"{each} filter=lfs diff=lfs merge=lfs -text\n" for each in _LARGE)
        write_text(made / ".gitattributes", large)
        for each in models:
            job.check("the export", "repeat the same command")
            assert card_path(each.files[0]).is_file()
        replace_folder(made, target)
    moved = tuple(_moved(each, made, target) for each in models)
    return HubFolder(folder=target, models=moved, left_out=left_out)


def processor(image: ImageSettings) -> dict[str, Any]:
    """The preparation of images in the words of the hub's preprocessor_config.json, as numbers.

    The pixels stay 0 to 255: what is subtracted and divided by is inside the model.
    """
    side = {"height": image.size, "width": image.size}
    document: dict[str, Any] = {
        "do_convert_rgb": True,
        "do_resize": True,
        "size": side,
        "resample": _PIL[image.interpolation],
        "do_center_crop": False,
        "do_rescale": False,
        "do_normalize": False,
        "data_format": "channels_last",
    }
    if (crop := image.shorter_side) is not None:
        document |= {"size": {"shortest_edge": crop}, "do_center_crop": True, "crop_size": side}
    elif image.keeps_proportions:
        document |= {"size": {"longest_edge": image.size}, "do_pad": True, "pad_size": side}
    return document


def _config(facts: CardFacts, image: ImageSettings) -> dict[str, Any]:
    return {
        "model_type": "image-classification",
        "image_size": image.size,
        "num_channels": 3,
        "id2label": {str(number): name for number, name in enumerate(facts.classes)},
        "label2id": {name: number for number, name in enumerate(facts.classes)},
        **_of_labels(facts),
        _MARK: facts.versions.get("manyheads", ""),
    }


def _of_labels(facts: CardFacts) -> dict[str, Any]:
    """What the hub calls several labels, and the thresholds above which they are said."""
    if facts.labels is None:
        return {}
    thresholds = [each.threshold for each in facts.labels.labels]
    return {"problem_type": "multi_label_classification", "thresholds": thresholds}


def _check_target(target: Path) -> None:
    """Raise `SettingError` unless `target` is a new folder, or an earlier one of ours."""
    if target.is_dir():
        try:
            ours = _MARK in json.loads((target / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            ours = False
        if ours or not any(target.iterdir()):
            return
    elif not target.exists():
        return
    raise SettingError(
        f"a new folder, or an earlier hub export, at {target}",
        "a folder of other files" if target.is_dir() else "a file",
        "name another folder with `out`",
    )


def _write_json(path: Path, document: dict[str, Any]) -> None:
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _moved(exported: Exported, made: Path, target: Path) -> Exported:
    files = tuple(target / each.relative_to(made) for each in exported.files)
    return replace(exported, files=files)
