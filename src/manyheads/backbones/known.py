"""What is known of each backbone without building it: how many numbers it holds and gives.

No two backbones hold equally many, so a file of others tells which one is in it even where its
layers have lost their names. Counted on `keras.applications` of Keras 3.15 and on ours, without
the top.
"""

from __future__ import annotations

from typing import NamedTuple

from manyheads.backbones.registry import BackboneSpec


class Known(NamedTuple):
    """The `numbers` in a backbone's arrays, and how many `features` it gives.

    `gflop` is the arithmetic of one image of its own size, as `program_flops` counts it.
    """

    numbers: int
    features: int
    gflop: float


def known(spec: BackboneSpec) -> Known | None:
    """What is known of a backbone that has a name; None of a network in a user's file."""
    return None if spec.file is not None else _KNOWN.get(spec.name)


def by_numbers(count: int) -> str | None:
    """The name of the backbone whose arrays hold `count` numbers, or None."""
    return next((name for name, entry in _KNOWN.items() if entry.numbers == count), None)


_KNOWN = {
    "convnext_base": Known(87_566_464, 1024, 30.707),
    "convnext_large": Known(196_230_336, 1536, 68.720),
    "convnext_small": Known(49_454_688, 768, 17.366),
    "convnext_tiny": Known(27_820_128, 768, 8.910),
    "convnext_xlarge": Known(348_147_968, 2048, 121.838),
    "densenet121": Known(7_037_504, 1024, 5.666),
    "densenet169": Known(12_642_880, 1664, 6.716),
    "densenet201": Known(18_321_984, 1920, 8.579),
    "efficientnet_b0": Known(4_049_571, 1280, 0.769),
    "efficientnet_b1": Known(6_575_239, 1280, 1.371),
    "efficientnet_b2": Known(7_768_569, 1408, 1.984),
    "efficientnet_b3": Known(10_783_535, 1536, 3.651),
    "efficientnet_b4": Known(17_673_823, 1792, 8.784),
    "efficientnet_b5": Known(28_513_527, 2048, 20.529),
    "efficientnet_b6": Known(40_960_143, 2304, 38.131),
    "efficientnet_b7": Known(64_097_687, 2560, 75.487),
    "efficientnet_lite0": Known(3_413_024, 1280, 0.768),
    "efficientnet_lite2": Known(4_869_168, 1280, 1.717),
    "efficientnet_v2_b0": Known(5_919_312, 1280, 1.434),
    "efficientnet_v2_b1": Known(6_931_124, 1280, 2.391),
    "efficientnet_v2_b2": Known(8_769_374, 1408, 3.392),
    "efficientnet_v2_b3": Known(12_930_622, 1536, 6.020),
    "efficientnet_v2_l": Known(117_746_848, 1280, 112.157),
    "efficientnet_v2_m": Known(53_150_388, 1280, 49.162),
    "efficientnet_v2_s": Known(20_331_360, 1280, 16.729),
    "inception_resnet_v2": Known(54_336_736, 1536, 26.309),
    "inception_v3": Known(21_802_784, 2048, 11.422),
    "mobilenet_0.25": Known(218_544, 256, 0.082),
    "mobilenet_0.5": Known(829_536, 512, 0.298),
    "mobilenet_0.75": Known(1_832_976, 768, 0.649),
    "mobilenet": Known(3_228_864, 1024, 1.135),
    "mobilenet_v2_0.35": Known(410_208, 1280, 0.116),
    "mobilenet_v2_0.5": Known(706_224, 1280, 0.192),
    "mobilenet_v2_0.75": Known(1_382_064, 1280, 0.416),
    "mobilenet_v2": Known(2_257_984, 1280, 0.599),
    "mobilenet_v2_1.3": Known(3_766_048, 1664, 1.015),
    "mobilenet_v2_1.4": Known(4_363_712, 1792, 1.161),
    "mobilenet_v3_large_0.75": Known(1_808_736, 720, 0.305),
    "mobilenet_v3_large": Known(2_996_352, 960, 0.428),
    "mobilenet_v3_small_0.75": Known(583_160, 432, 0.084),
    "mobilenet_v3_small": Known(939_120, 576, 0.110),
    "nasnet_large": Known(84_916_818, 4032, 47.559),
    "nasnet_mobile": Known(4_269_716, 1056, 1.125),
    "resnet101": Known(42_658_176, 2048, 15.136),
    "resnet101_v2": Known(42_626_560, 2048, 14.385),
    "resnet152": Known(58_370_944, 2048, 22.561),
    "resnet152_v2": Known(58_331_648, 2048, 21.809),
    "resnet50": Known(23_587_712, 2048, 7.712),
    "resnet50_v2": Known(23_564_800, 2048, 6.960),
    "vgg16": Known(14_714_688, 512, 30.693),
    "vgg19": Known(20_024_384, 512, 39.017),
    "xception": Known(20_861_480, 2048, 16.711),
}
