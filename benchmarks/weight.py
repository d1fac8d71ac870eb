"""What does an installation weigh? Each distribution's files in a fresh environment, in MB.

    python -m benchmarks.weight                       the base installation
    python -m benchmarks.weight --extras tensorflow   with an extra, or several
    python -m benchmarks.weight --each serve ray      what each extra adds to the base installation

The versions are those that `requirements/dev.txt` pins, and then `requirements/programs.txt`; what
neither pins is the newest.
"""

from __future__ import annotations

import json
import os
import re
import shutil
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
PINS = ("requirements/dev.txt", "requirements/programs.txt")
NAMED = 6  # distributions that a row of an extra names, the heaviest


def main() -> None:
    options = parser("What an installation weighs.")
    options.add_argument("--extras", nargs="+", default=[], metavar="EXTRA")
    options.add_argument("--each", nargs="+", default=[], metavar="EXTRA")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder, "base")
        venv.create(base, with_pip=True)
        if args.each:
            write_result(args.results, "weight-of-extras", added(base, args.each))
            return
        install(base, args.extras)
        weights = weigh(base)
    rows = [("distribution", "MB"), (f"all {len(weights)}", f"{sum(weights.values()) / 1e6:.1f}")]
    rows += [(name, f"{size / 1e6:.1f}") for name, size in heaviest_first(weights)]
    write_result(args.results, "-".join(["weight", *args.extras]), table(rows))


def added(base: Path, extras: list[str]) -> list[str]:
    """The table of what each extra adds to the base installation, which is made in `base`."""
    install(base, [])
    before = {name.split()[0] for name in weigh(base)}
    rows = [("extra", "distributions", "MB", "the heaviest, MB")]
    for extra in extras:
        copy = base.with_name("extra")
        shutil.copytree(base, copy, symlinks=True, copy_function=os.link)
        install(copy, [extra])
        new = {name: size for name, size in weigh(copy).items() if name.split()[0] not in before}
        named = [f"{name} {size / 1e6:.1f}" for name, size in heaviest_first(new)[:NAMED]]
        rows.append((extra, str(len(new)), f"{sum(new.values()) / 1e6:.1f}", ", ".join(named)))
        shutil.rmtree(copy)
    return table(rows)


def heaviest_first(weights: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(weights.items(), key=lambda item: -item[1])


def install(environment: Path, extras: list[str]) -> None:
    """Install manyheads with `extras` into an environment; what it has already stays."""
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    constraints = environment / "constraints.txt"
    for pins in PINS:  # MLflow wants older packages than the first
        constraints.write_text(pinned_versions(ROOT / pins))
        words = ("-m", "pip", "install", "-qq", "--constraint", constraints, target)
        if subprocess.run((python_of(environment), *words), check=False).returncode == 0:
            return
    raise SystemExit(f"expected to install manyheads{extras}, found no versions: see above")


def weigh(environment: Path) -> dict[str, int]:
    """Bytes of each distribution in an environment, without what installs them."""
    found = subprocess.run(
        [python_of(environment), "-c", MEASURE], check=True, stdout=subprocess.PIPE, text=True
    )
    weights: dict[str, int] = json.loads(found.stdout)
    return {
        name: size
        for name, size in weights.items()
        if name.split()[0].lower() not in ("pip", "setuptools")
    }


def python_of(environment: Path) -> Path:
    return environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def pinned_versions(pins: Path) -> str:
    """The pins without their hashes, which pip would demand of manyheads too."""
    return "\n".join(re.findall(r"^[\w.-]+==.*?(?= \\$)", pins.read_text(), re.MULTILINE))


if __name__ == "__main__":
    main()
