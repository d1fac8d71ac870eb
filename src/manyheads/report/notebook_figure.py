"""A figure that a notebook shows; imported only where one is made, for Matplotlib loads slowly."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A Matplotlib figure that shows itself as a cell's value, without pyplot.

    Jupyter displays figures by itself only once pyplot is imported; it then does not ask this.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
