"""The backbones: every image classifier of `keras.applications`, EfficientNet-Lite, own networks.

Keras is not imported for any of them.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path

from manyheads.backbones import frameworks, hub, preprocessing_modes
from manyheads.backbones.preprocessing_modes import Normalisation
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import BackboneError, SettingError

CHANNELS_FIRST, CHANNELS_LAST = "channels_first", "channels_last"
JOINT = "+"
"""What stands between the names of backbones side by side; and between their preprocessings:"""
PREPROCESSING_JOINT = " + "

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

# What `keras.applications` lacks, built by `efficientnet_lite`: function, name, size.
_LITE = "efficientnet_lite"
_LITE_TABLE = (
    ("EfficientNetLite0", "efficientnet_lite0", 224),
    ("EfficientNetLite2", "efficientnet_lite2", 260),
)
_LITE_PIXELS = "mean=0.498,0.498,0.498,std=0.502,0.502,0.502"  # as its publishers state it

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

    `data_format` is the layout in which OpenVINO runs it fastest. What `keras.applications` lacks
    has a stated `normalisation`: the module `efficientnet_lite`, and a network of the user's own,
    which is in a `file` and has no module. `NO_BACKBONE`, of features that were computed
    elsewhere, has no file either. One that is `fixed` takes its default size alone.
    `width` is Keras's `alpha`: how many filters there are, as a share of the usual number. `hub` is
    the pinned name of a network from the Hugging Face hub, `framework` that of one which another
    framework builds, and `tokens` what of its tokens are features. Unless asked otherwise, images
    are prepared by `resize` and `interpolation`. One with `members` is these side by side: they see
    the same pixels, and its features are theirs in turn.
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
    hub: str | None = None
    framework: str | None = None
    tokens: str | None = None
    resize: str | None = None
    interpolation: str = "bicubic"
    members: tuple[BackboneSpec, ...] = ()

    @property
    def parts(self) -> tuple[BackboneSpec, ...]:
        """The backbones that images go through: its members, or itself alone."""
        return self.members or (self,)

    @property
    def preprocessing(self) -> str:
        """What turns raw 0–255 RGB into what this backbone was trained on, in words."""
        if self.members:
            return PREPROCESSING_JOINT.join(member.preprocessing for member in self.members)
        if self.normalisation is not None:
            return self.normalisation.words
        return f"keras.applications.{self.module}.preprocess_input"

    @property
    def pinned(self) -> str | None:
        """The name under which a network from elsewhere stays the same, None of others."""
        return self.hub or self.framework

    @property
    def is_application(self) -> bool:
        """Whether it is one of `keras.applications`, with its weights and preprocessing."""
        return self.normalisation is None

    @property
    def is_own(self) -> bool:
        """Whether the network is the user's or the hub's, and not one that has a name here."""
        return not self.module

    @property
    def in_keras(self) -> bool:
        """Whether Keras builds the network, so that whole models are Keras's."""
        if self.members:
            return False
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
        if self.members:
            return False
        return self.module != "convnext" and self.tokens in (None, "mean")

    def prepared(
        self,
        size: int | None = None,
        interpolation: str | None = None,
        resize: str | None = None,
        *,
        exif: bool = True,
        depth: int | None = None,
        decode: str | None = None,
    ) -> ImageSettings:
        """How images are prepared; what is None is this backbone's own."""
        return ImageSettings(
            size=self.default_size if size is None else size,
            interpolation=interpolation or self.interpolation,
            exif=exif,
            depth=depth,
            resize=resize or self.resize,
            decode=decode or ImageSettings.decode,
        )

    def check_grid(self) -> None:
        """Raise `BackboneError` if the features are not the mean of a feature map."""
        if not self.pools_plainly:
            raise BackboneError(
                "a backbone whose features are the mean of its feature map", self.name,
                "leave out dropblock, or take another backbone",
            )  # fmt: skip

    def check_size(self, size: int) -> None:
        """Raise `BackboneError` if this backbone does not take images of `size` pixels."""
        if self.members:
            for member in self.members:
                member.check_size(size)
            return
        if self.fixed and size != self.default_size:
            raise BackboneError(
                f"the image size {self.default_size}, the only one that {self.name} takes",
                str(size), f"take {self.default_size}, or export the network for any size",
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


def is_described(name: object) -> bool:
    """Whether the hub or a framework says what `name` is, and how its images are prepared."""
    return hub.is_hub(name) or frameworks.is_framework(name)


def get(name: str | Path, preprocessing: str | None = None) -> BackboneSpec:
    """The backbone called `name`, or the one in the file `name` with a stated `preprocessing`.

    Of one from the hub (`hf:…`), its description is fetched unless it is in the cache; of one that
    another framework builds (`timm:…`), the framework is asked for it. `A+B` is two of them side by
    side, `A+B+C` three; there the preprocessing is that of those in files.

    Raises `BackboneError` with the nearest name if there is none, or for a file that holds no
    backbone; `SettingError` for a file without a preprocessing, and for a name with one;
    `DownloadError` if the hub does not describe it, and `MissingExtraError` without the framework.
    """
    # Each only where it is needed: arrays and JSON take longer to load than the table is read.
    from manyheads.backbones import joined_backbones, own_files

    if len(members := joined_backbones.member_names(name)) > 1:
        return joined_backbones.spec_of(members, preprocessing)
    if frameworks.is_framework(name):
        from manyheads.backbones import framework_backbones

        return framework_backbones.spec_of(str(name), preprocessing)
    if hub.is_hub(name):
        from manyheads.backbones import hub_backbones

        return hub_backbones.spec_of(str(name), preprocessing)
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
    from manyheads.backbones import joined_backbones

    if PREPROCESSING_JOINT in preprocessing:
        return joined_backbones.from_card(name, preprocessing)
    spec = _SPECS.get(name)
    if spec is not None and spec.preprocessing == preprocessing:
        return spec
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
    name: BackboneSpec(
        name, _LITE, function, size, 32, CHANNELS_FIRST,
        normalisation=preprocessing_modes.parse(_LITE_PIXELS),
    )
    for function, name, size in _LITE_TABLE
}  # fmt: skip
_SPECS |= {
    f"{name}_{width:g}": replace(_SPECS[name], name=f"{name}_{width:g}", width=width)
    for name, widths in _WIDTHS.items()
    for width in widths
}

NO_BACKBONE = from_card("none", "none")
"""In the place of a backbone where features were computed elsewhere."""
