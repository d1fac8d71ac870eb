"""What needs Keras itself; called in a child through `keras_process.call`.

Keras builds some networks differently when it is asked for ImageNet weights (EfficientNet then
rescales its input once more). So every network here is built as for ImageNet weights, with the
download and the loading taken out.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.backbones import efficientnet_lite, own_files, registry
from manyheads.backbones.preprocessing_modes import Normalisation
from manyheads.backbones.registry import CHANNELS_FIRST, CHANNELS_LAST, BackboneSpec, batch_size
from manyheads.core import openvino_runtime
from manyheads.errors import BackboneError, WeightsError
from manyheads.modelfiles import arrays
from manyheads.modelfiles.keras_parts import check_file

if TYPE_CHECKING:
    import keras


def origin(backbone: str) -> dict[str, str]:
    """Where Keras's server keeps the ImageNet weights: their `file` name, `url` and `hash`."""
    spec = registry.get(backbone)
    return _built(spec, spec.default_size, spec.data_format)[1]


def network(
    spec: BackboneSpec,
    size: int,
    data_format: str,
    *,
    top: bool = False,
    pooling: str | None = "avg",
) -> keras.Model:
    """The backbone in Keras, untrained: preprocessed images → pooled features (`top`: classes).

    Without `pooling`, the features of every cell of the grid. A network of the user's own comes
    with its weights, and without `pooling` as it is in its file.
    """
    if spec.file is not None:
        return own_network(spec.file, size, pooling)
    return _built(spec, size, data_format, top, pooling)[0]


def with_weights(
    spec: BackboneSpec, weights: Path, digest: str, size: int, data_format: str, pooling: str | None
) -> keras.Model:
    """`network` with the weights that `digest` names; raises `WeightsError` for others."""
    inner = network(spec, size, data_format, pooling=pooling)
    if spec.file is None:
        inner.set_weights(stored(weights, digest))
    else:
        own_files.require(spec.file, digest)
    return inner


def with_preprocessing(spec: BackboneSpec, inner: keras.Model, data_format: str) -> keras.Model:
    """`inner` behind its own preprocessing: raw 0–255 RGB (float32) → pooled features."""
    import keras

    raw = keras.Input(inner.input_shape[1:], dtype="float32")
    return keras.Model(raw, inner(preprocessed(spec, raw, data_format)))


def preprocessed(spec: BackboneSpec, raw: Any, data_format: str) -> Any:
    """Raw 0–255 RGB as the backbone expects it: an array of floats, or a tensor of Keras's.

    An array may be changed in place.
    """
    import keras

    if spec.normalisation is not None:
        return normalised(spec.normalisation, raw, data_format)
    preprocess = getattr(keras.applications, spec.module).preprocess_input
    return preprocess(raw, data_format=data_format)


def normalised(how: Normalisation, raw: Any, data_format: str = CHANNELS_LAST) -> Any:
    """Raw 0–255 RGB as a stated preprocessing has it; BGR of channels that are last alone."""
    import keras

    pixels: Any = keras.ops.stack([raw[..., n] for n in (2, 1, 0)], axis=-1) if how.bgr else raw
    shape = (3, 1, 1) if data_format == CHANNELS_FIRST else (3,)
    mean, std = (np.array(each, np.float32).reshape(shape) for each in (how.mean, how.std))
    return (pixels - mean) / std


def own_network(file: Path, size: int, pooling: str | None = "avg") -> keras.Model:
    """The network in a `.keras` file: preprocessed `[n, size, size, 3]` → features.

    With the `pooling` avg, a feature map is averaged; without, the network is as it is in its
    file. Raises `ModelError` for parts that could run code, `BackboneError` for a network that
    Keras does not open, or of other inputs or outputs.
    """
    import keras

    check_file(file, "use only networks of Keras's own layers, or export this one as ONNX")
    try:
        model: Any = keras.saving.load_model(file, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError, AttributeError) as error:
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        raise BackboneError(
            f"a network that Keras can open in {file}", reason[:200], "save it again"
        ) from error
    model.trainable = False
    images = keras.Input((size, size, 3))
    try:
        found = model(images, training=False)
    except (ValueError, TypeError) as error:
        raise BackboneError(
            f"a network of images [n, {size}, {size}, 3] in {file}",
            " ".join(str(error).split())[:160], "name its `image_size`, or save it anew",
        ) from error  # fmt: skip
    if not hasattr(found, "shape") or len(found.shape) not in (2, 4):
        shape = list(found.shape) if hasattr(found, "shape") else f"{len(found)} outputs"
        raise own_files.no_features(file, str(shape))
    if pooling is None:
        return model
    if len(found.shape) == 4:
        found = keras.layers.GlobalAveragePooling2D(data_format=CHANNELS_LAST)(found)
    return keras.Model(images, found)


