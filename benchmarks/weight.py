"""What does an installation weigh? Each distribution's files in a fresh environment, in MB.

    python -m benchmarks.weight              the base installation
    python -m benchmarks.weight tensorflow   with an extra, or several

The versions are those that `requirements/dev.txt` pins; what it does not pin is the newest.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]

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
    parser = argparse.ArgumentParser(description="What an installation weighs.")
    parser.add_argument("extras", nargs="*", metavar="EXTRA")
    weights = weigh(parser.parse_args().extras)
    for name, size in sorted(weights.items(), key=lambda item: -item[1]):
        print(f"{size / 1e6:8.1f} MB  {name}")
    print(f"{sum(weights.values()) / 1e6:8.1f} MB  in {len(weights)} distributions, ", end="")
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}")


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
