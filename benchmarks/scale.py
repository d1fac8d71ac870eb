"""What do a million, a hundred million and a billion images take, on 4 to 400 nodes?

    python -m benchmarks.scale                 half an hour on two cores, 6 GB of disk
    python -m benchmarks.scale --quick         a trial: caches of 100,000 and a million rows

Measured here: a shard, large caches, listing, units given to workers, the restart of a study. From
these `parts/cluster_model.py` predicts jobs on clusters that nobody has tried. What is generated
lies in a temporary folder, and goes.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import parser, part, photographs, table, write_result
from benchmarks.parts.cluster_model import (
    SPOT,
    TB,
    Assumptions,
    Costs,
    Predicted,
    assumption_lines,
    beyond,
    divided,
    predicted,
    spelled,
)
from benchmarks.parts.large_caches import SHARD
from manyheads.core.machine import cores

MILLION = 1_000_000
IMAGES, NODES = (1e6, 1e8, 1e9), (4, 40, 400)
PART = 25e6  # images of a part, where a data set is divided
MISSING = 0.01
BACKBONES = (("xception", 150), ("mobilenet_v3_small", 224))

Rows = list[tuple[str, ...]]


def main() -> None:
    options = parser("What clusters take, from what was measured here.")
    options.add_argument("--folder", type=Path, help="where to write (default: temporary)")
    args = options.parse_args()
    data = str(photographs(args.data))
    sizes = (MILLION // 10, MILLION) if args.quick else (MILLION, 10 * MILLION)
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        shards = measured_shards(folder, data, 1)
        caches = {size: measured_cache(folder, size) for size in sizes}
        listing = measured_listing(folder, sizes[0] if args.quick else MILLION)
        spared = {"MANYHEADS_CACHE": str(folder / "units")}
        units = {how: _part("units", spared, asked=how, count=64) for how in _kinds()}
        study = _part("restarting", spared, candidates=200, seeds=5)
    costs = costs_of(shards["xception at 150"], caches[sizes[1]], listing, units["1"])
    write_result(
        args.results,
        "scale",
        [
            *measured_lines(shards, caches, listing, units, study),
            *predicted_lines(costs),
        ],
    )


def _part(name: str, cache: dict[str, str], **arguments: Any) -> Any:
    found = part(f"parts.large_caches.{name}", cache, **arguments)
    shown = ", ".join(f"{key} {value:,.6g}" for key, value in found.items())
    print(f"{name} {arguments}: {shown}", file=sys.stderr, flush=True)
    return found


def _kinds() -> list[str]:
    return ["1", "2"] + (["ray"] if importlib.util.find_spec("ray") else [])


def measured_shards(folder: Path, data: str, shards: int) -> dict[str, Any]:
    """Extraction by this process, by backbone and size of images."""
    cache = {"MANYHEADS_CACHE": str(folder / "shards")}
    return {
        f"{backbone} at {size}": _part(
            "extracting", cache, data=data, backbone=backbone, size=size, shards=shards
        )
        for backbone, size in BACKBONES
    }


def measured_cache(folder: Path, rows: int) -> dict[str, Any]:
    """A cache of so many rows, which is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        cache = {"MANYHEADS_CACHE": name}
        built = _part("building", cache, rows=rows)
        found = _part("resuming", cache, rows=rows, missing=MISSING)
        found["through"] = _part("looked_through", cache, rows=rows)["seconds"]
        found["stored"] = _part("adding", cache, rows=rows)["seconds"]
        found["reread"] = _part("rereading", cache, rows=20_000)["one"]
        return found | {"rows": rows, "bytes": built["bytes"]}


def measured_listing(folder: Path, images: int) -> dict[str, Any]:
    """A data set of so many files: its first opening, and the next."""
    cache, data = {"MANYHEADS_CACHE": str(folder / "listing")}, str(folder / "images")
    _part("linking", cache, folder=data, images=images, classes=100)
    first, second = (_part("opening", cache, folder=data) for _ in range(2))
    return {
        "images": images, "first": first["seconds"], "second": second["seconds"],
        "peak": max(first["peak"], second["peak"]),
    }  # fmt: skip


def costs_of(shard: Any, cache: Any, listing: Any, unit: Any) -> Costs:
    """The costs of one image, from what was measured."""
    rows, images = cache["rows"], listing["images"]
    return Costs(
        core=shard["worked"] / shard["images"],
        file=shard["bytes"],
        row=shard["row"],
        unit=unit["one"],
        stored=cache["stored"],
        opening=listing["first"] / images,
        reopening=listing["second"] / images,
        resuming=cache["resumed"] / rows,
        memory=listing["peak"] / images + cache["resumed peak"] / rows,
        index=(cache["bytes"] + cache["keys"]) / rows,
    )


