"""Backbones side by side: their names, their records, and their weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.backbones import registry
from manyheads.backbones.joined_backbones import in_full, member_names, short_name
from manyheads.backbones.placement import check_place
from manyheads.backbones.weights import Weights, cached, resolve
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import BackboneError, ManyheadsError, SettingError, WeightsError
from manyheads.features.extraction import recipe_of
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings
from tests.networks import save_onnx

FIRST, SECOND = "mobilenet_v3_small", "mobilenet_v3_small_0.75"


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("xception", ("xception",)),
        ("xception+mobilenet", ("xception", "mobilenet")),
        ("xception + mobilenet + vgg16", ("xception", "mobilenet", "vgg16")),
        ("hf:a/b#cls+mean", ("hf:a/b#cls+mean",)),
        ("hf:a/b#cls+mean+xception", ("hf:a/b#cls+mean", "xception")),
        ("hf:a/b#cls+mean+hf:c/d#cls+mean", ("hf:a/b#cls+mean", "hf:c/d#cls+mean")),
        ("hf:a/b#cls+mobilenet", ("hf:a/b#cls", "mobilenet")),
        ("xception+hf:a/b#cls+mean", ("xception", "hf:a/b#cls+mean")),
        ("nets/a.onnx+mobilenet", ("nets/a.onnx", "mobilenet")),
        ("/nets/c++/net.onnx", ("/nets/c++/net.onnx",)),
        ("/nets/my+net.onnx", ("/nets/my+net.onnx",)),
        ("xception+", ("xception", "")),
    ],
)
def test_a_plus_separates_names_except_in_poolings_and_paths(
    name: str, members: tuple[str, ...]
) -> None:
    assert member_names(name) == members


def test_a_file_with_a_plus_in_its_name_is_one_backbone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_onnx(tmp_path / "my+net.onnx")
    monkeypatch.chdir(tmp_path)
    assert registry.get("my+net.onnx", "unit").name == "my+net"


def test_images_are_prepared_for_the_first(tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx")
    spec = registry.get(f"inception_v3+{file}", "unit")
    assert spec.name == "inception_v3+net"
    assert [member.name for member in spec.members] == ["inception_v3", "net"]
    assert spec.prepared() == ImageSettings(size=299, interpolation="bicubic")
    assert not spec.in_keras
    assert spec.preprocessing == "keras.applications.inception_v3.preprocess_input + unit"
    told = registry.from_card(spec.name, spec.preprocessing)
    assert (told.name, told.preprocessing) == (spec.name, spec.preprocessing)
    assert [member.preprocessing for member in told.members] == [
        member.preprocessing for member in spec.members
    ]


@pytest.mark.parametrize(
    ("name", "size", "found"),
    [
        ("mobilenet+inception_v3", 64, r"at least 75 for inception_v3, found 64"),
        ("inception_v3+mobilenet", 20, r"at least 75 for inception_v3, found 20"),
        ("mobilenet+{fixed}", 224, r"the image size 96, the only one that net takes, found 224"),
    ],
)
def test_a_size_that_a_member_does_not_take_names_it(
    name: str, size: int, found: str, tmp_path: Path
) -> None:
    file = save_onnx(tmp_path / "net.onnx", side=96)
    given = "unit" if "{" in name else None
    with pytest.raises(BackboneError, match=found):
        registry.get(name.format(fixed=file), given).check_size(size)


def test_the_only_size_of_a_member_may_be_asked_for(tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx", side=96)
    registry.get(f"mobilenet+{file}", "unit").check_size(96)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("xceptoin+mobilenet", "'xceptoin'; did you mean xception"),
        ("mobilenet+", r"side by side, A\+B, at most 3"),
        ("mobilenet+mobilenet_v2+xception+vgg16", "at most 3, found"),
        ("mobilenet+vgg16+mobilenet", "different backbones side by side, found mobilenet twice"),
    ],
)
def test_other_names_are_refused(name: str, found: str) -> None:
    with pytest.raises(BackboneError, match=found):
        registry.get(name)


def test_a_preprocessing_is_that_of_files(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="than its members' own"):
        registry.get("mobilenet+vgg16", "torch")
    file = save_onnx(tmp_path / "net.onnx")
    with pytest.raises(SettingError, match=r"a stated preprocessing for the backbone in net\.onnx"):
        registry.get(f"mobilenet+{file}")


def test_a_card_tells_a_preprocessing_of_each() -> None:
    with pytest.raises(BackboneError, match=r"a preprocessing for each of mobilenet\+vgg16"):
        registry.from_card("mobilenet+vgg16", "tf + tf + tf")


def test_there_is_no_feature_map_and_no_other_runtime() -> None:
    spec = registry.get("mobilenet+vgg16")
    with pytest.raises(BackboneError, match="the mean of its feature map"):
        spec.check_grid()
    with pytest.raises(SettingError, match="the runtime openvino for mobilenet"):
        check_place(spec, "keras", "cpu", "f32")


def test_a_study_names_its_files_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether they are there or not, for one that is over may be read without them."""
    monkeypatch.chdir(tmp_path)
    settings = StudySettings(
        data="x", grid=Grid((0.01,), (4,), (0.5,)), backbone="mobilenet + gone.onnx",
        preprocessing="mean=.5,.5,.5, std=.2,.2,.2",
    )  # fmt: skip
    assert settings.backbone == f"mobilenet+{tmp_path / 'gone.onnx'}"
    assert settings.preprocessing == "mean=0.5,0.5,0.5,std=0.2,0.2,0.2"
    assert in_full(settings.backbone) == settings.backbone
    assert short_name(settings.backbone) == "mobilenet+gone.onnx"


