"""The backbones: every image classifier of `keras.applications`, and the user's own networks.

Keras is not imported for any of them.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path

from manyheads.backbones import preprocessing_modes
from manyheads.backbones.preprocessing_modes import Normalisation
from manyheads.errors import BackboneError, SettingError

CHANNELS_FIRST, CHANNELS_LAST = "channels_first", "channels_last"

# Keras refuses channels_first for these; everywhere else it spares OpenVINO the transposes.
_ONLY_CHANNELS_LAST = ("convnext", "densenet", "nasnet")

# Measured: more images at a time gain less than a tenth; fewer keep large images in memory.
_BATCH = 16
_PIXELS = 16 * 224 * 224

# What each module's `preprocess_input` does to pixels, in the words of `normalisation`; none where
# the network's own first layers do it.
_MODES = {
    "convnext": "none",
    "densenet": "torch",
    "efficientnet": "none",
    "efficientnet_v2": "none",
    "mobilenet_v3": "none",
    "resnet": "caffe",
    "vgg16": "caffe",
    "vgg19": "caffe",
}

_MIN_SIZES = {"inception_resnet_v2": 75, "inception_v3": 75, "xception": 71}

# module in keras.applications, function, name here, the size it was trained at
_TABLE = (
    ("convnext", "ConvNeXtTiny", "convnext_tiny", 224),
    ("convnext", "ConvNeXtSmall", "convnext_small", 224),
    ("convnext", "ConvNeXtBase", "convnext_base", 224),
    ("convnext", "ConvNeXtLarge", "convnext_large", 224),
    ("convnext", "ConvNeXtXLarge", "convnext_xlarge", 224),
    ("densenet", "DenseNet121", "densenet121", 224),
    ("densenet", "DenseNet169", "densenet169", 224),
    ("densenet", "DenseNet201", "densenet201", 224),
    ("efficientnet", "EfficientNetB0", "efficientnet_b0", 224),
    ("efficientnet", "EfficientNetB1", "efficientnet_b1", 240),
    ("efficientnet", "EfficientNetB2", "efficientnet_b2", 260),
    ("efficientnet", "EfficientNetB3", "efficientnet_b3", 300),
    ("efficientnet", "EfficientNetB4", "efficientnet_b4", 380),
    ("efficientnet", "EfficientNetB5", "efficientnet_b5", 456),
    ("efficientnet", "EfficientNetB6", "efficientnet_b6", 528),
    ("efficientnet", "EfficientNetB7", "efficientnet_b7", 600),
    ("efficientnet_v2", "EfficientNetV2B0", "efficientnet_v2_b0", 224),
    ("efficientnet_v2", "EfficientNetV2B1", "efficientnet_v2_b1", 240),
    ("efficientnet_v2", "EfficientNetV2B2", "efficientnet_v2_b2", 260),
    ("efficientnet_v2", "EfficientNetV2B3", "efficientnet_v2_b3", 300),
    ("efficientnet_v2", "EfficientNetV2S", "efficientnet_v2_s", 384),
    ("efficientnet_v2", "EfficientNetV2M", "efficientnet_v2_m", 480),
    ("efficientnet_v2", "EfficientNetV2L", "efficientnet_v2_l", 480),
    ("inception_resnet_v2", "InceptionResNetV2", "inception_resnet_v2", 299),
    ("inception_v3", "InceptionV3", "inception_v3", 299),
    ("mobilenet", "MobileNet", "mobilenet", 224),
    ("mobilenet_v2", "MobileNetV2", "mobilenet_v2", 224),
    ("mobilenet_v3", "MobileNetV3Small", "mobilenet_v3_small", 224),
    ("mobilenet_v3", "MobileNetV3Large", "mobilenet_v3_large", 224),
    ("nasnet", "NASNetMobile", "nasnet_mobile", 224),
    ("nasnet", "NASNetLarge", "nasnet_large", 331),
    ("resnet", "ResNet50", "resnet50", 224),
    ("resnet", "ResNet101", "resnet101", 224),
    ("resnet", "ResNet152", "resnet152", 224),
    ("resnet_v2", "ResNet50V2", "resnet50_v2", 224),
    ("resnet_v2", "ResNet101V2", "resnet101_v2", 224),
    ("resnet_v2", "ResNet152V2", "resnet152_v2", 224),
    ("vgg16", "VGG16", "vgg16", 224),
    ("vgg19", "VGG19", "vgg19", 224),
    ("xception", "Xception", "xception", 299),
)

# Narrower and wider ones of the same layers, as other tools have them: `mobilenet_v2_0.35`.
_WIDTHS = {
    "mobilenet": (0.25, 0.5, 0.75),
    "mobilenet_v2": (0.35, 0.5, 0.75, 1.3, 1.4),
    "mobilenet_v3_large": (0.75,),
    "mobilenet_v3_small": (0.75,),
}


@dataclass(frozen=True)
class BackboneSpec:
    """One backbone: `keras.applications.<module>.<function>`, and the sizes (pixels) it takes.

    `data_format` is the layout in which OpenVINO runs it fastest. A network of the user's own is in
    a `file` and has a stated `normalisation`; `NO_BACKBONE`, of features that were computed
    elsewhere, has neither these nor a module. One that is `fixed` takes its default size alone.
    `width` is Keras's `alpha`: how many filters there are, as a share of the usual number.
    """

    name: str
    module: str
    function: str
    default_size: int
    min_size: int
    data_format: str
    file: Path | None = None
    normalisation: Normalisation | None = None
    fixed: bool = False
    width: float | None = None

    @property
    def preprocessing(self) -> str:
        """What turns raw 0–255 RGB into what this backbone was trained on, in words."""
        if self.normalisation is not None:
            return self.normalisation.words
        return f"keras.applications.{self.module}.preprocess_input"

    @property
    def in_keras(self) -> bool:
        """Whether Keras builds the network, so that whole models are Keras's."""
        return self.file is None or self.file.suffix.lower() == ".keras"

    @property
    def mode(self) -> str:
        """The preprocessing as `normalisation` names it: tf, torch, caffe, none …"""
        if self.normalisation is not None:
            return self.normalisation.words
        return _MODES.get(self.module, "tf")

    @property
    def pools_plainly(self) -> bool:
        """Whether the features are the plain mean over the cells of the feature map.

        ConvNeXt normalises after the mean, and its grid cell by cell.
        """
        return self.module != "convnext"

    def check_grid(self) -> None:
        """Raise `BackboneError` if the features are not the mean of a feature map."""
        if not self.pools_plainly:
            raise BackboneError(
                "a backbone whose features are the mean of its feature map", self.name,
                "leave out dropblock, or take another backbone",
            )  # fmt: skip

    def check_size(self, size: int) -> None:
        """Raise `BackboneError` if this backbone does not take images of `size` pixels."""
        if self.fixed and size != self.default_size:
            raise BackboneError(
                f"the image size {self.default_size}, the only one that {self.name} takes",
                str(size), "leave it out, or export the network for any size",
            )  # fmt: skip
        if size < self.min_size:
            raise BackboneError(
                f"an image size of at least {self.min_size} for {self.name}",
                str(size),
                f"give a larger one; {self.name} was trained at {self.default_size}",
            )


