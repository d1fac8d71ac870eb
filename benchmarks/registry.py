"""The benchmarks, in the order in which `python -m benchmarks` runs them.

Each is a module of this package that runs by itself with the options of `machine.parser` and
writes its result by `machine.write_result`. A new one needs one line here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Benchmark:
    """A module of this package by its `name`, and the question that it answers.

    `by_default`: whether it runs when none is named.
    """

    name: str
    question: str
    by_default: bool = True


BENCHMARKS = (
    Benchmark("bounds", "what can this machine do at best?"),
    Benchmark("heads", "how much does a head cost, however many there are?"),
    Benchmark("extraction", "how many images a second become features?"),
    Benchmark("lesson", "how much faster is the lesson?"),
    Benchmark("start_up", "how long until something happens?"),
    Benchmark("big_study", "does a big study cost what its heads cost?", by_default=False),
    Benchmark("big_data", "how do time and memory grow to a million images?", by_default=False),
    Benchmark("scale", "what do a billion images take, on many nodes?", by_default=False),
    Benchmark("division", "do divided images meet their shares, and stay?", by_default=False),
    Benchmark("accelerator", "what does an accelerator give?", by_default=False),
    Benchmark("scaled_decoding", "what does decoding at a scale gain?", by_default=False),
    Benchmark("precision", "what does bfloat16 gain, and what does it change?", by_default=False),
    Benchmark("verdict", "do verdicts keep their promises?", by_default=False),
    Benchmark("intervals", "do intervals hold the truth as often as they say?", by_default=False),
    Benchmark("backbones", "which backbone tells photographs apart best?", by_default=False),
    Benchmark("lesson_accuracy", "does the sweep find what honest runs find?", by_default=False),
    Benchmark("similar", "which near-duplicates does the check find?", by_default=False),
    Benchmark("labels", "which wrong labels does the check find?", by_default=False),
    Benchmark("trajectories", "how closely do the engines agree?", by_default=False),
    Benchmark("step_parts", "where does the time of a head's epoch go?", by_default=False),
    Benchmark("findings", "do the lesson's claims hold on its photographs?", by_default=False),
    Benchmark("notebooks", "do the guides' notebooks run?", by_default=False),
    Benchmark("grid_storage", "what do half-precision grids change?", by_default=False),
    Benchmark("feature_packs", "what does a pack of features spare?", by_default=False),
    Benchmark("baselines", "is the default head beaten by baselines?", by_default=False),
    Benchmark("several_labels", "how well are several labels found?", by_default=False),
    Benchmark(
        "label_temperatures", "one temperature for all labels, or one each?", by_default=False
    ),
    Benchmark("draws", "where are candidates drawn best?", by_default=False),
    Benchmark("fit", "how good is what a fit finds, and is it right?", by_default=False),
    Benchmark("budgets", "does a fit keep its budget?", by_default=False),
    Benchmark("regularisers", "what does each regulariser add to a head?", by_default=False),
    Benchmark("imbalance", "do class weights help where classes are unequal?", by_default=False),
    Benchmark("explain", "do maps show what a head has learnt?", by_default=False),
    Benchmark("spread_extraction", "what do features by processes cost more?", by_default=False),
    Benchmark("worker_kills", "do kills of workers change anything?", by_default=False),
    Benchmark("spread_heads", "what do heads by processes cost more?", by_default=False),
    Benchmark("predict_rate", "does predict keep up with extraction?", by_default=False),
    Benchmark("serving", "does a server keep up with predict?", by_default=False),
    Benchmark("studio_use", "does the studio bear hours of use?", by_default=False),
    Benchmark("one_image", "how long does one image take?", by_default=False),
    Benchmark("exports", "how large is an export, and how close?", by_default=False),
    Benchmark("quantize", "what does a smaller export cost?", by_default=False),
    Benchmark("fine_tuning", "does training the last block help?", by_default=False),
    Benchmark("publishing", "how long do trackers take ten thousand rows?", by_default=False),
    Benchmark("unknown", "which score tells what a model does not know?", by_default=False),
    Benchmark("test_times", "how long do the tests take?", by_default=False),
    Benchmark("weight", "what does an installation weigh?", by_default=False),
)


def chosen(names: list[str]) -> list[Benchmark]:
    """The named benchmarks, or else those that run by default; raises `KeyError` for another."""
    known = {each.name: each for each in BENCHMARKS}
    return [known[name] for name in names] or [each for each in BENCHMARKS if each.by_default]
