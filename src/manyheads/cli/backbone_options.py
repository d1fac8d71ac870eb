"""Options that say which backbone sees the images and how they are prepared for it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from manyheads.backbones.preprocessing_modes import MODES_HELP
from manyheads.cli.parser import Values
from manyheads.data.data_settings import DECODES, INTERPOLATIONS, ImageSettings

if TYPE_CHECKING:
    from manyheads.backbones.registry import BackboneSpec

BACKBONE = "xception"
_COMPARED = f"; several are compared in one study (default: {BACKBONE})"
_OF_IMAGES = (
    "backbone",
    "pooling",
    "preprocessing",
    "weights",
    "image_size",
    "interpolation",
    "resize",
    "exif",
    "depth",
    "decode",
)


def add_images(parser: argparse.ArgumentParser, size: str, *, several: bool = False) -> None:
    """How images are prepared and which backbone sees them; `size` is the default in words.

    With `several`, backbones and sizes are lists.
    """
    group = add_backbone(parser, several=_COMPARED if several else "")
    lists: dict[str, Any] = {"nargs": "+", "action": Values} if several else {}
    group.add_argument(
        "--image-size", metavar="PIXELS", **lists,
        help="side of the square input image"
        f"{'; of several, each is a hyperparameter' if several else ''} (default: {size})",
    )  # fmt: skip
    group.add_argument(
        "--interpolation", metavar="NAME",
        help=f"resampling: {', '.join(INTERPOLATIONS)}; nearest is the lesson's, the others are "
        f"antialiased (default: the backbone's own, {ImageSettings().interpolation})",
    )  # fmt: skip
    group.add_argument(
        "--resize", metavar="HOW",
        help="how an image becomes a square: squash, crop (keeps proportions, and of the middle "
        "all), crop:SHARE (of the middle this share of its side) or pad (keeps all, between black "
        "bars) (default: the backbone's own, squash)",
    )  # fmt: skip
    group.add_argument(
        "--exif", action=argparse.BooleanOptionalAction,
        help="apply the EXIF orientation, which the lesson's loader ignores (default: --exif)",
    )  # fmt: skip
    add_depth(group)
    add_decode(group)
    group.add_argument(
        "--device", default="auto", metavar="NAME",
        help="where the backbone computes: cpu; cuda or cuda:N, an NVIDIA card; gpu or npu, those "
        "of Intel, through OpenVINO; auto is cuda if something installed can use a card, and cpu "
        "otherwise (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--runtime", default="auto", metavar="NAME",
        help="inference runtime: openvino; onnxruntime; keras, on its installed backend; auto is "
        "openvino, and on cuda onnxruntime, or else keras (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--precision", default="f32", metavar="NAME",
        help="precision of the backbone: f32, or bf16 or f16 where the device supports it: faster, "
        "with features that differ by some hundredths (default: %(default)s)",
    )  # fmt: skip


def add_depth(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Which value is white in images with more than 8 bits a channel."""
    parser.add_argument(
        "--depth", metavar="BITS",
        help="bit depth of images with more than 8 bits per channel: white is 2^BITS - 1, such as "
        "12 for a 12-bit sensor (default: white is 65535, or 1.0 in floating point)",
    )  # fmt: skip


