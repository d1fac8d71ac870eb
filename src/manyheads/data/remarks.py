"""What is worth saying of images that were read: counted while they are, said in a line each."""

from __future__ import annotations

import threading

from manyheads.core.text import counted
from manyheads.data.data_settings import ImageSettings

_DARK = 14  # bits of 16: white would be a quarter as bright as it can be


class Remarks:
    """Counts images of which something is to be said; for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.deep = self.bits = self.cut = 0

    def add(self, bits: int, cut: bool) -> None:
        """One more image, with the `bits` that its greatest value takes (0: 8 bits a channel)."""
        if not bits and not cut:
            return
        with self._lock:
            self.deep += bits > 0
            self.bits = max(self.bits, bits)
            self.cut += cut

    @property
    def counts(self) -> tuple[int, int, int]:
        """What was counted, for `include`."""
        return self.deep, self.bits, self.cut

    def include(self, counts: tuple[int, int, int]) -> None:
        """Add what others have counted, in another process."""
        deep, bits, cut = counts
        with self._lock:
            self.deep += deep
            self.bits = max(self.bits, bits)
            self.cut += cut

    def lines(self, settings: ImageSettings) -> tuple[str, ...]:
        """What is to be said of those that were added, under these settings."""
        return (*depth_remark(self.deep, self.bits, settings), *cut_remark(self.cut))


def depth_remark(deep: int, bits: int, settings: ImageSettings) -> tuple[str, ...]:
    """A line if the `deep` images, of which none uses more than so many `bits`, look too dark or
    too bright."""
    images = counted(deep, "image") + " with more than 8 bits a channel"
    white = settings.depth or 16
    if deep and bits > white:
        return (f"{images}: values of {bits} bits are beyond the white of depth {white}",)
    if deep and bits <= min(white - 2, _DARK):
        one = ("uses", "is", "it", "it uses")
        use, are, them, them_use = one if deep == 1 else ("use", "are", "them", "they use")
        return (
            f"{images} {use} {bits} of {white} bits at most, and {are} nearly black; "
            # Also said by commands that take a model as it is, and so have no `depth`.
            f"train with `depth` {bits} to scale {them} by what {them_use}",
        )
    return ()


def cut_remark(cut: int) -> tuple[str, ...]:
    """A line if so many files were `cut`."""
    if not cut:
        return ()
    return (f"{counted(cut, 'file')} without the end of the format; all pixels are there, "
            "and used",)  # fmt: skip
