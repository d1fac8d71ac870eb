"""Does `predict` classify images as fast as extraction computes their features?

    python -m benchmarks predict_rate      ten minutes on two cores; with --quick, five

The same photographs through `extract` and through `Classifier.stream`, by turns, each time into a
cache that knows none of them. Then the command on 10,000 and 100,000 names of them, for its memory.
"""

from __future__ import annotations

import tempfile
from itertools import cycle, islice
from pathlib import Path

from benchmarks.machine import (
    fresh_cache,
    gib,
    manyheads,
    parser,
    part,
    photographs,
    show,
    table,
    write_result,
)  # fmt: skip
from manyheads.data.dataset import open_dataset


def main() -> None:
    args = parser("The rate of predictions beside that of extraction.").parse_args()
    data = photographs(args.data)
    with tempfile.TemporaryDirectory() as folder:
        cache = fresh_cache(Path(folder, "cache"))
        run = part("parts.predicting.model", cache, out=str(Path(folder, "run")))
        turns = measured_turns(data, run, cache, 1 if args.quick else 3)
        lines = rates(turns) + memory(Path(folder), data, run, cache, args.quick)
    write_result(args.results, "predict-rate", lines)


def measured_turns(
    data: Path, run: str, cache: dict[str, str], times: int
) -> list[tuple[dict[str, float], dict[str, float]]]:
    """Extraction and prediction by turns, so that what disturbs one disturbs the other."""
    turns = []
    for _ in range(times):
        extracted = part("parts.predicting.extraction", cache, data=str(data))
        predicted = part("parts.predicting.prediction", cache, data=str(data), run=run)
        show(f"extraction {_rate(extracted):.1f}/s, prediction {_rate(predicted):.1f}/s")
        turns.append((extracted, predicted))
    return turns


def rates(turns: list[tuple[dict[str, float], dict[str, float]]]) -> list[str]:
    """The table of rates, and the share over all turns."""
    rows: list[tuple[str, ...]] = [
        ("turn", "images", "extraction, images/s", "prediction, images/s", "its share",
         "prediction of known images, images/s"),
    ]  # fmt: skip
    for number, (extracted, predicted) in enumerate(turns, start=1):
        share = _rate(predicted) / _rate(extracted)
        known = predicted["images"] / predicted["known"]
        rows.append(
            (
                str(number),
                f"{predicted['images']:,.0f}",
                f"{_rate(extracted):.1f}",
                f"{_rate(predicted):.1f}",
                f"{share:.0%}",
                f"{known:,.0f}",
            )
        )
    spent = [sum(turn[side]["seconds"] for turn in turns) for side in (0, 1)]
    images = [sum(turn[side]["images"] for turn in turns) for side in (0, 1)]
    share = images[1] / spent[1] / (images[0] / spent[0])
    return [
        "## Predictions beside extraction: Xception at 150 × 150",
        "",
        *table(rows),
        "",
        f"Over all turns predictions come at {share:.1%} of extraction's rate. Both begin with the "
        "loading of the program and end with the last image; features go to the cache in both. "
        "Extraction has opened the data set before; predictions read and digest every file "
        "themselves.",
        "",
    ]


def memory(folder: Path, data: Path, run: str, cache: dict[str, str], quick: bool) -> list[str]:
    """The command on very many names of photographs that are known, into a file."""
    rows: list[tuple[str, ...]] = [("names", "seconds", "images/s", "peak memory")]
    paths = list(open_dataset(data).paths)
    for count in (1_000, 10_000) if quick else (10_000, 100_000):
        manifest = folder / f"{count}.csv"
        names = "".join(f'"{path}"\n' for path in islice(cycle(paths), count))
        manifest.write_text(f"path\n{names}", encoding="utf-8")
        out = folder / f"out-{count}.csv"
        took = manyheads("predict", run, manifest, "--out", out, **cache)
        assert out.read_bytes().count(b"\n") == count + 1
        show(f"{count:,} names: {took.seconds:.1f} s, {gib(took.peak)}")
        rows.append(
            (f"{count:,}", f"{took.seconds:.1f}", f"{count / took.seconds:,.0f}", gib(took.peak))
        )
    return [
        "## Memory: names of photographs whose features are known",
        "",
        *table(rows),
        "",
        "The whole command, `manyheads predict RUN names.csv --out out.csv`, with its start.",
        "",
    ]


def _rate(turn: dict[str, float]) -> float:
    return turn["images"] / turn["seconds"]


if __name__ == "__main__":
    main()
