"""Do the lesson's claims hold on its own photographs? Writes docs/findings.md.

    python -m benchmarks.findings                   half an hour on two cores
    python -m benchmarks.findings --runs FOLDER     goes on from runs that FOLDER holds

Each claim is asked by the command that the guides give, with 20 seeds; what the command prints is
what the page shows. Nothing on the page that is a result is written by hand.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import ROOT, facts, parser, photographs

PAGE = ROOT / "docs" / "findings.md"
SEEDS = 20
_IMAGES = "--image-size 150 --interpolation nearest"
_TRAINING = "--epochs 30 --learning-rate-schedule constant --select best_accuracy"
_LESSON = f"--learning-rate 0.001 --size-inner 100 {_TRAINING} {_IMAGES}"
_COMMAND = "import sys; from manyheads.cli.main import main; sys.exit(main())"
_FILES = "Model|Curves|Tables?|Next|Picture|Record|         manyheads"
_LEFT_OUT = re.compile(rf"^({_FILES}) .*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Claim:
    """A claim of the lesson, the commands that ask, and what the lesson's words leave out.

    `{seeds}` stands for the number of seeds. The verdict is the last command's; all are evidence.
    """

    title: str
    says: str
    commands: tuple[str, ...]
    precisely: str


CLAIMS = (
    Claim(
        "Dropout is an ensemble of networks",
        "The lesson says that a network with dropout works as an ensemble of many networks.",
        (
            f"sweep clothing --droprate 0 0.2 0.5 0.8 {_LESSON} --seeds {{seeds}} --out lesson",
            "claims lesson --ensemble",
        ),
        "What an ensemble would do is average the *probabilities* of subnetworks. What a network "
        "computes at inference is weight scaling, one forward pass with no unit hidden. For a head "
        "of one hidden layer that is exactly the normalised *geometric* mean of all subnetworks "
        "(Hinton et al. 2012; a test enumerates all 1,024 of a small head). And the members are "
        "not independent: they share their weights. So three things are compared with it: a single "
        "subnetwork, the arithmetic mean of a hundred, and a true ensemble, of heads trained from "
        "other seeds.",
    ),
    Claim(
        "Dropout must train longer",
        "The lesson says that with dropout a network must be trained for more epochs.",
        ("claims lesson --longer",),
        "Longer until what? Until the best log loss, and until the best accuracy, are different "
        "questions: accuracy stays on a plateau long after the best log loss, and its best "
        "epoch is where noise puts it. A head that was still improving when its training ended "
        "gives only a lower bound.",
    ),
    Claim(
        "Hiding parts helps",
        "The lesson explains dropout by hiding parts of the image, so that a network cannot rely "
        "on any one of them.",
        (
            "sweep clothing --droprate 0 0.5 --dropblock 0 0.5 --augmented-copies 0 3 "
            f"--random-erasing 0.25 --augment none {_LESSON} --seeds {{seeds}} --out hidden",
            "compare hidden --baseline 5",
        ),
        "Dropout hides *units* of the inner layer, not parts of the image: the whole image has "
        "passed the backbone before. Hiding parts of the image is another regulariser, and it is "
        "here in two forms beside dropout: half of the cells of the feature map in every step "
        "(`dropblock`), and a rectangle of a quarter of each of three augmented copies "
        "(`random_erasing`). `augmented_copies 0` is the plain image alone. Each is compared with "
        "candidate 5, the lesson's head at droprate 0.5, which hides no part of the image.",
    ),
    Claim(
        "A network may learn a logo instead of a t-shirt, and hiding parts prevents that",
        "The lesson says that a network may learn that a logo makes a t-shirt, and that hiding "
        "parts keeps it from doing so.",
        (
            "shortcut clothing --class t-shirt --logo builtin --share 0.95 "
            "--droprate 0 0.2 0.5 0.8 "
            f"--dropblock --random-erasing --everywhere --clean --seeds {{seeds}} {_IMAGES} "
            "--out logo",
        ),
        "Whether it does is a question of the data: here a logo is planted on 95 % of the t-shirts "
        "that train. Dropout hides units, so it may hide what sees the logo, or what sees the "
        "sleeves. Everything is compared with a control that was trained without logos, because a "
        "print on the chest looks like a t-shirt to a network that never saw the logo. Remedies "
        "that are known to work stand beside ([the guide](guides/shortcut.md)).",
    ),
)


def main() -> None:
    options = parser("Whether the lesson's claims hold on its photographs.")
    options.add_argument("--runs", type=Path, help="folder of the runs (default: a temporary one)")
    options.add_argument("--seeds", type=int, default=SEEDS)
    options.add_argument("--page", type=Path, default=PAGE, help="(default: docs/findings.md)")
    args = options.parse_args()
    data = photographs(args.data, real=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = (args.runs or Path(folder)).absolute()
        runs.mkdir(parents=True, exist_ok=True)
        sections = [section(claim, runs, data, args.seeds) for claim in CLAIMS]
    lines = [*introduction(args.seeds), *(line for each in sections for line in each)]
    args.page.write_text("\n".join([*lines, "## Measured", "", *facts(), ""]), encoding="utf-8")
    print(f"written to {args.page}")


def introduction(seeds: int) -> list[str]:
    """The head of the page."""
    return [
        "# What of the lesson's claims holds, on its own photographs",
        "",
        "This page is written by `python -m benchmarks.findings`: the commands below, and what "
        f"they print. {seeds} seeds, Xception at 150×150 with ImageNet's weights, frozen. Every "
        "verdict is that of [the statistics of all comparisons here](verdict.md): intervals at "
        "95 %, for images and seeds drawn anew, adjusted for all differences of a command at once. "
        "*Undecided* means that the data do not tell, not that there is no difference. Features "
        "that the cache had already cost no pass.",
        "",
    ]


def section(claim: Claim, runs: Path, data: Path, seeds: int) -> list[str]:
    """A claim, its command, what that cost, and what it answered."""
    commands = [command.format(seeds=seeds) for command in claim.commands]
    answers = [run(command, runs, data) for command in commands]
    lines = [line for _, told in answers for line in told.splitlines()]
    costs = [line for line in lines if line.startswith("Cost")]
    evidence = [shown.partition("Verdict  ")[0].strip("\n") for shown, _ in answers]
    verdict = answers[-1][0].partition("Verdict  ")[2]
    return [
        f"## {claim.title}", "", f"{claim.says} {claim.precisely}", "",
        "```console", *(f"manyheads {command}" for command in commands), "```", "",
        *(f"- {sentence}" for sentence in sentences(verdict)), "",
        "<details><summary>The evidence</summary>", "",
        "```text", "\n\n".join(["\n".join(costs), *evidence]), "```", "", "</details>", "",
    ]  # fmt: skip


def sentences(verdict: str) -> list[str]:
    """The sentences of a verdict, each of which may fill several lines."""
    found, begun = [], ""
    for line in verdict.splitlines():
        begun = f"{begun} {' '.join(line.split())}".strip()
        if begun.endswith("."):
            found.append(begun.replace("Power ", "Power: ", 1))
            begun = ""
    return [*found, begun] if begun else found


def run(command: str, runs: Path, data: Path) -> tuple[str, str]:
    """What a command prints on stdout, without where its files lie, and on stderr."""
    print(f"manyheads {command}", flush=True)
    words = [str(data) if word == "clothing" else word for word in shlex.split(command)]
    done = subprocess.run(
        [sys.executable, "-P", "-c", _COMMAND, *words],
        cwd=runs, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"manyheads {command}\n{done.stderr[-2000:]}")
    return _LEFT_OUT.sub("", done.stdout).strip("\n"), done.stderr


if __name__ == "__main__":
    main()
