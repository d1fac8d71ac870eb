"""`python -m tests.columns_page` writes the hyperparameters in docs/columns.md.

They follow from their declarations; the rest of the page is written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

from manyheads.heads.hyperparameters import DECLARED, NAMES

PAGE = Path(__file__).parents[1] / "docs" / "columns.md"


def with_declarations(text: str) -> str:
    """The page with a row for each hyperparameter in history.csv, and their names elsewhere."""
    rows = "".join(f"| `{name}` | {known.words} |\n" for name, known in DECLARED.items())
    names = ", ".join(f"`{name}`" for name in NAMES)
    text = re.sub(
        r"^\| `learning_rate` .*?(?=^\| `seed` )", lambda _: rows, text, flags=re.M | re.S
    )
    return re.sub(
        r"^\| `learning_rate`, .* \| as", lambda _: f"| {names} | as", text, flags=re.MULTILINE
    )


if __name__ == "__main__":
    PAGE.write_text(with_declarations(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
