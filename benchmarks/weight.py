"""What does an installation weigh? Each distribution's files in a fresh environment, in MB.

    python -m benchmarks.weight                       the base installation
    python -m benchmarks.weight --extras tensorflow   with an extra, or several

The versions are those that `requirements/dev.txt` pins; what it does not pin is the newest.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from benchmarks.machine import ROOT, parser, table, write_result

# Runs in the fresh environment: the bytes of the files that each distribution installed.
MEASURE = """
import importlib.metadata, json
print(json.dumps({
    f"{distribution.name} {distribution.version}": sum(
        file.locate().stat().st_size for file in distribution.files or () if file.locate().is_file()
    )
    for distribution in importlib.metadata.distributions()
}))
"""


def main() -> None:
    options = parser("What an installation weighs.")
    options.add_argument("--extras", nargs="+", default=[], metavar="EXTRA")
    args = options.parse_args()
    weights = weigh(args.extras)
    rows = [("distribution", "MB"), (f"all {len(weights)}", f"{sum(weights.values()) / 1e6:.1f}")]
    heaviest = sorted(weights.items(), key=lambda item: -item[1])
    rows += [(name, f"{size / 1e6:.1f}") for name, size in heaviest]
    write_result(args.results, "-".join(["weight", *args.extras]), table(rows))


def weigh(extras: list[str]) -> dict[str, int]:
    """Bytes of each distribution that an installation with `extras` has, itself included."""
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder, "Scripts" if sys.platform == "win32" else "bin", "python")
        constraints = Path(folder, "constraints.txt")
        constraints.write_text(pinned_versions(ROOT / "requirements/dev.txt"))
        run(python, "-m", "pip", "install", "-qq", "--constraint", constraints, target)
        run(python, "-m", "pip", "uninstall", "-qq", "--yes", "pip", "setuptools")
        return json.loads(run(python, "-c", MEASURE))


def pinned_versions(pins: Path) -> str:
    """The pins without their hashes, which pip would demand of manyheads too."""
    return "\n".join(re.findall(r"^[\w.-]+==.*?(?= \\$)", pins.read_text(), re.MULTILINE))


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
