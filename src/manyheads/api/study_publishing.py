"""Publishing a study to a tracker of experiments."""

from __future__ import annotations

from manyheads.api.progress_bars import ShowProgress, reported
from manyheads.api.study_base import StudyBase
from manyheads.publish.publishing import Published, publish_run


class StudyPublishing(StudyBase):
    """A study that can be published."""

    def publish(
        self,
        to: str,
        *,
        to_address: str | None = None,
        project: str | None = None,
        artifacts: bool = True,
        progress: ShowProgress = True,
    ) -> Published:
        """Publish the finished study to a tracker, as `manyheads publish`: `print` what it came to.

        `to` is "mlflow", "wandb", "trackio", "tensorboard" or "optuna", `to_address` a URI or a
        folder (None: the tracker's usual place), `project` its experiment or project (None: the
        data set's name). With `artifacts` go the report, the tables, the figures and the model.
        Published again, it is brought up to date. Raises `MissingExtraError` where the tracker is
        not installed, `SettingError` for an address that it does not take, `RunError` for a study
        that is not finished, and `TrackerError` for whatever the tracker raises.
        """
        run = self._answering.path
        with reported(progress) as job:
            return publish_run(
                run, to, address=to_address, project=project, files=artifacts, job=job
            )
