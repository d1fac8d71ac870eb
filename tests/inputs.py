"""Tests that are run when what they depend on has changed, and not on every change.

A test marked `when_changed("backbones")` is not in the default suite. `scripts/test -m ''`, as in
continuous integration, and `scripts/test -m when_changed` run it if the files of that group differ
from those with which the whole group has passed last, whose digest is in `inputs.json`; and with
`MANYHEADS_ALL_TESTS=1` in any case. After all tests of changed groups have passed, slow ones too,

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
    for layer in ("core", "data", "heads", "stats", "modelfiles", "backbones", "features", "study",
                  "findings", "models", "run", "lesson", "api")
)  # fmt: skip

GROUPS: dict[str, tuple[str, ...]] = {
    # All backbones that Keras builds; else one of each family.
    "backbones": (
        LIBRARIES, CORE, BACKBONES, MODEL_FILES, "tests/conformance/*backbones.py",
        "tests/conformance/keras_forward.py",
    ),
    # The engine on Keras; else the engine on this processor, under the same tests.
    "keras engine": (
        LIBRARIES, CORE, "src/manyheads/heads/*.py", "tests/conformance/test_engines.py",
        "tests/conformance/test_regularisers.py", "tests/conformance/test_early_ends.py",
        "tests/banks.py", "tests/formulas.py", "tests/keras_reference.py",
    ),
    # The engine of JAX programs; else the engine on this processor, under the same tests.
    "stacked engine": (
        LIBRARIES, CORE, "src/manyheads/heads/*.py", "src/manyheads/heads/stacked/*.py",
        "tests/conformance/test_engines.py", "tests/conformance/test_regularisers.py",
        "tests/unit/heads/stacked/*.py", "tests/banks.py", "tests/formulas.py",
    ),
    # All formats of the lesson's Xception, and all backbones as ONNX; else two, and all formats
    # of a small backbone, and one backbone of each family.
    "exports": (
        LIBRARIES, CORE, BACKBONES, MODEL_FILES, MODELS, "src/manyheads/models/export/*.py",
        "tests/conformance/test_exports.py", "tests/runtimes.py", "tests/conformance/*onnx*.py",
        "tests/e2e/test_opened_by_keras.py", "src/manyheads/cli/closing.py",
    ),
    # All forms of Keras models, whole and on the small network; else the usual ones on the small.
    "imports": (
        LIBRARIES, CORE, BACKBONES, MODEL_FILES, MODELS, "src/manyheads/models/importing/*.py",
        "tests/model_form*.py", "tests/keras2.py", "tests/unit/models/test_import_forms.py",
    ),
    # 10,000 made-up layouts of folders; else 200.
    "layouts": (CORE, "src/manyheads/data/*.py", "tests/laws/test_folders_law.py"),
    # 800 damaged model files; else 80.
    "model files": (
        LIBRARIES, CORE, MODEL_FILES, "tests/laws/test_model_files_law.py", "tests/fuzz.py",
    ),
    # Twenty kills of a study with a real backbone; else five.
    "resuming": (
        LIBRARIES, CORE, "src/manyheads/features/*.py", "src/manyheads/heads/*.py",
        "src/manyheads/study/*.py", "src/manyheads/run/*.py", "tests/e2e/test_resume_real.py",
        "tests/processes.py",
    ),
    # All that an installed framework does, by a stand-in for one; else what needs no child process.
    "frameworks": (
        LIBRARIES, CORE, BACKBONES, "tests/unit/backbones/test_frameworks.py",
    ),
    # Packs and arrays that are forged; else damaged packs.
    "feature files": (
        LIBRARIES, CORE, MODEL_FILES, "src/manyheads/data/feature_*.py",
        "src/manyheads/data/given_features.py", "tests/laws/test_feature_files_law.py",
        "tests/fuzz.py",
    ),
    # Whatever code and notebooks in documents run; else their commands and names.
    "documents": (
        LIBRARIES, "README.md", "docs/*.md", "docs/guides/*.md", "docs/guides/*.ipynb",
        "src/manyheads/*.py", "src/manyheads/api/*.py", "src/manyheads/estimator/*.py",
        "tests/e2e/test_python_page.py", "tests/e2e/test_guides*.py",
    ),
    # A real terminal at each width and in each encoding; else at 80 columns, and Windows' encoding.
    "screens": (
        CORE, "src/manyheads/cli/*.py", "src/manyheads/findings/finding.py",
        "tests/e2e/test_terminal.py", "tests/terminals.py", "tests/unit/cli/test_output.py",
    ),
    # Pages in a real browser; else what their addresses answer, and what a report says.
    "pages": (
        "requirements/dev.txt", "src/manyheads/web/**/*.py", "src/manyheads/web/*/static/*",
        "src/manyheads/report/*.py", "src/manyheads/report/templates/*", "tests/e2e/browser.py",
        "tests/e2e/studio_page.py", "tests/e2e/service_page/*.py", "tests/e2e/test_report*.py",
        "tests/e2e/test_studio*.py", "tests/page_*.py",
    ),
    # Hundreds of drawn studies and data sets; else some, and their formulas.
    "statistics": (
        LIBRARIES, "src/manyheads/stats/*.py", "src/manyheads/findings/*.py",
        "tests/unit/stats/*.py", "tests/unit/findings/*.py",
    ),
    # scikit-learn's suite for estimators; else their behaviour.
    "estimators": (
        LIBRARIES, CORE, "src/manyheads/heads/**/*.py", "src/manyheads/estimator/*.py",
        "tests/unit/estimator/*.py",
    ),
    # Model files that Keras opens, of networks that Keras builds; else those of a free backbone.
    "models": (
        LIBRARIES, CORE, BACKBONES, MODEL_FILES, "src/manyheads/heads/*.py",
        "src/manyheads/models/**/*.py", "tests/unit/models/*.py", "tests/conformance/*.py",
    ),
    # Units of work in other processes, lost, late and wrong; else in this process.
    "workers": (
        LIBRARIES, CORE, "src/manyheads/core/processes.py", "src/manyheads/core/workers.py",
        "src/manyheads/workers/*.py", "src/manyheads/features/*.py",
        "tests/conformance/*worker*.py", "tests/unit/workers/*.py",
    ),
    # Whole studies, fits and lessons from Python; else their parts.
    "studies": (LIBRARIES, *STUDIES, "tests/unit/run/**/*.py", "tests/unit/*.py"),
    # Whole commands; else the quick ones of each.
    "commands": (LIBRARIES, PACKAGE, "tests/e2e/*.py", "tests/unit/cli/*.py"),
}  # fmt: skip


def digest(group: str) -> str:
    """SHA-256 over the names and contents of the files that a group of tests depends on."""
    whole = hashlib.sha256()
    for pattern in GROUPS[group]:
        apart = APART if pattern == CORE else set[Path]()
        for file in sorted({*ROOT.glob(pattern)} - apart):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            whole.update(f"{file.relative_to(ROOT).as_posix()} {content}\n".encode())
    return whole.hexdigest()


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
        RECORD.write_text(json.dumps(digests, indent=2) + "\n")
    for group in GROUPS:
        print(f"{group:<14}  {'changed' if changed(group) else 'as they passed'}")


if __name__ == "__main__":
    main()
