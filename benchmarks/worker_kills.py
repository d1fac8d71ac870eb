"""Does anything change when workers, nodes and the driver are killed at random moments?

    python -m benchmarks worker_kills        200 kills, about 20 minutes on two cores; --quick: 20

A sweep of generated images with workers, its features and its heads, is disturbed, started again
whenever its driver was killed, and compared with an undisturbed one without workers: tables,
settings and heads, byte for byte. Sweeps follow each other until so many kills have been made.
Where Ray and `scripts/cluster` work, a part of the kills goes to a cluster of three nodes, which
are lost whole and brought back.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import ROOT, parser, show, table, write_result

IMAGES, CLASSES, SIDE = 3000, 4, 64
SWEEP = (
    "--backbone", "mobilenet", "--weights", "random:0", "--image-size", "64", "--droprate", "0",
    "0.2", "0.5", "0.8", "--size-inner", "16", "64", "--seeds", "12", "--epochs", "12",
)  # fmt: skip
PROCESSES = "3"
BETWEEN = 1.0, 4.0  # seconds between two kills
AWAY = 1.0, 4.0  # seconds for which a node is lost
SHARES = {  # of what is killed
    "processes": {"worker": 0.85, "driver": 0.15},
    "cluster": {"worker": 0.45, "node": 0.4, "driver": 0.15},
}
MARK = {"processes": "spawn_main", "cluster": "WorkerHost"}  # in a worker's command line
COMPARED = ("study.toml", "history.csv", "results.csv", "comparisons.csv")


@dataclass
class Disturbed:
    """What was done to sweeps: kills of each kind, and how they ended."""

    kills: Counter[str] = field(default_factory=Counter[str])
    sweeps: int = 0
    unequal: int = 0
    begun: int = 0
    gave_up: list[str] = field(default_factory=list[str])
    """The last line of a command that ended by itself, with an error, and was repeated."""


def main() -> None:
    options = parser("Whether kills change anything.")
    options.add_argument("--kills", type=int, default=200)
    args = options.parse_args()
    kills = 20 if args.quick else args.kills
    with tempfile.TemporaryDirectory(prefix="mh-", dir="/tmp") as name:  # short, for sockets' names
        folder = Path(name)
        write_images(folder / "images")
        expected = undisturbed(folder)
        found: dict[str, Disturbed] = {}
        clustered = kills // 4 if find_spec("ray") else 0
        found["processes"] = disturbed(folder, "processes", kills - clustered, expected)
        if clustered:
            with Cluster(folder) as cluster:
                found["cluster"] = disturbed(folder, "cluster", clustered, expected, cluster)
    write_result(args.results, "worker-kills", lines(found))


def write_images(folder: Path) -> None:
    """Small images of no meaning, each of its own content."""
    chance = np.random.default_rng(0)
    for number in range(IMAGES):
        file = folder / f"class-{number % CLASSES}" / f"{number:05d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = chance.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(coarse).resize((SIDE, SIDE)).save(file)


def undisturbed(folder: Path) -> dict[str, bytes]:
    """What the sweep gives without workers."""
    done = subprocess.run(
        command(folder, "alone"), env=environment(folder, "alone"), cwd=ROOT, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return outcome(folder / "alone" / "run")


def command(folder: Path, name: str, *workers: str) -> list[str]:
    """The sweep, into a folder of that name."""
    return [
        sys.executable, "-m", "manyheads", "sweep", str(folder / "images"), *SWEEP,
        "--out", str(folder / name / "run"), *workers,
    ]  # fmt: skip


def environment(folder: Path, name: str) -> dict[str, str]:
    """A cache of its own, with the compiled backbone of all."""
    cache = folder / name / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for area in ("weights", "compiled"):
        (folder / area).mkdir(exist_ok=True)
        with suppress(FileExistsError):
            (cache / area).symlink_to(folder / area)
    return os.environ | {"MANYHEADS_CACHE": str(cache), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}


def outcome(run: Path) -> dict[str, bytes]:
    """The bytes that have to be the same."""
    heads = sorted((run / "heads").glob("*.safetensors"))
    files = [*(run / name for name in COMPARED), *heads]
    return {str(file.relative_to(run)): file.read_bytes() for file in files}


class Cluster:
    """`scripts/cluster` with three nodes, until the context ends."""

    NODES = ("1", "2", "3")

    def __init__(self, folder: Path) -> None:
        self._script = str(ROOT / "scripts" / "cluster")
        self.environment = {
            "CLUSTER_FOLDER": str(folder / "c"), "CLUSTER_PORT": "7479",
            "RAY": str(Path(sys.executable).with_name("ray")),
        }  # fmt: skip
        self.address = ""

    def __enter__(self) -> Cluster:
        self.address = self("up", str(len(self.NODES))).split()[-1]
        return self

    def __exit__(self, *_: object) -> None:
        self("down")

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [self._script, *words], env=os.environ | self.environment | {"PYTHONPATH": self._path},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"scripts/cluster {words}: {done.stderr[-2000:]}")
        return done.stdout

    _path = f"{ROOT / 'src'}:{ROOT}"

    def beside_the_head(self, words: list[str]) -> list[str]:
        """A command, run as the cluster's driver."""
        return [self._script, "run", *words]


