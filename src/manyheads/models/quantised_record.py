"""How a model is to be quantised, and that one was: a part of its side file."""

from __future__ import annotations

from dataclasses import dataclass

from manyheads.core.settings import choice, number, whole
from manyheads.errors import SettingError
from manyheads.findings.quantisation_cost import QuantisationCost

INT8, F16 = "int8", "f16"
NATS_A_POINT = 0.05  # of log loss, allowed for each point of accuracy
_MOST = 100_000  # images; calibration beyond some hundreds changes nothing


@dataclass(frozen=True, kw_only=True)
class Quantisation:
    """How a model is to be quantised: a setting of an export.

    `kind` is int8 or f16, `calibration` the number of training images that int8 is calibrated on,
    and `max_loss` how much accuracy may fall, in points, above 0 and at most 100; log loss may rise
    by 0.05 nats for each. Raises `SettingError`.
    """

    kind: str
    calibration: int = 200
    max_loss: float = 1.0

    def __post_init__(self) -> None:
        choice("quantize", self.kind, (INT8, F16))
        whole("calibration", self.calibration, 10, _MOST)
        number("max_loss", self.max_loss, 0, 100, open_low=True)

    @classmethod
    def asked(cls, kind: str | None, calibration: object, max_loss: object) -> Quantisation | None:
        """The setting as people give it; None for no `kind`, which then needs the usual others."""
        usual = cls(kind=INT8)
        count = whole("calibration", calibration, 10, _MOST)
        most = number("max_loss", max_loss, 0, 100, open_low=True)
        if kind is not None:
            return cls(kind=kind, calibration=count, max_loss=most)
        for name, given, default in (
            ("calibration", count, usual.calibration), ("max_loss", most, usual.max_loss)
        ):  # fmt: skip
            if given != default:
                raise SettingError(
                    f"`quantize` beside `{name}`", "none", "say int8 or f16, or leave it out"
                )
        return None


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """That a model was quantised, how, and what it cost.

    `calibrated` says on which images, and is empty where none were needed (f16). `cost` is None in
    the metadata inside the model file, which is written before anything is measured.
    """

    kind: str
    calibrated: str
    max_loss: float
    cost: QuantisationCost | None = None