def export(
    backbone: str, weights: str, digest: str, size: int, target: str, pooling: str = "avg"
) -> dict[str, Any]:
    """Write the backbone as OpenVINO's `target` (.xml, with .bin), as `exported.Program` says.

    With the `pooling` grid it yields the feature map, `[n, rows, columns, features]`. Raises
    `WeightsError` if the stored arrays are not the ones that `digest` names.
    """
    spec = registry.get(backbone)
    grid = pooling == "grid"
    pooling_inside = None if grid else "avg"
    inner = with_weights(spec, Path(weights), digest, size, spec.data_format, pooling_inside)
    write_program(spec, inner, spec.data_format, Path(target), grid=grid)
    first = grid and spec.data_format == CHANNELS_FIRST
    return {"features": int(inner.output_shape[1 if first else -1])}


def grid_side(backbone: str, size: int) -> dict[str, int]:
    """How many cells a side of the feature map has, for images of `size` pixels."""
    spec = registry.get(backbone)
    return {"side": int(network(spec, size, CHANNELS_LAST, pooling=None).output_shape[1])}


def write_program(
    spec: BackboneSpec, inner: keras.Model, data_format: str, target: Path, *, grid: bool = False
) -> None:
    """Write `inner` behind its preprocessing as OpenVINO's `target`, `uint8` NHWC in.

    A feature `grid` comes out as NHWC too.
    """
    import keras
    import openvino
    from openvino.preprocess import PrePostProcessor

    plain = target.with_name("float.xml")
    with _plain_settings(data_format):
        # Some networks reshape by their batch size, which an export fixes at 1 if it is open.
        shape = (batch_size(inner.input_shape[2]), *inner.input_shape[1:])
        signature = [keras.InputSpec(dtype="float32", shape=shape, name="pixels")]
        whole = with_preprocessing(spec, inner, data_format)
        whole.export(str(plain), format="openvino", verbose=False, input_signature=signature)

    process = PrePostProcessor(openvino_runtime.core().read_model(plain))
    process.input().tensor().set_element_type(openvino.Type.u8)
    process.input().tensor().set_layout(openvino.Layout("NHWC"))
    layout = "NCHW" if data_format == CHANNELS_FIRST else "NHWC"
    process.input().model().set_layout(openvino.Layout(layout))
    if grid:
        process.output().model().set_layout(openvino.Layout(layout))
        process.output().tensor().set_layout(openvino.Layout("NHWC"))
    openvino.serialize(process.build(), str(target))
    for file in (plain, plain.with_suffix(".bin")):
        file.unlink()


def stored(path: Path, digest: str) -> list[Any]:
    """The arrays in `path`; raises `WeightsError` if they are not the ones that `digest` names."""
    loaded = arrays.load(path)
    if arrays.digest(loaded) != digest:
        raise WeightsError(
            f"weights with the digest {digest[:12]}… in {path}",
            f"the digest {arrays.digest(loaded)[:12]}…",
            "delete that file and repeat the command",
        )
    return loaded


def _built(
    spec: BackboneSpec,
    size: int,
    data_format: str,
    top: bool = False,
    pooling: str | None = "avg",
) -> tuple[keras.Model, dict[str, str]]:
    import keras

    shape = (3, size, size) if data_format == CHANNELS_FIRST else (size, size, 3)
    if not spec.is_application:
        with _plain_settings(data_format):
            return efficientnet_lite.build(spec.function, shape, data_format, pooling), {}
    width = {} if spec.width is None else {"alpha": spec.width}
    with _plain_settings(data_format), _nothing_loaded() as asked, warnings.catch_warnings():
        # Keras warns that weights for 224 pixels serve other sizes; that is intended here.
        warnings.simplefilter("ignore")
        model = getattr(keras.applications, spec.function)(
            weights="imagenet", include_top=top, input_shape=shape, pooling=pooling, **width
        )
    return model, asked


@contextmanager
def _nothing_loaded() -> Iterator[dict[str, str]]:
    """Answer Keras's request for a file with its name, remember it, and load nothing."""
    import keras

    files: Any = sys.modules[keras.utils.get_file.__module__]
    models: Any = keras.Model
    asked: dict[str, str] = {}

    def get_file(fname: str, origin: str, *, file_hash: str = "", **_: object) -> str:
        asked.update(file=fname, url=origin, hash=file_hash)
        return fname

    kept = files.get_file, models.load_weights
    files.get_file, models.load_weights = get_file, lambda *_, **__: None
    try:
        yield asked
    finally:
        files.get_file, models.load_weights = kept


@contextmanager
def _plain_settings(data_format: str) -> Iterator[None]:
    """Keras as it comes, whatever the user's own keras.json or session asks for."""
    from keras import config

    kept = config.floatx(), config.dtype_policy(), config.image_data_format()
    config.set_floatx("float32")
    config.set_dtype_policy("float32")
    config.set_image_data_format(data_format)
    try:
        yield
    finally:
        config.set_floatx(kept[0])
        config.set_dtype_policy(kept[1])
        config.set_image_data_format(kept[2])
