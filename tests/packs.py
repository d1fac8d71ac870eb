"""A pack of six images with three features each."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from manyheads.data.columns import Categorical, Digests
from manyheads.data.data_settings import ImageSettings
from manyheads.data.feature_packs import FeaturePack
from manyheads.data.left_out import LeftOut
from manyheads.data.listing import Listing
from manyheads.data.paths import Paths
from manyheads.features.cache import FeatureRecipe

VALUES = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
CLASSES = ("cat", "None")  # which in a table would mean no label
NAMES = ("a/1.jpg", "b/ż 2.jpg", "c.jpg", "d\udce4.jpg", "e.jpg", "f.jpg")
RECIPE = FeatureRecipe(
    backbone="xception", weights="d" * 64, image=ImageSettings(),
    preprocessing="keras.applications.xception.preprocess_input",
)  # fmt: skip


LABELS = ("dark", "red", "ż")
SETS = ("red", "dark;red", "(none)", "red", "ż", "dark;red")


def pack_of_labels() -> FeaturePack:
    """The same images, each with several labels or none."""
    pack = small_pack()
    assert pack.listing is not None
    listing = replace(pack.listing, labels=Categorical.of(SETS), label_names=LABELS)
    return replace(pack, listing=listing)


def small_pack() -> FeaturePack:
    """Images of two classes, four of training and two of validation, two of them of one group."""
    return FeaturePack(
        features=VALUES,
        contents=Digests.of(hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
                            for name in NAMES),
        recipe=RECIPE.described,
        listing=Listing(
            layout="features",
            paths=Paths.of(NAMES),
            labels=Categorical(CLASSES, np.array([0, 1] * 3, np.int32)),
            splits=Categorical.of(["train"] * 4 + ["validation"] * 2),
            groups=Categorical.of(["x", "x", "", "", "", ""]),
            ignored=LeftOut.none(),
        ),
        licence="CC0",
    )  # fmt: skip
