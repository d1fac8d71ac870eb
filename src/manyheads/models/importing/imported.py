"""A model that the lesson's own script has saved, made an ordinary model of manyheads.

Only arrays and plain facts are taken out of the file, in a child process. So nothing in it can
run, and what Keras 3 cannot open of a file of Keras 2 (`SeparableConv2D`) is no hindrance. Keras
is asked to open it only for a comparison, in its safe mode, of parts that were looked at before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from manyheads.backbones import registry
from manyheads.backbones.known import by_numbers
from manyheads.backbones.weights import cached, resolve
from manyheads.core.destinations import file_for
from manyheads.core.job import SILENT, Job
from manyheads.core.places import disk_errors, make_folder
from manyheads.data.data_settings import ImageSettings
from manyheads.data.remote_path import FilePath
from manyheads.errors import ModelError, SettingError, WeightsError
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.modelfiles import arrays, keras_files, untrusted
from manyheads.models.card import ModelCard, remove_side_files, write_card
from manyheads.models.importing import foreign
from manyheads.models.importing.import_build import NAME_IT, check_build, check_outputs, prepared
from manyheads.models.importing.import_check import ImportCheck, check_import
from manyheads.models.templates import write_model

_DEFAULT = "xception"


@dataclass(frozen=True)
class Imported:
    """What was found in a file, and the model that was made of it.

    `output` is what the head gives in the file: logits, softmax, or of the second of two classes
    log-odds or sigmoid. `described`: the file describes its layers, beside their arrays;
    `folded`: layers with no activation between them became one; `inside`: it prepares images by
    layers of its own; `imagenet`: the backbone's weights are the ones in the cache, so that
    features computed before serve this model too.
    """

    source: Path
    model: Path
    card: ModelCard
    size_inner: int
    droprate: float
    output: str
    described: bool
    folded: bool
    inside: bool
    imagenet: bool
    check: ImportCheck | None


def import_model(
    file: str | Path,
    out: str | Path,
    *,
    classes: Sequence[str],
    backbone: str | None = None,
    image_size: int | None = None,
    interpolation: str = "nearest",
    exif: bool = False,
    depth: int | None = None,
    preprocessing: str | None = None,
    check: Sequence[FilePath] | None = (),
    job: Job = SILENT,
) -> Imported:
    """Write the model in `file` (.keras or .h5, of Keras 2 or 3) to `out` (.keras).

    `classes` are the names in the order of the outputs. `backbone` and `image_size` (pixels) are
    taken from the file where it tells them. `interpolation`, `exif` and `depth` are how images were
    prepared; the defaults are those of the lesson's loader. `preprocessing`, as `normalisation`
    names it, is what was done to pixels, by layers in the file or else as `keras.applications` does
    for the backbone. The model is compared with what Keras makes of the file: on the images in
    `check`, on generated ones (empty), or not at all (None).
    Raises `ModelError` for a file that holds no frozen backbone
    with a head of one or two dense layers, or from which the model differs, `WeightsError` if its
    arrays are not this backbone's, `SettingError` for what does not fit the file, `Interrupted`
    when `job` is stopped. A model that was at `out` stays until the new one is whole and compared.
    """
    path, target = Path(file).expanduser(), Path(out).expanduser()
    _check_files(path, target)
    names = _names(classes)
    job.note(f"reading {path.name} …")
    facts, parameters = _taken(path, job)
    spec = registry.get(backbone or _recognised(path, facts))
    image = ImageSettings(
        size=_size(path, facts["size"], image_size), interpolation=interpolation, exif=exif,
        depth=depth,
    )  # fmt: skip
    spec.check_size(image.size)
    check_outputs(path, len(parameters.bias), names)
    check_build(path, spec, facts, parameters.features, image.size, job)
    words, inside = prepared(path, spec, facts, preprocessing)
    hyperparameters = Hyperparameters(
        size_inner=len(parameters.inner_bias), droprate=facts["droprate"]
    )
    weights = resolve(spec, path, job=job)
    kept = cached(spec)
    imagenet = kept is not None and kept.digest == weights.digest
    card = ModelCard(
        classes=names,
        backbone=spec.name,
        weights=weights.digest,
        weights_source=weights.source,
        image=image,
        preprocessing=spec.preprocessing if words == spec.mode else words,
        data=path.name,
    )
    with _draft(target) as draft:
        job.note(f"writing {target.name} …")
        try:
            write_model(spec, weights, image.size, (parameters, hyperparameters), draft, job)
        except ValueError as error:  # the template's dense layers have other shapes
            raise WeightsError(f"a head for {spec.name} in {path}", str(error), NAME_IT) from error
        write_card(draft, card)
        checked = None
        if check is not None and facts["described"]:
            job.note(f"comparing with what Keras makes of {path.name} …")
            checked = check_import(path, draft, card, facts["output"], inside, check, job)
        # No side file ever stands beside another model.
        with disk_errors(target):
            remove_side_files(target)
            draft.replace(target)
    write_card(target, card)
    return Imported(
        source=path,
        model=target,
        card=card,
        size_inner=hyperparameters.size_inner,
        droprate=hyperparameters.droprate,
        output=facts["output"],
        described=facts["described"],
        folded=facts["folded"],
        inside=inside,
        imagenet=imagenet,
        check=checked,
    )


def _check_files(path: Path, target: Path) -> None:
    if not path.is_file():
        raise ModelError("a model file", f"no file at {path}", "check the path")
    if problem := keras_files.problem(path):
        raise foreign.refusal(path, problem)
    if path.suffix.lower() == ".safetensors":
        raise foreign.refusal(path, "arrays without names")
    if target.suffix != ".keras":
        raise SettingError(
            "a file name that ends with .keras", str(target), f"name it {target.stem}.keras"
        )
    file_for(target)
    if target.exists() and target.samefile(path):
        raise SettingError("another file than the model itself", str(target), "choose another name")


def _names(classes: Sequence[str]) -> tuple[str, ...]:
    names = tuple(str(name).strip() for name in classes)
    if len(names) < 2 or len(set(names)) < len(names) or not all(names):
        raise SettingError(
            "two or more class names, all different",
            ", ".join(map(repr, names))[:120] or "none",
            "give one name for each class",
        )
    return names


def _taken(path: Path, job: Job) -> tuple[dict[str, Any], Parameters]:
    """What the file tells, and its head."""
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        target = Path(folder) / "head.safetensors"
        arguments = {"file": str(path), "target": str(target)}
        refusal = partial(foreign.refusal, path)
        facts = untrusted.call(foreign.take_head, arguments, refusal, job)
        return facts, Parameters(*arrays.load(target))


def _recognised(path: Path, facts: dict[str, Any]) -> str:
    """The backbone by the numbers in it, or as the nested layer is named.

    `mobilenetv2_1.00_224` → mobilenet_v2. Raises `ModelError` for a network that is unknown.
    """
    found = by_numbers(facts["numbers"])
    letters = _letters(facts["backbone"] or "")
    named = [known for known in registry.names() if letters.startswith(_letters(known))]
    if not found and not named and facts["described"]:
        raise ModelError(
            f"a backbone of keras.applications in {path}",
            f"a network of {facts['numbers']:,} numbers, which is none of them",
            "name it with `backbone` if it is one; a network of one's own is a backbone of studies",
        )
    return found or max(named, key=len, default=_DEFAULT)


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _size(path: Path, stored: int | None, given: int | None) -> int:
    if stored is None and given is None:
        raise SettingError(
            f"the image size, which {path} does not tell", "none", "give `image_size`, such as 150"
        )
    if stored is not None and given is not None and stored != given:
        raise SettingError(
            f"the image size {stored} of {path}", str(given), "leave the image size out"
        )
    return stored or given or 0


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A name for an unfinished model, in a folder beside `target` that is gone afterwards."""
    folder = make_folder(target.parent)
    with disk_errors(folder):
        scratch = tempfile.TemporaryDirectory(prefix=".import-", dir=folder)
    with scratch as name:
        yield Path(name) / target.name
