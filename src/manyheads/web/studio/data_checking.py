"""A check of the opened data, as a page asks for it: in the background, with what it found kept."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from manyheads.backbones import registry
from manyheads.backbones.backbone_catalogue import HUB
from manyheads.core.job import Job
from manyheads.core.text import option
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import SettingError
from manyheads.run.data_check import CheckSettings, DataCheck, ExtractionSettings, check_data
from manyheads.web.studio.data_findings import CheckFindings, read_findings_of, write_findings
from manyheads.web.studio.opened_data import OpenedData

_RANDOM = re.compile(r"random:\d{1,9}")


@dataclass(frozen=True, kw_only=True)
class AskedCheck:
    """What a page asks a check for: kinds of findings, and the backbone that sees the images.

    `image_size` is in pixels, None for the backbone's own. `weights` are the usual ones (None), or
    random ones such as `random:0`. Raises `SettingError` for a backbone or weights that are no
    names here, because no path comes from a page.
    """

    labels: bool = False
    similar: bool = False
    backbone: str = "xception"
    image_size: int | None = None
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.backbone not in (*registry.names(), *(entry.name for entry in HUB)):
            raise SettingError(
                "the name of a backbone in `manyheads backbones`",
                repr(self.backbone),
                "choose one of these",
            )
        if self.weights is not None and not _RANDOM.fullmatch(self.weights):
            raise SettingError(
                "weights such as random:0, or the backbone's own", repr(self.weights), "leave it"
            )

    def require(self) -> None:
        """Raise what is missing, such as an extra, before anything begins."""
        _ = self.settings, self.extraction

    @property
    def settings(self) -> CheckSettings:
        """What to look for; raises `MissingExtraError` for labels without cleanlab."""
        return CheckSettings(image=ImageSettings(), similar=self.similar, labels=self.labels)

    @property
    def extraction(self) -> ExtractionSettings | None:
        """The backbone and the images; None where decoding tells all that is asked for."""
        if not (self.labels or self.similar):
            return None
        return ExtractionSettings.of(
            self.backbone, None, self.weights, self.image_size, None, ImageSettings.exif, None,
            runtime="auto", device="auto", precision="f32",
        )  # fmt: skip

    def command(self, data: str) -> str:
        """The command that does the same with the data of this name."""
        words = ["manyheads", "check", data]
        words += ["--similar"] if self.similar else []
        words += ["--labels"] if self.labels else []
        if self.labels or self.similar:
            words += option("backbone", self.backbone) if self.backbone != "xception" else []
            words += option("image_size", self.image_size) if self.image_size else []
            words += option("weights", self.weights) if self.weights else []
        return shlex.join(words)


def findings_file(own: Path, opened: OpenedData) -> Path:
    """Where the findings of the opened data are kept."""
    return own / "checks" / f"{opened.log.file.stem}.json"


def known_findings(own: Path, opened: OpenedData) -> CheckFindings | None:
    """What the last check of these data found, if it is known."""
    return read_findings_of(findings_file(own, opened), opened.token)


def checked_findings(own: Path, opened: OpenedData, asked: AskedCheck, job: Job) -> CheckFindings:
    """Check the data as they were decided by now, and keep what was found.

    Raises what `check_data` raises.
    """
    dataset = opened.view.applied() if opened.view.differs else opened.dataset
    checked: DataCheck = check_data(dataset, asked.settings, asked.extraction, job)
    # The command names what is there: a manifest that is not written yet has no name.
    written = opened.written if opened.view.differs else opened.path
    name = opened.name if written is None else written.relative_to(own.parent).as_posix()
    found = CheckFindings.of(opened, checked, asked.command(name))
    write_findings(findings_file(own, opened), found)
    return found
