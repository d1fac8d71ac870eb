"""How long does one image take a model that is loaded?

    python -m benchmarks one_image      three minutes on two cores

The latency of `load(run).predict(pixels)` for single images, beside the padded batch that it would
cost if it were run as images of a data set are. The first prediction compiles; the very first on a
machine also proves that an image alone gets the same features.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.machine import fresh_cache, parser, part, show, table, write_result

NETWORKS = (("xception", 150), ("mobilenet_v2", 224), ("efficientnet_v2_b0", 224))


def main() -> None:
    args = parser("The latency of a single image.").parse_args()
    rows: list[tuple[str, ...]] = [
        ("backbone", "pixels", "first ever, s", "first in a process, s", "later, ms",
         "padded batch, ms", "same bits alone"),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        cache = fresh_cache(Path(folder, "cache"))
        for name, size in NETWORKS[: 2 if args.quick else None]:
            run = str(Path(folder, name))
            part("parts.predicting.small_model", cache, out=run, backbone=name, size=size)
            ever = part("parts.predicting.one_image", cache, run=run)
            again = part("parts.predicting.one_image", cache, run=run)
            show(f"{name}: {again['later']:.0f} ms, padded {again['padded']:.0f} ms")
            rows.append(
                (
                    name, f"{size}", f"{ever['first']:.1f}", f"{again['first']:.1f}",
                    f"{again['later']:.0f}", f"{again['padded']:.0f}",
                    "yes" if again["same"] else "no",
                )
            )  # fmt: skip
    lines = [
        "## One image, in memory",
        "",
        *table(rows),
        "",
        "Medians of 9 predictions of different images. Weights are random: they do not matter to "
        "the time. A network whose program takes batches of one size alone is padded.",
        "",
    ]
    write_result(args.results, "one-image", lines)


if __name__ == "__main__":
    main()
