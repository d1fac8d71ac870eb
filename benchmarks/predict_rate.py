"""Does `predict` classify images as fast as extraction takes their features?

    python -m benchmarks predict_rate      some three minutes on two cores

The same photographs twice, each time into a cache that knows none of them: through `extract`, and
through `Classifier.stream`. A third time all features are known. Then 100,000 names, and their
memory.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.machine import (
    ROOT,
    fresh_cache,
    gib,
    part,
    parser,
    photographs,
    run,
    show,
    table,
    write_result,
)  # fmt: skip
