"""What a model file is made of: nothing that a file brings along may run."""

from __future__ import annotations

from manyheads.backbones.keras_parts import check_parts

__all__ = ["check_parts"]
