"""Everything manyheads raises on purpose.

ManyheadsError
├── InputError              what the user gave is not what is needed
│   ├── SettingError        a setting is out of its range
│   ├── DataError           a data set cannot be used
│   │   └── ImageError      one image cannot be used
│   │       └── ImageLimitError     with these limits, or without a part that is not installed
│   ├── BackboneError       an unknown backbone, or a size it does not take
│   │   └── WeightsError    weights that are not the ones they should be
│   ├── RunError            a run folder that cannot be used this way
│   ├── ModelError          a model file that cannot be used
│   └── EstimatorError      an estimator cannot be fitted to this, or predict it
├── WorldError              the machine or the network said no
│   ├── DownloadError       something could not be fetched
│   ├── DiskError           something could not be written
│   ├── DeviceError         an accelerator is not there, or failed
│   ├── TrackerError        a tracker of experiments did not take what was published
│   └── MissingExtraError   an optional part is not installed
└── Interrupted             stopped on request; the same call resumes
"""

from __future__ import annotations


class ManyheadsError(Exception):
    """A problem described in one line: what was expected, what was found, what to do."""

    def __init__(self, expected: str, found: str, remedy: str) -> None:
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(f"expected {expected}, found {found}; {remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.expected, self.found, self.remedy)


class InputError(ManyheadsError):
    """What the user gave is not what is needed."""


class SettingError(InputError):
    """A setting is out of its range."""


class DataError(InputError):
    """A data set cannot be used."""


class ImageError(DataError):
    """One image cannot be used."""


class ImageLimitError(ImageError):
    """One image cannot be used with these limits, or with what is installed; elsewhere it may."""


class BackboneError(InputError):
    """An unknown backbone, or a size that it does not take."""


class WeightsError(BackboneError):
    """Weights that are not the ones they should be."""


class RunError(InputError):
    """A run folder that cannot be used this way."""


class ModelError(InputError):
    """A model file that cannot be used."""


class EstimatorError(InputError, ValueError):
    """An estimator cannot be fitted to this, or predict it; a ValueError, as in scikit-learn."""


class WorldError(ManyheadsError):
    """The machine or the network said no."""


class DownloadError(WorldError):
    """Something could not be fetched."""


class DiskError(WorldError):
    """Something could not be written."""


class DeviceError(WorldError):
    """An accelerator is not there, is full, or failed."""


class TrackerError(WorldError):
    """A tracker of experiments did not take what was published."""


class MissingExtraError(WorldError):
    """An optional part is not installed."""


class Interrupted(ManyheadsError):
    """Stopped on request; the same call resumes."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        super().__init__(f"{what} to finish", "a request to stop", remedy)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.what, self.remedy)

    def __str__(self) -> str:
        return f"stopped before {self.what} was finished; {self.remedy}"
