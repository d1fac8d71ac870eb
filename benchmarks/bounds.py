"""What can this machine do at best? Its rates, and the bounds that follow from them.

    python -m benchmarks bounds      some seconds

The roofline (Williams, Waterman and Patterson 2009): work takes at least as long as its
arithmetic at the fastest rate of arithmetic, and as its traffic at the fastest rate of traffic.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import hardware
from benchmarks.flops import head_epoch_bytes, head_epoch_flops
from benchmarks.machine import parser, part, table, write_result
from manyheads.core.machine import cores


@dataclass(frozen=True)
class Bounds:
    """Rates of all cores together: FLOP/s, bytes/s of a head's state; FLOP of an image's pass."""

    products: float
    state: float
    adam: float
    image: int

    @property
    def head_ideal(self) -> float:
        """Seconds of a head's epoch if arithmetic and traffic overlap wholly: their maximum."""
        return max(head_epoch_flops() / self.products, head_epoch_bytes() / self.state)

    @property
    def head_practical(self) -> float:
        """Seconds of a head's epoch if products and Adam's pass take turns: their sum."""
        return head_epoch_flops() / self.products + head_epoch_bytes() / self.adam

    @property
    def images(self) -> float:
        """Images a second if a pass were nothing but products at the fastest rate."""
        return self.products / self.image


def main() -> None:
    args = parser("What this machine can do at best.").parse_args()
    _, lines = measured_bounds(args.quick)
    write_result(args.results, "bounds", lines)


def measured_bounds(quick: bool) -> tuple[Bounds, list[str]]:
    """Measure the rates now; the bounds, and a table of them."""
    rates = part(
        "parts.rates.measure",
        cores=cores(),
        l2=hardware.l2_bytes(),
        repeats=3 if quick else 9,
    )
    image = part("parts.networks.flops", {"KERAS_BACKEND": "openvino"})["flops"]
    fastest = max(rates["sgemm numpy"], rates["sgemm openvino"])
    bounds = Bounds(fastest, rates["touch state"], rates["adam state"], image)
    return bounds, _report(rates, bounds)


def _report(rates: dict[str, float], bounds: Bounds) -> list[str]:
    count = cores()
    rows: list[tuple[str, str]] = [("rate, best of several", f"{count} cores together")]
    for name, key in (
        ("sgemm of 3,072 × 3,072, NumPy's BLAS", "sgemm numpy"),
        ("the same, OpenVINO (oneDNN)", "sgemm openvino"),
        ("a head's forward product on every core, 32 × 2,048 by 2,048 × 100", "head forward"),
        ("its weight gradient on every core, 2,048 × 32 by 32 × 100", "head gradient"),
    ):
        rows.append((name, f"{rates[key] / 1e9:.0f} GFLOP/s"))
    half = f"{rates['bytes of l2'] / 2**20:.2f} MiB a core, within L2"
    for where, size in (
        ("l2", half),
        ("state", "a head's, 2.3 MiB a core"),
        ("memory", "94 MiB a core"),
    ):
        for kernel, name in (("touch", "three arrays read and written"), ("adam", "Adam's pass")):
            rows.append((f"{name}, {size}", f"{rates[f'{kernel} {where}'] / 1e9:.0f} GB/s"))
    flops, traffic = head_epoch_flops(), head_epoch_bytes()
    limits = [
        ("bound", "from", "value"),
        (
            "a head's epoch, ideal",
            f"the greater of {flops / 1e9:.2f} GFLOP at the fastest sgemm and "
            f"{traffic / 1e6:.0f} MB at the rate of a head's state",
            f"{bounds.head_ideal * 1000:.1f} ms",
        ),
        (
            "a head's epoch, practical",
            "the sum of these GFLOP and of Adam's pass over a head's state",
            f"{bounds.head_practical * 1000:.1f} ms",
        ),
        (
            "extraction",
            f"the fastest sgemm ÷ {bounds.image / 1e9:.2f} GFLOP of Xception at 150 × 150",
            f"{bounds.images:.1f} images/s",
        ),
    ]
    return ["## This machine's bounds", "", *table(rows), "", *table(limits), ""]


if __name__ == "__main__":
    main()