def disturbed(
    folder: Path, kind: str, kills: int, expected: dict[str, bytes], cluster: Cluster | None = None
) -> Disturbed:
    """Sweeps one after the other, until so many kills were made and the last one has ended."""
    chance, found = random.Random(kills), Disturbed()
    while found.kills.total() < kills:
        name = f"{kind}-{found.sweeps}"
        disturbed_sweep(folder, name, kind, kills, chance, found, cluster)
        found.sweeps += 1
        found.unequal += outcome(folder / name / "run") != expected
        shutil.rmtree(folder / name)
        made = ", ".join(f"{count} {what}" for what, count in sorted(found.kills.items()))
        show(f"{kind}: {found.sweeps} sweeps, {found.unequal} unequal, killed: {made}")
    return found


def disturbed_sweep(
    folder: Path, name: str, kind: str, kills: int, chance: random.Random, found: Disturbed,
    cluster: Cluster | None,
) -> None:  # fmt: skip
    """One sweep to its end, whatever happens to it."""
    words = command(folder, name, "--workers", PROCESSES if cluster is None else cluster.address)
    known = environment(folder, name)
    if cluster is not None:
        words, known = cluster.beside_the_head(words), known | cluster.environment
    while True:
        found.begun += 1
        with subprocess.Popen(
            words, env=known, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True, text=True,
        ) as driver:  # fmt: skip
            killed = disturb(driver, kind, kills, chance, found, cluster)
            assert driver.stderr is not None
            said = driver.stderr.read()
        if not killed and driver.returncode == 0:
            return
        if not killed:
            found.gave_up.append(said.strip().splitlines()[-1][:200])
            if len(found.gave_up) > kills:
                raise SystemExit(f"it ends by itself, again and again: {found.gave_up[-1]}")


def disturb(
    driver: subprocess.Popen[str], kind: str, kills: int, chance: random.Random, found: Disturbed,
    cluster: Cluster | None,
) -> bool:  # fmt: skip
    """Kill something now and then until the driver ends; whether it was killed itself."""
    whats, shares = zip(*SHARES[kind].items(), strict=True)
    while True:
        with suppress(subprocess.TimeoutExpired):
            driver.wait(chance.uniform(*BETWEEN))
            return False
        if found.kills.total() >= kills:
            continue
        what = chance.choices(whats, shares)[0]
        if what == "driver":
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
            found.kills[what] += 1
            return True
        if what == "node" and cluster is not None:
            node = chance.choice(Cluster.NODES)
            cluster("kill", node)
            time.sleep(chance.uniform(*AWAY))
            cluster("start", node)
            found.kills[what] += 1
        elif workers := workers_of(driver.pid, kind):
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
                found.kills["worker"] += 1


def workers_of(driver: int, kind: str) -> list[int]:
    """The processes of workers that there are now."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (place / "cmdline").read_bytes().decode(errors="replace")
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if MARK[kind] in words and (kind == "cluster" or parent == driver):
                found.append(int(place.name))
    return sorted(found)


def lines(found: dict[str, Disturbed]) -> list[str]:
    """The table."""
    rows: list[tuple[object, ...]] = [
        ("workers", "killed workers", "killed drivers", "lost nodes", "sweeps", "unequal", "began",
         "ended by themselves"),
    ]  # fmt: skip
    rows += [
        (
            {"processes": f"{PROCESSES} processes", "cluster": "3 nodes of Ray"}[kind],
            each.kills["worker"], each.kills["driver"], each.kills["node"],
            each.sweeps, each.unequal, each.begun, len(each.gave_up),
        )
        for kind, each in found.items()
    ]  # fmt: skip
    said = Counter(line for each in found.values() for line in each.gave_up)
    return [
        f"## Sweeps of {IMAGES:,} images and 96 heads, killed at random moments",
        "",
        *table(rows),
        "",
        f"Between two kills lie {BETWEEN[0]:g} to {BETWEEN[1]:g} seconds. A killed driver is "
        "started again. Unequal are sweeps of which any byte of study.toml, history.csv, "
        "results.csv, comparisons.csv or a head differs from the undisturbed one, which had no "
        "workers. A command that ended by itself, since three workers died of one unit, was "
        "repeated too.",
        "",
        *(f"- {count} × `{line}`" for line, count in said.most_common(5)),
        "",
    ]


if __name__ == "__main__":
    main()
