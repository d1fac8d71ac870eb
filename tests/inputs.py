"""Tests that are run when what they depend on has changed, and not on every change.

A test marked `when_changed("backbones")` is not in the default suite. `scripts/test -m ''`, as in
continuous integration, and `scripts/test -m when_changed` run it if the files of that group differ
from those with which the whole group has passed last, whose digest is in `inputs.json`; and with
`MANYHEADS_ALL_TESTS=1` in any case. The modules of a group's tests are among its files. After all
tests of changed groups have passed, slow ones too,

    python -m tests.inputs --record

writes the digests anew; with names behind it, those of these groups alone. What decides is content
alone, so a clean checkout needs no history.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "tests" / "inputs.json"
LIBRARIES = "requirements/bench.txt"  # what computes; dev.txt adds what tests and checks

CORE = "src/manyheads/core/*.py"
# What computes nothing, so that groups named for what they compute do without it.
APART = {ROOT / "src/manyheads/core" / name for name in ("processes.py", "workers.py")}
BACKBONES = "src/manyheads/backbones/*.py"
MODEL_FILES = "src/manyheads/modelfiles/*.py"
MODELS = "src/manyheads/models/*.py"
PACKAGE = "src/manyheads/**/*.py"
STUDIES = tuple(
    f"src/manyheads/{layer}/**/*.py"
    for layer in ("core", "data", "heads", "stats", "workers", "modelfiles", "backbones",
                  "features", "study", "findings", "models", "run", "lesson", "api")
)  # fmt: skip

GROUPS: dict[str, tuple[str, ...]] = {
    # All backbones that Keras builds; else one of each family.
    "backbones": (
        LIBRARIES, CORE, BACKBONES, MODEL_FILES, "tests/conformance/keras_forward.py",
        "tests/conformance/device_forward.py", "tests/conformance/keras_hub_networks.py",
    ),
    # The engine on Keras, and Keras itself beside one; else the engine on this processor, under the
    # same tests.
    "keras engine": (
        LIBRARIES, CORE, "src/manyheads/heads/**/*.py", "tests/conformance/test_engines.py",
        "tests/conformance/test_regularisers.py", "tests/banks.py", "tests/formulas.py",
        "tests/keras_reference.py",
    ),
    # The engine of JAX programs; else the engine on this processor, under the same tests.
    "stacked engine": (
        LIBRARIES, CORE, "src/manyheads/heads/*.py", "src/manyheads/heads/stacked/*.py",
        "tests/conformance/test_engines.py", "tests/conformance/test_regularisers.py",
        "tests/unit/heads/stacked/*.py", "tests/banks.py", "tests/formulas.py",
    ),
    # All formats of Xception, all backbones as ONNX, what is quantised; else the formats of a
    # small backbone, and one backbone of each family.
    "exports": (
        LIBRARIES, CORE, BACKBONES, MODEL_FILES, MODELS, "src/manyheads/models/export/*.py",
        "tests/runtimes.py", "tests/conformance/onnx_forward.py", "src/manyheads/cli/closing.py",
    ),
    # All forms of Keras models, whole and on a small network; else what does not fit or is none.
    "imports": (
        LIBRARIES, CORE, BACKBONES, MODEL_FILES, MODELS, "src/manyheads/models/importing/*.py",
        "tests/model_form*.py", "tests/keras2.py",
    ),
    # 10,000 made-up layouts of folders, and files in buckets; else 200, and files.
    "data": (LIBRARIES, CORE, "src/manyheads/data/*.py", "tests/remote_stores.py"),
    # 1,200 damaged model files; else 50.
    "model files": (LIBRARIES, CORE, MODEL_FILES, "tests/fuzz.py"),
    # Twenty kills of a study with a real backbone; else five.
    "resuming": (
        LIBRARIES, CORE, "src/manyheads/features/*.py", "src/manyheads/heads/*.py",
        "src/manyheads/study/*.py", "src/manyheads/run/*.py", "tests/processes.py",
    ),
    # All that an installed framework does, by a stand-in for one; else what needs no child process.
    "frameworks": (LIBRARIES, CORE, BACKBONES),
    # Packs and arrays that are forged; else damaged packs.
    "feature files": (
        LIBRARIES, CORE, MODEL_FILES, "src/manyheads/data/feature_*.py",
        "src/manyheads/data/given_features.py", "tests/fuzz.py",
    ),
    # Whatever code and notebooks in documents run; else their commands and names.
    "documents": (
        LIBRARIES, "README.md", "docs/*.md", "docs/guides/*.md", "docs/guides/*.ipynb",
        "src/manyheads/*.py", "src/manyheads/api/*.py", "src/manyheads/estimator/*.py",
    ),
    # A real terminal at each width, each command in each encoding; else errors and pipes.
    "screens": (
        CORE, "src/manyheads/cli/*.py", "src/manyheads/findings/finding.py", "tests/terminals.py",
    ),
    # Pages in a real browser, and all parts of reports; else what their addresses answer.
    "pages": (
        "requirements/dev.txt", "src/manyheads/web/**/*.py", "src/manyheads/web/*/static/*",
        "src/manyheads/findings/*.py", "src/manyheads/report/*.py",
        "src/manyheads/report/templates/*", "tests/e2e/browser.py", "tests/e2e/studio_page.py",
        "tests/e2e/service_page/*.py", "tests/page_*.py",
    ),
    # Hundreds of drawn studies and data sets; else some, and their formulas.
    "statistics": (LIBRARIES, "src/manyheads/stats/*.py", "src/manyheads/findings/*.py"),
    # scikit-learn's suite for estimators; else their behaviour.
    "estimators": (
        LIBRARIES, CORE, "src/manyheads/heads/**/*.py", "src/manyheads/estimator/*.py",
    ),
    # Model files that Keras opens, of networks that Keras builds; else those of a free backbone.
    "models": (
        LIBRARIES, CORE, BACKBONES, MODEL_FILES, "src/manyheads/heads/*.py",
        "src/manyheads/models/**/*.py", "tests/unit/models/*.py", "tests/conformance/*forward.py",
    ),
    # Units of work in other processes, lost, late and wrong; else in this process.
    "workers": (
        LIBRARIES, CORE, "src/manyheads/core/processes.py", "src/manyheads/core/workers.py",
        "src/manyheads/workers/*.py", "src/manyheads/features/*.py",
        "src/manyheads/heads/spread_engine.py", "tests/worker_tasks.py",
    ),
    # Whole studies, fits and lessons from Python; else their parts.
    "studies": (LIBRARIES, *STUDIES),
    # Whole commands; else the quick ones of each.
    "commands": (LIBRARIES, PACKAGE),
}  # fmt: skip


def digest(group: str) -> str:
    """SHA-256 over the names and contents of the files that a group of tests depends on."""
    files = {file for file, text in modules().items() if f'when_changed("{group}")' in text}
    for pattern in GROUPS[group]:
        files |= {*ROOT.glob(pattern)} - (APART if pattern == CORE else set())
    whole = hashlib.sha256()
    for file in sorted(files):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        whole.update(f"{file.relative_to(ROOT).as_posix()} {content}\n".encode())
    return whole.hexdigest()


@cache
def modules() -> dict[Path, str]:
    """The modules of all tests, and their text."""
    return {file: file.read_text() for file in (ROOT / "tests").rglob("test_*.py")}


@cache
def changed(group: str) -> bool:
    """Whether the tests of a group are to be run."""
    if os.environ.get("MANYHEADS_ALL_TESTS") == "1":
        return True
    recorded = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    return recorded.get(group) != digest(group)


def main() -> None:
    """Say which groups have changed, or record that they passed."""
    parser = argparse.ArgumentParser(description="Which groups of tests have changed inputs.")
    parser.add_argument(
        "--record", nargs="*", choices=GROUPS, metavar="GROUP", help="they have passed as they are"
    )
    passed = parser.parse_args().record
    if passed is not None:
        digests = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
        digests |= {group: digest(group) for group in passed or GROUPS}
        kept = {group: digests[group] for group in GROUPS if group in digests}
        RECORD.write_text(json.dumps(kept, indent=2) + "\n")
    for group in GROUPS:
        print(f"{group:<14}  {'changed' if changed(group) else 'as they passed'}")


if __name__ == "__main__":
    main()
