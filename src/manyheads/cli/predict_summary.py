"""What `manyheads predict` says on stderr of what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from manyheads.core.job import Job
from manyheads.core.text import counted
from manyheads.data.label_names import composed, outputs_words, strangers_words
from manyheads.models.unknown_answers import UnknownRule


class Tally:
    """Counts predictions as they come."""

    def __init__(
        self, job: Job, classes: Sequence[str] = (), rule: UnknownRule | None = None
    ) -> None:
        self._classes, self._rule = tuple(classes), rule
        self._known = {composed(name): name for name in classes}
        self._strangers: Counter[str] = Counter()
        self.images = self.before = self.unknown = self.unsure = self.unreadable = 0
        self.compared = self.agreeing = 0
        self.reason = ""
        self.labels: Counter[str] = Counter()
        self._job = job
        self._started = time.monotonic()

    @property
    def answered(self) -> int:
        """Images that could be read, answered or not."""
        return self.images - self.unreadable

    def count(
        self,
        label: str | None,
        error: str | None,
        given: str | None,
        *,
        unknown: bool = False,
        before: bool = False,
    ) -> None:
        """One more image, which an output may have held `before`."""
        self.images += 1
        self.before += before
        if error:
            self.unreadable += 1
            self.reason = self.reason or error
        elif unknown:
            self.unknown += 1
        elif label is None:
            self.unsure += 1
        else:
            self.labels[label] += 1
            if given is not None:
                self.compared += 1
                meant = self._known.get(composed(given), given)
                self.agreeing += label == meant
                if self._classes and composed(given) not in self._known:
                    self._strangers[given] += 1
        self._job.progress("predicting", self.images, 0)

    def lines(self, passes: int, from_cache: int, least: float) -> list[str]:
        """What came of it."""
        seconds = time.monotonic() - self._started
        new = self.images - self.before
        found = []
        if new or not self.before:
            found.append(
                f"{_images(new)} in {seconds:.1f} s, {new / max(seconds, 1e-9):,.1f} per second: "
                f"{counted(passes, 'backbone pass')}, {from_cache:,} from the cache"
            )
        if self.before:
            all_ = f"; {self.images:,} in all" if new else ""
            found.append(f"{_images(self.before)} in the file already{all_}")
        counts = [f"{name} {count:,}" for name, count in self.labels.most_common()]
        if self.unknown and self._rule is not None:
            counts.append(f"unknown {self.unknown:,} ({self._rule.words})")
        if self.unsure:
            counts.append(f"unsure {self.unsure:,} (below {least:g})")
        if self.unreadable:
            counts.append(f"unreadable {self.unreadable:,}")
        if counts:
            found.append(", ".join(counts))
        if self._rule is not None and self.answered:
            found.append(self._rule.remark)
        if self.compared:
            share = self.agreeing / self.compared
            found.append(
                f"{self.agreeing:,} of {self.compared:,} answers ({share:.1%}) are the label that "
                "was given; no test score, for the model may have been made with these images"
            )
        if why := strangers_words(self._strangers, self._classes):
            count = self._strangers.total()
            found.append(f"{count:,} of {self.compared:,} labels that were given are {why}")
        if self.labels and (order := outputs_words(self._classes)):
            found.append(f"the classes are whole numbers: {order}")
        return found


def _images(count: int) -> str:
    return counted(count, "image")