def test_weights_are_those_of_the_members(tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx")
    spec = registry.get(f"{FIRST}+{file}", "unit")
    found = resolve(spec, "random:1")
    each = (resolve(spec.members[0], "random:1"), resolve(spec.members[1]))
    assert found.members == each
    assert found.size == sum(part.path.stat().st_size for part in each)
    assert found.source == f"random numbers, seed 1 + the file {file}"
    assert found.digest not in {part.digest for part in each}
    assert cached(spec, "random:1") == found
    turned = resolve(registry.get(f"{file}+{FIRST}", "unit"), "random:1")
    assert turned.digest != found.digest


def test_weights_that_are_not_here_are_not_fetched(own_cache: Path, tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx")
    assert cached(registry.get(f"{FIRST}+{file}", "unit")) is None
    assert not list(own_cache.rglob("*.safetensors"))


def test_networks_in_files_take_no_other_weights(tmp_path: Path) -> None:
    pair = f"{save_onnx(tmp_path / 'a.onnx')}+{save_onnx(tmp_path / 'b.onnx', pooled=True)}"
    with pytest.raises(WeightsError, match=r"those in the files of a\+b"):
        resolve(registry.get(pair, "unit"), "random:0")


def test_recipes_tell_members_and_their_order() -> None:
    """What is kept of a member is what is kept of it alone."""
    image = ImageSettings(size=32)
    each = {
        name: Weights(Path("nowhere"), str(n) * 64, "a test")
        for n, name in enumerate((FIRST, SECOND))
    }
    recipes = []
    for names in ((FIRST, SECOND), (SECOND, FIRST)):
        known = tuple(each[name] for name in names)
        joined = Weights(Path("nowhere"), "f" * 64, "a test", known)
        recipe = recipe_of(registry.get("+".join(names)), joined, image)
        alone = [recipe_of(registry.get(name), each[name], image) for name in names]
        assert list(recipe.parts) == alone
        assert all("members" not in part.described for part in recipe.parts)
        recipes.append(recipe.digest)
    assert recipes[0] != recipes[1]


def test_every_error_is_the_projects_own() -> None:
    for name in ("+", "++", "a+b+c+d+e", "hf:+xception", "#cls+mean", "xception+hf:a/../b"):
        with pytest.raises(ManyheadsError):
            registry.get(name)
