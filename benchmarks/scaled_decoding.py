"""What does `--decode scaled` gain, and what does it do to features and scores?

    python -m benchmarks scaled_decoding      ten minutes on two cores

The lesson's photographs are 400 pixels wide. Some are enlarged to 12 megapixels, as cameras and
phones write them, for the rates. They have no finer detail than before, and smaller files than a
camera's: reading the coefficients, which no scale saves, takes less time than there. So what
scaling changes is also measured on the photographs as they are, for a network of 96 pixels: then
they are decoded at half their size.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.machine import (
    answer,
    fresh_cache,
    parser,
    part,
    photographs,
    show,
    table,
    write_result,
)
from manyheads import Study, compare_runs, extract
from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels
from manyheads.findings.wording import difference_words
from manyheads.stats.intervals import Estimate

WAYS = ("full", "scaled")
SIZES = (150, 224, 299)
LONGER = 4000  # pixels: 12 megapixels at three to four
QUALITY = 90
SEEDS = 5


def main() -> None:
    options = parser("What scaled decoding gains and changes.")
    options.add_argument("--images", type=int, default=20, help="training images of each class")
    args = options.parse_args()
    data = photographs(args.data, real=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = enlarged(data, folder / "large", 2 if args.quick else args.images, args.quick)
        files = sorted(large.rglob("*.jpg"))
        lines = decoding_lines(files[:: max(1, len(files) // (8 if args.quick else 40))])
        cache = fresh_cache(folder / "cache")
        sets = {"12 megapixels, Xception at 150": (large, 150)}
        if not args.quick:
            sets["400 × 533, Xception at 96"] = (data, 96)
        for what, (images, size) in sets.items():
            part("scaled_decoding.prepared", cache, data=str(data / "validation"), size=size)
            lines += effect_lines(what, images, size, folder / str(size), cache)
    write_result(args.results, "scaled-decoding", lines)


def enlarged(data: Path, folder: Path, count: int, quick: bool) -> Path:
    """So many training images of each class, and the validation images, of 12 megapixels."""
    files = []
    for split, most in (("train", count), ("validation", 2 if quick else None)):
        for each in sorted(entry for entry in (data / split).iterdir() if entry.is_dir()):
            (folder / split / each.name).mkdir(parents=True)
            files += [(file, split, each.name) for file in sorted(each.iterdir())[:most]]

    def enlarge(file: Path, split: str, name: str) -> None:
        with Image.open(file) as opened:
            scale = LONGER / max(opened.size)
            sides = [round(side * scale) for side in opened.size]
            picture = opened.convert("RGB").resize(sides, Image.Resampling.BICUBIC)
        picture.save(folder / split / name / f"{file.stem}.jpg", quality=QUALITY)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: enlarge(*each), files))
    return folder


def decoding_lines(files: Sequence[Path]) -> list[str]:
    """Images a second that one thread decodes and resizes, from memory."""
    contents = [file.read_bytes() for file in files]
    rows: list[tuple[object, ...]] = [("to pixels", *(f"{way}, images/s" for way in WAYS), "ratio")]
    for size in SIZES:
        took = dict.fromkeys(WAYS, 0.0)
        for content in contents:  # in turn, so that another program's work meets both
            for way in WAYS:
                began = time.perf_counter()
                load_pixels(content, ImageSettings(size=size, decode=way))
                took[way] += time.perf_counter() - began
        full, scaled = (len(contents) / took[way] for way in WAYS)
        rows.append((size, f"{full:.1f}", f"{scaled:.1f}", f"{scaled / full:.1f}"))
        show(*rows[-1])
    mean = sum(map(len, contents)) / len(contents) / 1e6
    return [
        "## Decoding", "", *table(rows), "",
        f"{len(contents)} photographs of 12 megapixels, JPEG of quality {QUALITY}, {mean:.1f} MB "
        "on average (a camera's has several); one thread, decoding and resizing.", "",
    ]  # fmt: skip


def effect_lines(
    what: str, data: Path, size: int, folder: Path, cache: dict[str, str]
) -> list[str]:
    """Rates of extraction, how far features are apart, and what that does to the scores."""
    found: dict[str, Any] = {}
    for way in WAYS:
        found[way] = part(
            "scaled_decoding.study", cache, data=str(data), size=size, decode=way,
            features=str(folder.with_name(f"{size}-{way}.npy")), out=str(folder / way),
        )  # fmt: skip
        show(what, way, str(found[way]))
    full, scaled = (np.load(folder.with_name(f"{size}-{way}.npy")) for way in WAYS)
    apart = np.linalg.norm(scaled - full, axis=1) / np.linalg.norm(full, axis=1)
    rows: list[tuple[object, ...]] = [
        ("", "extraction, images/s", "accuracy", "log loss"),
        *(
            (way, f"{run['rate']:.1f}", f"{run['accuracy']:.4f}", f"{run['loss']:.4f}")
            for way, run in found.items()
        ),
    ]
    compared = compare_runs([folder / way for way in WAYS])
    assert compared.verdict is not None, compared.reason
    differences = [
        f"{each.metric.replace('_', ' ')} "
        f"{difference_words(each.metric, Estimate(each.difference, each.low, each.high))} "
        f"({each.outcome})"
        for each in compared.verdict.comparisons.entries
    ]
    return [
        f"## {what}", "", *table(rows), "",
        f"{len(full):,} images; the features of {int((apart > 0).sum()):,} are others. They differ "
        f"by {apart.mean():.1e} of their length on average, by {apart.max():.1e} at most; the "
        f"largest difference of a single feature is {np.abs(scaled - full).max():.2g}, the largest "
        f"feature {full.max():.2g}. Differences of the scores, full − scaled, paired by image and "
        f"seed, with 95 % intervals: {'; '.join(differences)}. {SEEDS} seeds; the rate is that of "
        "whole extractions with a backbone that is built already.", "",
    ]  # fmt: skip


def prepared(data: str, size: int) -> int:
    """Let the backbone be built, and what the next extractions find in the cache be made."""
    return extract(data, image_size=size, interpolation="bilinear", progress=False).passes


def study(data: str, size: int, decode: str, features: str, out: str) -> dict[str, float]:
    """A small study on features of one way of decoding."""
    found = extract(data, image_size=size, decode=decode, progress=False)
    np.save(features, found.features)
    (row,) = Study(
        data, image_size=size, decode=decode, droprate=0.5, size_inner=100, learning_rate=0.001,
        seeds=SEEDS, out=Path(out),
    ).run(baselines=False, progress=False).results  # fmt: skip
    return {
        "rate": found.passes / found.seconds,
        "accuracy": row["final_val_accuracy_mean"],
        "loss": row["final_val_loss_mean"],
    }


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in ("study", "prepared"):
        answer({"study": study, "prepared": prepared})
    else:
        main()
