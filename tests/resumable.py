"""Run in a process of its own: `manyheads …` with a free backbone that takes its time.

`python -m tests.resumable EXTRACTION TRAINING ARGUMENT…`: the first two are pauses in seconds.
"""

from __future__ import annotations

import sys

import pytest

from manyheads.cli.main import main
from tests.studies import free_backbone

if __name__ == "__main__":
    extraction, training, *arguments = sys.argv[1:]
    with (
        pytest.MonkeyPatch.context() as patch,
        free_backbone(patch, extraction=float(extraction), training=float(training)),
    ):
        patch.setattr("manyheads.run.pipeline.draw_curves", lambda path, *_: path.touch())
        sys.exit(main(arguments))
