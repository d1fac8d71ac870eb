"""The backbones that are worth a try, and what is known of each without fetching it."""

from __future__ import annotations

from typing import NamedTuple

from manyheads.backbones.registry import BackboneSpec

RECOMMENDED = (
    "xception", "efficientnet_lite0", "efficientnet_lite2", "mobilenet_v3_large",
    "efficientnet_v2_b0", "efficientnet_v2_s", "convnext_tiny", "convnext_base",
)  # fmt: skip
"""Those of the backbones with a name here: from fast to accurate, the lesson's first."""


class HubEntry(NamedTuple):
    """A network of the Hugging Face hub: sizes in pixels, numbers and bytes; None is unknown.

    The `licence` is that of the original weights, as their publishers state it; of a conversion
    that states one, that counts. With `classes`, its file ends in the scores of so many classes,
    which are then its features.
    """

    name: str
    image_size: int
    features: int
    size: int | None
    licence: str | None
    classes: int | None = None


HUB = (
    HubEntry("hf:onnx-community/dinov2-small", 224, 768, 88_532_934, "Apache-2.0"),
    HubEntry("hf:onnx-community/dinov2-base", 224, 1536, 346_627_111, "Apache-2.0"),
    HubEntry(
        "hf:onnx-community/siglip2-base-patch16-224-ONNX:vision_model", 224, 768, 371_807_752,
        "Apache-2.0",
    ),
    HubEntry("hf:Xenova/clip-vit-base-patch32:vision_model", 224, 512, 351_685_709, "MIT"),
    HubEntry("hf:Xenova/clip-vit-base-patch16:vision_model", 224, 512, 345_060_583, "MIT"),
    HubEntry("hf:Xenova/convnextv2-tiny-22k-224", 224, 1000, None, "CC-BY-NC", classes=1000),
    HubEntry(
        "hf:onnx-community/mobilenetv4_conv_small.e2400_r224_in1k", 224, 1000, None, "Apache-2.0",
        classes=1000,
    ),
    HubEntry(
        "hf:onnx-community/mobilenetv4_conv_medium.e500_r224_in1k", 224, 1000, None, None,
        classes=1000,
    ),
)  # fmt: skip
"""Repositories of the hub with such networks as ONNX files."""

# Of ImageNet's weights, by the module that builds the network: as Keras's documentation states it,
# or else the repository that they come from.
_LICENCES = {
    "convnext": "MIT",
    "densenet": "BSD-3-Clause",
    "efficientnet": "Apache-2.0",
    "efficientnet_lite": "Apache-2.0",
    "efficientnet_v2": "Apache-2.0",
    "inception_resnet_v2": "Apache-2.0",
    "inception_v3": "Apache-2.0",
    "mobilenet": "Apache-2.0",
    "mobilenet_v2": "Apache-2.0",
    "mobilenet_v3": "Apache-2.0",
    "nasnet": "Apache-2.0",
    "resnet": "MIT",
    "resnet_v2": "BSD",
    "vgg16": "CC-BY-4.0",
    "vgg19": "CC-BY-4.0",
    "xception": "MIT",
}


def licence_of(spec: BackboneSpec) -> str | None:
    """The licence of the ImageNet weights of a backbone that has a name here."""
    return _LICENCES.get(spec.module)
