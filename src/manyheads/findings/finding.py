"""The one shape of an answer: sentences for people, rows for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from manyheads.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas


class Finding:
    """An answer: `print(finding)` says it, a notebook shows it, `to_frame()` has its numbers.

    `sentences` are the answer in words, the headline first; `entries` what it rests on.
    """

    if TYPE_CHECKING:  # a subclass has them as fields or as properties

        @property
        def sentences(self) -> tuple[str, ...]: ...
        @property
        def entries(self) -> Sequence[object]: ...

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        from html import escape

        first, *rest = map(escape, self._lines())
        return "\n".join([f"<p><strong>{first}</strong></p>", *(f"<p>{each}</p>" for each in rest)])

    def to_frame(self) -> pandas.DataFrame:
        """`entries` as a pandas data frame, a row each; an estimate has a column for each end.

        Raises `MissingExtraError` where pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError(
                "pandas for a data frame", "none installed",
                "run pip install pandas, or read its entries, which are plain values",
            ) from error  # fmt: skip
        return pandas.DataFrame([dict(_flat(entry)) for entry in self.entries])

    def _lines(self) -> Sequence[str]:
        return self.sentences


def _flat(entry: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a dataclass by name; those of one inside it as `name_inner`."""
    for field in fields(entry):
        value = getattr(entry, field.name)
        if is_dataclass(value):
            yield from _flat(value, f"{prefix}{field.name}_")
        else:
            yield f"{prefix}{field.name}", value
