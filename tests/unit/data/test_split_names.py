"""Which names of folders are splits."""

from __future__ import annotations

import pytest

from manyheads.data.split_names import named, split_name


@pytest.mark.parametrize(
    ("names", "split"),
    [
        ("train Training training_set train_images TrainSet trainset Train1 train2017", "train"),
        ("TRAIN-DATA training-images train.jpg Entraînement entrenamiento Träning", "train"),
        ("训练集 обучение 학습 学習データ eğitim", "train"),
        ("val valid validation Validate validation_data val2017 dev dev_set", "validation"),
        ("Validación validação 验证集 検証", "validation"),
        ("test Testing test_set testdata TEST1 hold-out holdout Held_Out HoldoutSet", "test"),
        ("测试 测试集 テストデータ 테스트데이터 тест prueba", "test"),
    ],
)
def test_names_of_the_wild(names: str, split: str) -> None:
    assert {name: split_name(name) for name in names.split()} == dict.fromkeys(names.split(), split)


@pytest.mark.parametrize(
    "name",
    [
        *["eval", "evaluation", "station", "trainer", "valley", "testimonial"],
        *["train_station", "cat", "test-tube"],
        *("train/test", "validation or test", "data", "set", "images", "1", "", " "),
    ],
)
def test_names_that_are_no_split(name: str) -> None:
    assert split_name(name) is None


def test_decomposed_letters_are_the_same() -> None:
    assert split_name("Validacio\u0301n") == split_name("validaci\u00f3n") == "validation"


def test_what_all_names_share_does_not_matter() -> None:
    found = named(["seg_train", "seg_test", "seg_pred"])
    assert found.splits == {"seg_train": "train", "seg_test": "test", "seg_pred": "unlabelled"}
    assert found.all_are_splits
    found = named(["train station", "test tube"])
    assert not found.certain
    assert found.others == ("train station", "test tube")
    assert not named(["cat_train", "dog_train"]).certain


def test_a_doubtful_name_is_what_is_left() -> None:
    assert named(["train", "val", "eval"]).splits["eval"] == "test"
    assert named(["train", "eval", "test"]).splits["eval"] == "validation"
    assert named(["train", "eval"]).doubtful == ("eval",)
    assert named(["train", "val", "test", "eval"]).doubtful == ("eval",)


@pytest.mark.parametrize(
    ("folders", "certain"),
    [
        ("train bus car", True),
        ("Training Testing extra", True),
        ("training resting walking", False),
        ("dev ops", False),
        ("valid invalid", False),
        ("holdout", False),
        ("eval", False),
        ("pred", False),
        ("cat dog", False),
        ("", False),
    ],
)
def test_one_unusual_name_among_others_is_no_split(folders: str, certain: bool) -> None:
    assert named(folders.split()).certain is certain
