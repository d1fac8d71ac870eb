"""Does the cost stay flat as a data set grows? A million generated images, step by step.

    python -m benchmarks.big_data                        up to 1,000,000: a quarter of an hour
    python -m benchmarks.big_data --images 10000         a trial of the benchmark

Files of about 2 KB are written in a hundred class folders, and their features, random numbers,
straight into the cache: no backbone runs. Each step is a process of its own, so that the memory
at its peak is that step's. It needs some 5 GB of disk, which it gives back.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.machine import answer, parser, part, table, write_result
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import open_dataset
from manyheads.features.cache import FeatureCache, FeatureRecipe

SIZES = (1_000, 10_000, 100_000, 1_000_000)
CLASSES = 100
_AT_ONCE = 4096
_SETTLED = 4.0  # seconds after which the last file's time is beyond doubt


def main() -> None:
    options = parser("What a data set of up to a million images costs.")
    options.add_argument("--images", type=int, default=SIZES[-1], help="the largest number")
    options.add_argument("--features", type=int, default=128, help="numbers of each image")
    options.add_argument("--folder", type=Path, help="where to write (default: temporary)")
    args = options.parse_args()
    rows: list[tuple[str, ...]] = [
        ("images", "first opening", "second opening", "look-up", "an epoch of a head")
    ]
    for images in *(size for size in SIZES if size < args.images), args.images:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            rows.append((f"{images:,}", *steps(Path(folder), images, args.features)))
            print(*rows[-1], sep="; ", file=sys.stderr, flush=True)
    lines = [
        *table(rows),
        "",
        "Seconds of the step, and MiB of resident memory at the peak of its process, above what "
        "the imports take; where the step needs the data set opened, with that. First "
        "opening: listing, hashing, dividing (the files, just written, are mostly in the system's "
        "cache). Second opening: the same by the index of files. Look-up: the content of the data "
        "set, and the rows of all its features, their checksums compared. An epoch: training and "
        "validation of one head of 100 inner units through the fused engine, batches of 32; its "
        "memory counts the pages of the mapped features, which the system takes back when it "
        f"needs them. {args.features} features an image ({CLASSES} classes), so a million are "
        f"{args.features * 4e6 / 2**30:.1f} GiB.",
    ]
    write_result(args.results, "big-data", lines)


def steps(folder: Path, images: int, features: int) -> Iterator[str]:
    """The figures of one size, in the order of the table."""
    data, cache = folder / "data", {"MANYHEADS_CACHE": str(folder / "cache")}
    write_files(data, images)
    time.sleep(_SETTLED)
    for step in ("opening", "opening", "looking_up", "training"):
        if step == "looking_up":
            part("big_data.storing", cache, data=str(data), features=features)
        took = part(f"big_data.{step}", cache, data=str(data))
        yield f"{took['seconds']:.2f} s, {took['peak'] / 2**20:.0f} MiB"


def write_files(root: Path, images: int) -> None:
    """Files of 1.5 to 2.5 KB that all differ, named like images."""
    noise = os.urandom(1 << 16)
    for number in range(CLASSES):
        (root / f"class_{number:03d}").mkdir(parents=True)
    for number in range(images):
        start, size = number * 31 % 60_000, 1500 + number * 7919 % 1000
        file = root / f"class_{number % CLASSES:03d}" / f"{number:07d}.jpg"
        file.write_bytes(number.to_bytes(8, "big") + noise[start : start + size])


def opening(data: str) -> dict[str, float]:
    """List the images, know their content, divide them."""
    before = _peak()
    with _timed() as took:
        open_dataset(data)
    return took | {"peak": _peak() - before}


def storing(data: str, features: int) -> None:
    """Fill the cache with numbers, through its own interface."""
    chance = np.random.default_rng(0)
    contents = open_dataset(data).contents
    with FeatureCache(_recipe()) as cache:
        for start in range(0, len(contents), _AT_ONCE):
            some = contents[start : start + _AT_ONCE]
            cache.add(some, chance.standard_normal((len(some), features), np.float32))


def looking_up(data: str) -> dict[str, float]:
    """The identity of the data set, and where its features are."""
    before, dataset = _peak(), open_dataset(data)
    with _timed() as took:
        _ = dataset.content
        with FeatureCache(_recipe()) as cache:
            assert (cache.rows(dataset.contents) >= 0).all()
    return took | {"peak": _peak() - before}


def training(data: str) -> dict[str, float]:
    """One head's epoch on features in the cache, its loops compiled before."""
    from manyheads.heads.bank import Fold, HeadSettings
    from manyheads.heads.fused.engine import FusedEngine
    from manyheads.heads.hyperparameters import Hyperparameters

    head = Hyperparameters(learning_rate=0.001, size_inner=100, droprate=0.2)
    settings = HeadSettings(hyperparameters=head, seed=0, fold=0, epochs=1)
    engine, few = FusedEngine(), np.arange(64)
    with FeatureCache(_recipe()) as cache:
        noise = np.zeros((len(few), cache.width), np.float32)
    list(engine.train([settings], [Fold(noise, few, few, few, few, CLASSES)]))

    before, dataset = _peak(), open_dataset(data)
    with FeatureCache(_recipe()) as cache:
        _, place = dataset.digests.distinct()
        rows, matrix, labels = cache.rows(dataset.contents)[place], cache.matrix(), dataset.labels
    train, held = dataset.rows("train"), dataset.rows("validation")
    fold = Fold(matrix, rows[train], labels[train], rows[held], labels[held], CLASSES)
    with _timed() as took:
        list(engine.train([settings], [fold]))
    return took | {"peak": _peak() - before}


def _recipe() -> FeatureRecipe:
    image = ImageSettings(size=150)
    return FeatureRecipe(backbone="generated", weights="0" * 64, image=image, preprocessing="none")


@contextmanager
def _timed() -> Iterator[dict[str, float]]:
    took: dict[str, float] = {}
    started = time.perf_counter()
    yield took
    took["seconds"] = time.perf_counter() - started


def _peak() -> int:
    """Bytes at this process's peak until now."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        answer({f.__name__: f for f in (opening, storing, looking_up, training)})
    else:
        main()
