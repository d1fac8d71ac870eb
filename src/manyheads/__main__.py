"""`python -m manyheads`, and the command `manyheads`: from its first moment Ctrl-C is no traceback.

The imports of the command line take a tenth of a second, so they begin inside of what catches it.
"""

import os
import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        from manyheads.cli.main import main as run

        code = run()
        if code == 130:  # all is written; what libraries clean up at the end may take seconds
            os._exit(code)
        return code
    except KeyboardInterrupt:
        sys.stderr.write("manyheads: stopped before the command was begun; repeat it\n")
        # Nothing is open yet, and Python may take an interrupt that came amid a string's `exec`
        # (of a dataclass) for unhandled: it would end with another code.
        sys.stderr.flush()
        os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
