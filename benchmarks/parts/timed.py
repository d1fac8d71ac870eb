"""The command `manyheads`, which also prints for how many seconds heads trained.

python -m benchmarks.parts.timed sweep PHOTOS …
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from manyheads.cli.main import main
from manyheads.heads.bank import engine_named
from manyheads.run import pipeline


def timed(arguments: list[str]) -> int:
    """Run the command; the last line of its output is {"training": seconds}."""
    seconds = [0.0]

    class Timed:
        """An engine beside a clock."""

        def __init__(self, name: str) -> None:
            self.name, self._engine = name, engine_named(name)

        def train(self, *given: Any, **options: Any) -> Iterator[Any]:
            started = time.perf_counter()
            yield from self._engine.train(*given, **options)
            seconds[0] += time.perf_counter() - started

    pipeline.engine_named = Timed
    code = main(arguments)
    print(json.dumps({"training": seconds[0]}))
    return code


if __name__ == "__main__":
    sys.exit(timed(sys.argv[1:]))
