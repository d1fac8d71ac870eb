"""Sweeps over regularisers: what they announce, what they extract of which images, what resumes."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from manyheads.data.dataset import open_dataset
from tests.e2e.conftest import Command, refused
from tests.studies import outcome_of, rows_of

OPTIONS = (
    "--droprate", "0.5", "--dropblock", "0", "0.5", "--augmented-copies", "0", "2", "--epochs", "2",
    "--seeds", "2", "--size-inner", "4", "--image-size", "71", "--out", "run",
    "--learning-rate-schedule", "constant",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _free(free: None) -> None:
    del free


@pytest.mark.when_changed("commands")
def test_views_and_grids_are_announced_made_once_and_of_training_images_alone(
    command: Command, photos: Path
) -> None:
    said = command("sweep", photos, *OPTIONS, "-v")
    assert said.code == 0, said.err
    for line in (
        "droprate 0.5; dropblock 0 0.5; augmented_copies 0 2 → 4 candidates × 2 seeds = 8 heads\n",
        "Augmented  2 copies of each training image, none of any other (flip, shift 0.1, zoom 0.1, "
        "rotation 10, brightness 0.1, colour 0.1): 32 passes once for all heads, where augmenting "
        "anew in every epoch would take 16 for each head\n",
        "Cost       52 backbone passes for 12 images (plain 12, augmented copies 16, feature maps "
        "24), about",
        "in the cache about ",
    ):
        assert line in said.err
    assert _kept(photos) == {
        # pooling, view: which images
        ("avg", 0): "all", ("avg", 1): "train", ("avg", 2): "train",
        ("grid", 0): "train", ("grid", 1): "train", ("grid", 2): "train",
    }  # fmt: skip
    again = command("sweep", photos, *OPTIONS, "-v")
    assert again.out == said.out
    assert "0 backbone passes for 12 images; 0 of 8 heads to train" in again.err
    numbers = {tuple(row.values())[-2:] for row in rows_of(Path("run/history.csv"))}
    assert len(numbers) > 4  # the candidates are different heads


def _kept(photos: Path) -> dict[tuple[str, int], str]:
    """Whose features are in the cache, by pooling and view."""
    dataset = open_dataset(photos)
    names = {
        frozenset(dataset.only("train").digests): "train", frozenset(dataset.digests): "all",
    }  # fmt: skip
    kept = {}
    for description in Path("cache/features").glob("*/recipe.json"):
        recipe = json.loads(description.read_text(encoding="utf-8"))
        with sqlite3.connect(description.with_name("index.sqlite")) as index:
            contents = {content for (content,) in index.execute("SELECT content FROM features")}
        index.close()
        view = recipe.get("alteration", {}).get("number", 0)
        kept[recipe["pooling"], view] = names[frozenset(contents)]
    return kept


@pytest.mark.when_changed("commands")
def test_a_regularised_study_that_is_begun_again_is_the_same(
    command: Command, photos: Path
) -> None:
    assert command("sweep", photos, *OPTIONS).code == 0
    first = outcome_of(Path("run"))
    with sqlite3.connect("run/study.sqlite") as store:
        store.execute("UPDATE trials SET state = 'pending' WHERE trial % 3 = 0")
        store.execute("DELETE FROM epochs WHERE trial % 3 = 0")
    store.close()
    assert command("sweep", photos, *OPTIONS).code == 0
    assert outcome_of(Path("run")) == first


@pytest.mark.when_changed("commands")
def test_folds_make_views_of_all_their_images(command: Command, photos: Path) -> None:
    said = command("sweep", photos, *OPTIONS, "--folds", 2, "--grid-storage", "f16")
    assert said.code == 0, said.err
    assert set(_kept(photos).values()) == {"all"}
    assert "12 images in 2 folds" in said.out


@pytest.mark.when_changed("commands")
def test_every_regulariser_is_an_option(command: Command, photos: Path) -> None:
    said = command(
        "sweep", photos, "--out", "run", "--seeds", 1, "--size-inner", 4, "--image-size", 71,
        "--epochs", 2, 3, "--batch-size", 4, 8, "--droprate", 0.5,
        "--droprate-schedule", "constant", "early:1", "late:1", "--input-droprate", 0.1,
        "--dropblock", 0.3, "--dropblock-size", 2, "--random-erasing", 0.2, "--augmented-copies", 1,
        "--augment", "none", "--mixup", 0.2, "--label-smoothing", 0.1, "--l2", 0.001,
        "--weight-decay", 0.01, "--max-norm", 2, "--optimizer", "sgd", "--momentum", 0.9,
        "--learning-rate-schedule", "cosine", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    candidates = json.loads(said.out)["candidates"]
    assert len(candidates) == 12
    assert {row["droprate_schedule"] for row in candidates} == {"constant", "early:1", "late:1"}
    assert {(row["epochs"], row["batch_size"]) for row in candidates} == {
        (epochs, batch) for epochs in (2, 3) for batch in (4, 8)
    }
    epochs = [row for row in rows_of(Path("run/history.csv")) if row["epochs"] == "2"]
    assert {row["epoch"] for row in epochs} == {"1", "2"}


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--augment", "flip"], "leave out the augmentation"),
        (
            ["--augmented-copies", 1, "--augment", "none"],
            "augment, or list random_erasing above 0 alone",
        ),
        (["--random-erasing", 0.3], "give augmented_copies"),
        (["--weight-decay", 0.1], "choose adamw or sgd"),
        (["--optimizer", "adamw"], "give a weight_decay, such as 0.004"),
        (["--droprate-schedule", "sometimes"], "constant, early:N, late:N"),
        (["--augmented-copies", 1, "--augment", "blur"], "flip, shift, zoom"),
        (["--epochs", 9, 12, "--prune"], "one number of epochs to prune by"),
        (["--select", "fixed:3", "--epochs", 2, 9], "the 2 that are trained"),
        (["--dropblock", 0.5, "--backbone", "convnext_tiny"], "leave out dropblock"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    command: Command, photos: Path, options: list[object], words: str
) -> None:
    refused(command("sweep", photos, "--out", "run", *options), words)


def test_blocks_larger_than_the_grid_are_refused_once_it_is_known(
    command: Command, photos: Path
) -> None:
    said = command("sweep", photos, *OPTIONS, "--dropblock-size", 3)
    assert said.code == 1
    assert "a dropblock_size within the feature map of 2×2 cells, found 3" in said.complaint
