"""What does it cost to let other processes compute the features of many small images?

    python -m benchmarks spread_extraction      100,000 images, 20 minutes on two cores
    python -m benchmarks spread_extraction --quick    5,000
    python -m benchmarks.spread_extraction --photographs    the lesson's alone, seven minutes

The same images, with a small network, by this process, by local processes and by Ray, by turns,
each into a cache of its own. The shards of 256 images are small for what surrounds them, so this
is the case in which workers cost most. The features have to be the same bytes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import resource
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import ROOT, parser, photographs, run, show, table, write_result
from manyheads.core.machine import cores

MANY, FEW = 100_000, 5_000
SIDE = 32  # pixels of a small image
SMALL = ("--backbone", "mobilenet_v3_small", "--weights", "random:0", "--image-size", "32")
LESSON = ("--backbone", "xception", "--weights", "random:0", "--image-size", "150")
WAYS: dict[str, tuple[str, ...]] = {
    "this process": (),
    "1 local": ("--workers", "1"),
    "2 local": ("--workers", "2"),
    "4 local": ("--workers", "4"),
    "Ray": ("--workers", "ray"),
}


@dataclass(frozen=True)
class Extracted:
    """Seconds of the clock and of processors that a command took, and a digest of its features."""

    seconds: float
    processor: float
    features: str


def main() -> None:
    options = parser("The cost of features by other processes.")
    options.add_argument("--photographs", action="store_true", help="the lesson's alone")
    args = options.parse_args()
    count = FEW if args.quick else MANY
    ways = {
        name: words for name, words in WAYS.items()
        if name != "Ray" or importlib.util.find_spec("ray")
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder, lines = Path(name), list[str]()
        if not args.photographs:
            write_small_images(folder / "images", count)
            small = measured(folder, folder / "images", SMALL, ways)
            lines += report(f"{count:,} images of {SIDE}×{SIDE} pixels, {SMALL[1]} at 32", small)
        if args.photographs or not args.quick:
            data = photographs(args.data)
            photos = measured(folder, data, LESSON, ways)
            lines += report(f"{data.name}, {LESSON[1]} at 150", photos)
    result = "spread-extraction" + ("-photographs" if args.photographs else "")
    write_result(args.results, result, lines)


def write_small_images(folder: Path, count: int) -> None:
    """PNG files of no meaning, each of its own content, in a hundred folders."""
    chance = np.random.default_rng(0)
    for number in range(count):
        file = folder / f"class-{number % 100:02d}" / f"{number:06d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = chance.integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(pixels).resize((SIDE, SIDE)).save(file, compress_level=1)


def measured(
    folder: Path, data: Path, options: tuple[str, ...], ways: dict[str, tuple[str, ...]]
) -> dict[str, Extracted]:
    """What each way takes for the same images, once its program is compiled."""
    cache = folder / "now"
    extracted(folder, data, (*options, "--dry-run"), cache)
    found: dict[str, Extracted] = {}
    for name, words in ways.items():
        shutil.rmtree(cache)
        found[name] = extracted(folder, data, (*options, *words), cache)
        show(f"{name}: {found[name].seconds:.1f} s, {found[name].processor:.1f} s of processors")
    shutil.rmtree(cache)
    return found


def extracted(folder: Path, data: Path, options: tuple[str, ...], cache: Path) -> Extracted:
    """One extraction, with the compiled programs and the index of files of all others."""
    cache.mkdir()
    for area in ("weights", "compiled", "files"):
        (folder / area).mkdir(exist_ok=True)
        (cache / area).symlink_to(folder / area)
    before, began = _processor(), time.perf_counter()
    run(
        [sys.executable, "-m", "manyheads", "extract", str(data), *options],
        {"MANYHEADS_CACHE": str(cache), "PYTHONPATH": f"{ROOT / 'src'}"},
    )
    seconds, used = time.perf_counter() - began, _processor() - before
    whole = hashlib.sha256()
    for contents in sorted(cache.glob("features/*/contents.u64")):  # not there after --dry-run
        whole.update(_sorted_rows(contents))
    return Extracted(seconds, used, whole.hexdigest())


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sorted_rows(contents: Path) -> bytes:
    """A digest of the rows of a cache, whatever their order: shards are stored as they come."""
    count = contents.stat().st_size // 8
    rows = np.fromfile(contents.with_name("features.f32"), np.float32).reshape(count, -1)
    each = sorted(hashlib.sha256(row.tobytes()).digest() for row in rows)
    return hashlib.sha256(b"".join(each)).digest()


def report(heading: str, found: dict[str, Extracted]) -> list[str]:
    """The table of one data set."""
    alone = found["this process"]
    rows: list[tuple[object, ...]] = [
        ("features by", "seconds", "beside one process", "processor seconds", "beside one process",
         "the same features"),
    ]  # fmt: skip
    for name, each in found.items():
        is_ray = name == "Ray"  # whose processes are not children that were waited for
        rows.append((
            name, f"{each.seconds:.1f}", f"{each.seconds / alone.seconds - 1:+.1%}",
            "–" if is_ray else f"{each.processor:.1f}",
            "–" if is_ray else f"{each.processor / alone.processor - 1:+.1%}",
            "yes" if each.features == alone.features else "NO",
        ))  # fmt: skip
    return [f"## {heading}, {cores()} cores", "", *table(rows), ""]


if __name__ == "__main__":
    main()
