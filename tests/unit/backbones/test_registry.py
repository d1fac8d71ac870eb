from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from manyheads.backbones import registry
from manyheads.errors import BackboneError


def test_the_table_is_what_keras_offers(offered: dict[str, Any]) -> None:
    specs = [registry.get(name) for name in registry.names() if registry.get(name).is_application]
    assert {spec.function: spec.module for spec in specs} == offered["modules"]
    assert {spec.module for spec in specs} <= set(offered["preprocessing"])
    assert len(specs) >= 38


def test_what_keras_lacks_is_there_too() -> None:
    others = [name for name in registry.names() if not registry.get(name).is_application]
    assert others == ["efficientnet_lite0", "efficientnet_lite2"]
    for name in others:
        spec = registry.get(name)
        assert not spec.is_own
        assert spec.in_keras
        assert registry.from_card(name, spec.preprocessing) is spec
    # A network of the user's own may be called the same, and prepare its images otherwise.
    assert registry.from_card("efficientnet_lite0", "torch").is_own


def test_names_are_the_functions_in_snake_case() -> None:
    for name in registry.names():
        function = registry.get(name).function
        assert name.replace("_", "") == function.lower()
        assert name == name.lower()


def test_the_table_needs_no_keras() -> None:
    program = (
        "import sys; from manyheads.backbones import registry; registry.get('xception');"
        "print({'keras', 'openvino', 'numpy'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"set()"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("xceptoin", "xception"),
        ("Xception", "xception"),
        ("ResNet50V2", "resnet50_v2"),
        ("resnet_50", "resnet50"),
        ("mobilenetv2", "mobilenet_v2"),
        ("MobileNet-V3-Large", "mobilenet_v3_large"),
        ("efficientnet-b0", "efficientnet_b0"),
        ("EfficientNetV2B0", "efficientnet_v2_b0"),
        ("nasnet", "nasnet_large"),
        ("vgg", "vgg19"),
    ],
)
def test_an_unknown_name_gets_the_nearest(written: str, meant: str) -> None:
    with pytest.raises(BackboneError) as caught:
        registry.get(written)
    assert caught.value.remedy == f"did you mean {meant}?"
    assert repr(written) in caught.value.found


def test_a_name_like_none_gets_all_of_them() -> None:
    with pytest.raises(BackboneError, match=r"choose one of .*densenet121.*xception"):
        registry.get("qqqqqqqqqqqq")


def test_images_that_are_too_small_are_refused() -> None:
    spec = registry.get("inception_v3")
    spec.check_size(75)
    with pytest.raises(BackboneError, match=r"at least 75 for inception_v3, found 74; .*299"):
        spec.check_size(74)