def measured_lines(shards: Any, caches: Any, listing: Any, units: Any, study: Any) -> list[str]:
    """The tables of what was measured."""
    of_shards: Rows = [
        ("backbone", "images/s", f"a shard of {SHARD}", "processor time of an image", "its file",
         "its row")
    ]  # fmt: skip
    for name, each in shards.items():
        rate = each["images"] / each["seconds"]
        of_shards.append(
            (name, f"{rate:.1f}", f"{SHARD / rate:.1f} s",
             f"{1e3 * each['worked'] / each['images']:.1f} ms", f"{each['bytes'] / 1e3:.1f} KB",
             f"{each['row'] / 1e3:.1f} KB")
        )  # fmt: skip
    of_caches: Rows = [
        ("rows", "opening", "what is missing", "both, the keys not there yet",
         "the index looked through", "by the index, an image", "memory", "index", "keys",
         "a shard stored", "an image's row found and its checksum compared")
    ]  # fmt: skip
    for rows, each in caches.items():
        of_caches.append(
            (f"{rows:,}", f"{each['opening'] * 1e3:.1f} ms",
             f"{each['resumed'] - each['opening']:.2f} s", f"{each['listed']:.1f} s",
             f"{each['through']:.1f} s", f"{each['one'] * 1e6:.1f} µs",
             f"{each['resumed peak'] / 2**20:,.0f} MiB", f"{each['bytes'] / 1e6:,.0f} MB",
             f"{each['keys'] / 1e6:,.0f} MB", f"{each['stored'] * 1e3:.0f} ms",
             f"{each['reread'] * 1e6:.1f} µs")
        )  # fmt: skip
    of_units: Rows = [("workers", "the first four", "a unit more")]
    for name, each in units.items():
        of_units.append((name, f"{each['start']:.1f} s", f"{each['one'] * 1e3:.1f} ms"))
    return [
        "## Measured",
        "",
        *table(of_shards),
        "",
        f"This process alone, on {cores()} cores, weights drawn at random. Processor time is of "
        "all cores together, and hardly heeds what else the machine does; seconds do.",
        "",
        *table(of_caches),
        "",
        f"Of as many contents as rows, {MISSING:.0%} missing, in another order. Memory: of the "
        "process at its peak above what it holds the contents in. Rows have 2,048 numbers; but for "
        "those stored, they are holes in the file.",
        "",
        f"Listing {listing['images']:,} files of 2 KB in 100 folders: {listing['first']:.1f} s at "
        f"first, reading each, {listing['second']:.1f} s from then on; "
        f"{listing['peak'] / 2**20:,.0f} MiB.",
        "",
        *table(of_units),
        "",
        "A unit computes nothing and gives 2 MiB, the features of a shard.",
        "",
        f"A study of {study['trials']:,.0f} small heads: {study['trained']:.1f} s, its store "
        f"{study['bytes'] / study['trials'] / 1e3:.1f} kB a head; started again with nothing left "
        f"to do: {study['restarted']:.2f} s, {study['restarted'] / study['trials'] * 1e3:.2f} ms a "
        "head.",
    ]


def predicted_lines(costs: Costs) -> list[str]:
    """The tables of what was predicted."""
    given: Rows = [("assumed", "value"), *assumption_lines()]
    used: Rows = [("cost, measured", "value")]
    used += [(name, f"{value:.4g}") for name, value in vars(costs).items()]
    head = ("images", "nodes", "time", "99 of 100 within", "its longest part", "images/s",
            "from the source", "to the driver", "driver's memory", "cache", "nodes lost",
            "computed again", "beyond the driver")  # fmt: skip
    whole: Rows = [head]
    halves: Rows = [("parts", *head)]
    for images in IMAGES:
        for nodes in NODES:
            for name, rates in ("", Assumptions()), (" (spot)", SPOT):
                job = predicted(images, nodes, costs, rates, seed=1)
                whole.append(_row(f"{nodes}{name}", images, job, costs, rates))
            if images > PART:
                each, some, count = divided(images, nodes, PART)
                known = _in_parts(costs)
                job = predicted(each, some, known, Assumptions(), seed=1)
                row = _row(str(nodes), images, job, known, Assumptions(), count)
                halves.append((str(count), *row))
    return [
        "",
        "## Predicted",
        "",
        *table(used),
        "",
        *table(given),
        "",
        "Seconds and bytes; costs of an image, `unit` and `stored` of a shard; xception at 150.",
        "",
        *table(whole),
        "",
        "The same in parts, each with a driver, a cache and an equal share of the nodes; contents "
        "known from a manifest, and rows of half precision. Memory and cache are those of one "
        "part.",
        "",
        *table(halves),
    ]


def _in_parts(costs: Costs) -> Costs:
    """With contents from a manifest the driver lists and reads nothing; rows take half."""
    told = {**vars(costs), "opening": costs.reopening, "row": costs.row / 2}
    return Costs(**told)


def _row(
    nodes: str, images: float, job: Predicted, costs: Costs, given: Assumptions, count: int = 1
) -> tuple[str, ...]:
    longest = {"opening": job.opening} | job.parts
    return (
        f"{images:,.0f}", nodes, spelled(job.median), spelled(job.late),
        f"{job.bound}, {spelled(longest[job.bound])}", f"{images / job.median:,.0f}",
        f"{images * costs.file / TB:,.2f} TB", f"{images * costs.row / TB:,.3f} TB",
        f"{job.memory / 2**30:,.1f} GiB", f"{job.disk / TB:,.3f} TB",
        f"{job.losses * count:,.1f}", f"{job.again:.4%}",
        ", ".join(beyond(job, given)) or "nothing",
    )  # fmt: skip


if __name__ == "__main__":
    main()
