"""Train thousands of heads on one frozen backbone, and learn which differences are real."""

from __future__ import annotations

# Type checkers know the name. Importing `typing` for it takes a while, in which Ctrl-C may come.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from manyheads.api import Study, fit, load, make_model
    from manyheads.data.data_settings import TableSettings
    from manyheads.estimator.head_classifier import HeadClassifier

__version__ = "0.1.0"

__all__ = ["HeadClassifier", "Study", "TableSettings", "__version__", "fit", "load", "make_model"]


def __getattr__(name: str) -> Any:
    # Lazily, so that the help of the command line does not import what it does not need.
    if name == "HeadClassifier":
        from manyheads.estimator import head_classifier

        return head_classifier.HeadClassifier
    if name in __all__:
        from manyheads import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
