"""Which folders are splits, by their names: as people, courses, Kaggle and other tools call them.

A name is taken apart at its signs, and numbers and words that say nothing of a split (`set`,
`data`, `images`, …) are left out: `Train_images-2` is `train`. What all names of the folders
share is left out too: `seg_train` beside `seg_test`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

SPLIT_WORDS = {
    "train": ("train", "training", "trn"),
    "validation": ("validation", "val", "valid", "validate", "validating", "dev", "development"),
    "test": ("test", "testing", "tst", "holdout", "heldout"),
}
"""English words; `hold-out` is taken apart and put together again."""

FOREIGN_WORDS = {
    "train": (
        "entrenamiento", "entrainement", "apprentissage", "treino", "treinamento", "addestramento",
        "trening", "träning", "eğitim", "обучение", "训练", "訓練", "学習", "훈련", "학습",
    ),
    "validation": (
        "validierung", "validacion", "validação", "validazione", "validatie", "validering",
        "walidacja", "doğrulama", "валидация", "验证", "驗證", "検証", "검증",
    ),
    "test": (
        "prueba", "pruebas", "teste", "testes", "тест", "测试", "測試", "テスト", "테스트",
    ),
}  # fmt: skip
"""Words of other languages that mean nothing else."""

UNLABELLED_WORDS = (
    "pred", "predict", "prediction", "predictions", "unlabeled", "unlabelled", "inference",
)  # fmt: skip
"""Folders of images without labels, where they lie beside splits."""

DOUBTFUL_WORDS = ("eval", "evaluation", "evaluate")
"""Validation or test: what is left, where the other two are there; refused otherwise."""

EMPTY_WORDS = (
    "set", "sets", "data", "dataset", "datasets", "image", "images", "img", "imgs", "photo",
    "photos", "picture", "pictures", "pics", "folder", "dir", "split", "subset", "sample",
    "samples", "files", "jpg", "jpeg", "png", "the", "集", "数据", "数据集", "图片",
    "資料", "データ", "セット", "データセット", "用", "데이터", "세트", "데이터셋",
)  # fmt: skip
"""Words that say nothing of a split."""

CORE = ("train", "validation", "val", "test")
"""Names that are a split's wherever they stand; of others see `SplitFolders.certain`."""

UNLABELLED = "unlabelled"
DOUBTFUL = "validation or test"


def _plain(text: str) -> str:
    """Small letters without accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in parts if not unicodedata.combining(c) or ord(c) > 0x1000)
    return unicodedata.normalize("NFC", bare)


_EMPTY = sorted({_plain(word) for word in EMPTY_WORDS}, key=len, reverse=True)
_MEANING = {
    _plain(word): meaning
    for meaning, words in (
        *SPLIT_WORDS.items(), *FOREIGN_WORDS.items(),
        (UNLABELLED, UNLABELLED_WORDS), (DOUBTFUL, DOUBTFUL_WORDS),
    )
    for word in words
}  # fmt: skip
_GLUED = re.compile(
    f"({'|'.join(sorted(map(re.escape, _MEANING), key=len, reverse=True))})"
    f"((?:{'|'.join(map(re.escape, _EMPTY))})+)"
)


def split_name(text: str) -> str | None:
    """The split that `text` names by itself (`val`, `Testing`, `training_set`), or None."""
    word, rest = _taken_apart(text)
    return word if not rest and word in SPLIT_WORDS else None


class SplitFolders(NamedTuple):
    """Folders by what their names mean.

    `splits` has for each recognised folder its split or `UNLABELLED`; `doubtful` may be two
    splits; `others` are none.
    """

    splits: dict[str, str]
    doubtful: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def certain(self) -> bool:
        """Whether some of these folders must be splits, whatever the others are.

        One of the `CORE` names is enough, or two different splits: `Training` beside `Walking`,
        and `valid` beside `invalid`, may be classes.
        """
        found = [folder for folder, split in self.splits.items() if split != UNLABELLED]
        if any(_plain(folder.strip()) in CORE for folder in found):
            return True
        return len({self.splits[folder] for folder in found}) > 1

    @property
    def all_are_splits(self) -> bool:
        """Whether each is a split, or images without labels beside one."""
        known = set(self.splits.values()) - {UNLABELLED}
        return ("train" in known or self.certain) and not self.doubtful and not self.others


def named(folders: Sequence[str]) -> SplitFolders:
    """What the names of these folders, which lie beside each other, mean."""
    apart = {folder: _taken_apart(folder) for folder in folders}
    rests = {rest for _, rest in apart.values()}
    meant = [word for word, _ in apart.values() if word in SPLIT_WORDS]
    # `seg_train` beside `seg_test`; `train station` beside `test tube` are no splits.
    shared = len(rests) == 1 and len(set(meant)) > 1
    means = {
        folder: word for folder, (word, rest) in apart.items() if word and (shared or not rest)
    }
    left = set(SPLIT_WORDS) - set(means.values())
    splits, doubtful = {}, []
    for folder, word in means.items():
        if word != DOUBTFUL:
            splits[folder] = word
        elif len(left) == 1 and list(means.values()).count(DOUBTFUL) == 1:
            splits[folder] = next(iter(left))
        else:
            doubtful.append(folder)
    others = tuple(folder for folder in folders if folder not in means)
    return SplitFolders(splits, tuple(doubtful), others)


def splits_of_classes(folders: Sequence[str]) -> bool:
    """Whether the names are all of a split and a class, as `trainA`, `trainB`, `testA`, `testB`."""
    apart = [_taken_apart(folder) for folder in folders]
    if not apart or any(word not in SPLIT_WORDS or not rest for word, rest in apart):
        return False
    classes = {rest: {word for word, other in apart if other == rest} for _, rest in apart}
    return len(classes) > 1 and all(len(words) > 1 for words in classes.values())


def _taken_apart(text: str) -> tuple[str | None, str]:
    """What the one word of a split in `text` means, and the other words that say something."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFC", text))
    plain = re.sub(r"\b(hold|held)[\W_]+out\b", r"\1out", re.sub(r"_", " ", _plain(spaced)))
    words: list[str] = []
    for word in re.findall(r"[^\W\d]+", plain):
        glued = _GLUED.fullmatch(word)
        words.append(glued.group(1) if glued else word)
    found = [word for word in words if word in _MEANING]
    rest = [word for word in words if word not in _MEANING and word not in _EMPTY]
    if len(set(map(_MEANING.__getitem__, found))) != 1:
        return None, plain
    return _MEANING[found[0]], " ".join(rest)