def batch_size(size: int) -> int:
    """Images of `size` pixels in a batch: 16, fewer of large ones, so that memory is bounded."""
    return max(1, min(_BATCH, _PIXELS // size**2))


def names() -> tuple[str, ...]:
    """The names of all backbones, sorted; those of another width are not listed."""
    return tuple(sorted(name for name, spec in _SPECS.items() if spec.width is None))


def get(name: str | Path, preprocessing: str | None = None) -> BackboneSpec:
    """The backbone called `name`, or the one in the file `name` with a stated `preprocessing`.

    Raises `BackboneError` with the nearest name if there is none, or for a file that holds no
    backbone; `SettingError` for a file without a preprocessing, and for a name with one.
    """
    from manyheads.backbones import own_files

    spec = _SPECS.get(str(name))
    if spec is not None and preprocessing is not None:
        raise SettingError(
            f"no other preprocessing for {name} than its own", repr(preprocessing),
            "leave it out; it is for a network in a file",
        )  # fmt: skip
    if spec is None and own_files.is_file(name):
        return own_files.spec_of(name, preprocessing)
    if spec is None:
        raise BackboneError("the name of a backbone", repr(str(name)), _suggestion(str(name)))
    return spec


def from_card(name: str, preprocessing: str) -> BackboneSpec:
    """The backbone that a side file tells of; of a network in a file, the file is not needed.

    Raises `BackboneError` if there is none of this name with this preprocessing.
    """
    if preprocessing_modes.is_named(preprocessing):
        words = preprocessing_modes.parse(preprocessing)
        return BackboneSpec(name, "", "", 224, 32, CHANNELS_LAST, normalisation=words)
    spec = get(name)
    if spec.preprocessing != preprocessing:
        raise BackboneError(
            f"{spec.preprocessing} as the preprocessing of {name}", preprocessing,
            "take the side file that belongs to the model",
        )  # fmt: skip
    return spec


def _suggestion(name: str) -> str:
    # People also write the name as Keras does: EfficientNetV2B0, ResNet50V2, MobileNet-V3.
    wanted = _letters(name)
    known = {_letters(known): known for known in names()}
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {known[near[0]]}?"
    return f"choose one of {', '.join(names())}"


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


_SPECS = {
    name: BackboneSpec(
        name=name,
        module=module,
        function=function,
        default_size=size,
        min_size=_MIN_SIZES.get(module, 32),
        data_format=CHANNELS_LAST if module in _ONLY_CHANNELS_LAST else CHANNELS_FIRST,
    )
    for module, function, name, size in _TABLE
}
_SPECS |= {
    f"{name}_{width:g}": replace(_SPECS[name], name=f"{name}_{width:g}", width=width)
    for name, widths in _WIDTHS.items()
    for width in widths
}

NO_BACKBONE = from_card("none", "none")
"""In the place of a backbone where features were computed elsewhere."""
