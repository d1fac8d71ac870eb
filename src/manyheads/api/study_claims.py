"""The claims that a study can check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from manyheads.api.progress_bars import ShowProgress, reported
from manyheads.api.study_base import StudyBase
from manyheads.data.marks import PLAIN_FORMS, Mark
from manyheads.findings.claim_record import EnsembleClaim, LongerClaim, read_ensemble, read_longer
from manyheads.findings.finding import Finding
from manyheads.findings.shortcut_record import ShortcutFiles, ShortcutRecord, read_shortcut
from manyheads.lesson.ensemble_claim import ensemble_claim
from manyheads.lesson.longer_claim import longer_claim
from manyheads.lesson.shortcut.shortcut_check import run_shortcut
from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings
from manyheads.stats.comparisons import Margins
from manyheads.stats.paired import share_of


class StudyClaims(StudyBase):
    """The claims that a study can check, and what was found on them."""

    @property
    def claims(self) -> dict[str, Finding]:
        """What was found on the claims that were checked: "ensemble", "longer", "shortcut"."""
        folder = self._answering
        found = {
            "ensemble": read_ensemble(folder),
            "longer": read_longer(folder),
            "shortcut": read_shortcut(ShortcutFiles.of(folder.path).record),
        }
        return {name: each for name, each in found.items() if each is not None}

    def ensemble_claim(
        self,
        *,
        candidate: int | None = None,
        margin_accuracy: float = 1.0,
        margin_log_loss: float = 0.02,
        progress: ShowProgress = True,
    ) -> EnsembleClaim:
        """Check that dropout works as an ensemble, on the selected candidate or on `candidate`.

        Random subnetworks, averages of them and ensembles of seeds, against ordinary inference.
        `print(claim)` is the answer; every later report has it.
        """
        margins = Margins.in_points(margin_accuracy, margin_log_loss)
        run, data = self._answering.path, self._settings.data
        with reported(progress) as job:
            return ensemble_claim(run, candidate=candidate, margins=margins, data=data, job=job)

    def longer_claim(
        self,
        *,
        epochs: int | None = None,
        patience: int | None = None,
        progress: ShowProgress = True,
    ) -> LongerClaim:
        """Check that dropout needs longer training: train until past the best epoch.

        To `epochs` at most (default: 10 times the study's), ending after `patience` epochs without
        a lower log loss. `print(claim)` is the answer; every later report has it.
        """
        run, data = self._answering.path, self._settings.data
        with reported(progress) as job:
            return longer_claim(run, epochs=epochs, patience=patience, data=data, job=job)

    def shortcut_claim(
        self,
        target: str,
        *,
        mark: str | Path = "logo",
        share: float = 0.95,
        into: Iterable[str] = (),
        dropblock: float = 0.0,
        random_erasing: float = 0.0,
        augmented_copies: int = 3,
        everywhere: bool = False,
        clean: int = 0,
        margin: float = 1.0,
        progress: ShowProgress = True,
    ) -> ShortcutRecord:
        """Check whether heads learn a mark instead of the class `target`, as `manyheads shortcut`.

        The study's candidates are trained with its seeds on given validation images, each head to
        its last epoch. `mark` is a form (logo, patch, text, border, tint) or a picture's file,
        planted on the `share` of the class's training images, in memory. `into` are the classes
        asked about with it (none: all others). The remedies: `dropblock`, a share of the feature
        map's cells hidden; `random_erasing`, a share of all `augmented_copies` covered; the mark on
        every class; and a last layer trained anew on so many `clean` images of each. Differences up
        to `margin` points make none in practice. `print(found)` is the answer; marked images are in
        `claims/shortcut.png`.
        """
        settings = ShortcutSettings(
            study=replace(self._settings, select="last", patience=None, prune=None),
            target=target,
            mark=Mark.usual(str(mark)) if mark in PLAIN_FORMS else Mark.of_file(Path(mark)),
            share=share,
            into=tuple(dict.fromkeys(into)),
            dropblock=dropblock,
            random_erasing=random_erasing,
            augmented_copies=augmented_copies,
            everywhere=everywhere,
            clean=clean,
            margin=share_of(margin),
        )
        with reported(progress) as job:
            return run_shortcut(settings, self.path, job=job).record