def add_decode(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Whether a JPEG may be made smaller while it is decoded."""
    parser.add_argument(
        "--decode", metavar="NAME",
        help=f"how JPEGs are decoded: {' or '.join(DECODES)}, at 1/2, 1/4 or 1/8 of the size as "
        "far as the shorter side keeps twice the pixels that it is resized to: several times "
        f"faster for large photographs, with other features (default: {DECODES[0]})",
    )  # fmt: skip


def add_backbone(parser: argparse.ArgumentParser, *, several: str = "") -> argparse._ArgumentGroup:
    """Which backbone, or `several` for what this says; returns the group, for the images."""
    group = parser.add_argument_group("backbone and images")
    group.add_argument(
        "--backbone", metavar="NAME", nargs="+" if several else None,
        help="a name that `manyheads backbones` lists, such as xception, efficientnet_lite0, "
        "efficientnet_v2_b0; hf:ORG/NAME[@REVISION], an ONNX network of the Hugging Face hub; "
        "timm:NAME, keras_hub:PRESET or open_clip:NAME/WEIGHTS, built once by that framework; a "
        "network of your own: a .keras, .onnx or OpenVINO .xml file with its --preprocessing; or "
        f"A+B, side by side{several or f' (default: {BACKBONE})'}",
    )  # fmt: skip
    group.add_argument(
        "--pooling", metavar="HOW",
        help="what of a transformer's tokens are features: cls (the class token), mean (of the "
        "patches), cls+mean, or pooler (the network's own output) (default: as is usual for its "
        "family)",
    )  # fmt: skip
    group.add_argument(
        "--offline", action="store_true",
        help="fetch nothing: what is not in the cache is an error",
    )  # fmt: skip
    group.add_argument(
        "--preprocessing", metavar="MODE",
        help=f"preprocessing that a network in a file was trained with: {MODES_HELP}; required "
        "for a file",
    )  # fmt: skip
    group.add_argument(
        "--weights", metavar="FILE",
        help="weights of the backbone (.h5, .keras, .safetensors) instead of ImageNet's, or "
        "random:SEED for random ones",
    )  # fmt: skip
    return group


def image_settings(args: argparse.Namespace, default_size: int | None = None) -> ImageSettings:
    """The preparation of images that `args` ask for; the usual one for features without images."""
    from manyheads.backbones import registry

    if features(args):
        return ImageSettings()
    size = default_size if args.image_size is None else args.image_size
    # Only what is described says more than its size: a file that is not there is told of later.
    says_more = size is None or registry.is_described(args.backbone)
    spec = backbone(args) if says_more else registry.NO_BACKBONE
    return spec.prepared(
        size, args.interpolation, args.resize, depth=args.depth, decode=args.decode,
        exif=ImageSettings().exif if args.exif is None else args.exif,
    )  # fmt: skip


def backbone(args: argparse.Namespace) -> BackboneSpec:
    """The backbone that `args` ask for."""
    from manyheads.backbones import registry

    return registry.get(backbone_name(args), args.preprocessing)


def backbone_name(args: argparse.Namespace) -> str:
    """The name of the backbone that `args` ask for, with the pooling of its tokens."""
    return pooled_name(args.backbone or BACKBONE, args.pooling)


def pooled_name(name: str, pooling: str | None) -> str:
    """The name of a backbone with the `pooling` of its tokens, if one is asked for."""
    from manyheads.backbones import registry
    from manyheads.backbones.joined_backbones import is_joined
    from manyheads.errors import SettingError

    if pooling is None:
        return name
    if is_joined(name):
        raise SettingError(
            "one backbone with tokens for `pooling`", name,
            "name the pooling with each that needs one, as hf:ORG/NAME#mean",
        )  # fmt: skip
    if not registry.is_described(name) or "#" in name:
        raise SettingError(
            "a backbone with tokens, such as hf:ORG/NAME, for `pooling`", name,
            "leave out `pooling`",
        )  # fmt: skip
    return f"{name}#{pooling}"


def require_none_of_images(args: argparse.Namespace, expected: str, remedy: str) -> None:
    """Raise `SettingError` if `args` say which backbone sees images, or how they are prepared."""
    from manyheads.errors import SettingError

    surplus = [name for name in _OF_IMAGES if getattr(args, name) is not None]
    if surplus:
        raise SettingError(expected, f"`{surplus[0]}` as well", remedy)


def features(args: argparse.Namespace) -> tuple[str, ...] | None:
    """The features that `args` give instead of a backbone, or that the data have of their own.

    Raises `SettingError` for a backbone as well.
    """
    from manyheads.data.feature_files import own_features

    if not hasattr(args, "features"):
        return None
    given = args.features or own_features(args.data)
    if given is None:
        return None
    alone = "features alone, which need no backbone and no images"
    require_none_of_images(args, alone, "leave it out, or give images")
    return tuple(given)
