"""How large is each export, how close is it to the study's model, and how long does it take?

    python -m benchmarks exports      ten minutes on two cores

The lesson's Xception at 150 pixels, with its preprocessing inside. The difference is the largest
between two probabilities, over ten classes and the 32 validation images of the export's own check.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.machine import manyheads, parser, photographs, show, table, write_result
from manyheads import Study
from manyheads.models.export.formats import FORMATS


def main() -> None:
    options = parser("Size and exactness of exports.")
    args = options.parse_args()
    data = photographs(args.data, real=True)
    rows: list[tuple[object, ...]] = [
        ("format", "runtime", "MB", "largest difference", "images at once", "seconds")
    ]
    with tempfile.TemporaryDirectory() as folder:
        study = Study(
            data,
            droprate=0.5,
            image_size=150,
            interpolation="nearest",
            exif=False,
            seeds=1,
            epochs=10,
            out=Path(folder, "run"),
        ).run()
        for name in ("keras", "openvino") if args.quick else FORMATS:
            row = exported(study.path, name)
            show(*row)
            rows.append(row)
    write_result(args.results, "exports", table(rows))


def exported(run: Path, name: str) -> tuple[object, ...]:
    """One format's row: the whole command, from its start to the checked file."""
    done = manyheads("export", run, "--format", name, "--json")
    document = json.loads(done.output)
    check = document["check"]
    size = sum(file["bytes"] for file in document["files"]) / 1e6
    batch = "any number" if check["any_batch"] else "one"
    difference = f"{check['difference']:.1e}"
    return name, check["runtime"], f"{size:.1f}", difference, batch, f"{done.seconds:.0f}"


if __name__ == "__main__":
    main()
