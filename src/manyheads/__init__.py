"""Train thousands of heads on one frozen backbone, and learn which differences are real."""

from __future__ import annotations

# Type checkers know the name. Importing `typing` for it takes a while, in which Ctrl-C may come.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from manyheads import errors as errors
    from manyheads.api.data_verbs import ExtractedFeatures as ExtractedFeatures
    from manyheads.api.data_verbs import check as check
    from manyheads.api.data_verbs import extract as extract
    from manyheads.api.data_verbs import split as split
    from manyheads.api.feature_verbs import pack_features as pack_features
    from manyheads.api.feature_verbs import read_features as read_features
    from manyheads.api.feature_verbs import unpack_features as unpack_features
    from manyheads.api.hub_verbs import write_hub_folder as write_hub_folder
    from manyheads.api.opened_studies import OpenedStudy as OpenedStudy
    from manyheads.api.opened_studies import open_study as open_study
    from manyheads.api.studies import Regularisers as Regularisers
    from manyheads.api.studies import Study as Study
    from manyheads.api.study_display import StudyState as StudyState
    from manyheads.api.verbs import compare_predictions as compare_predictions
    from manyheads.api.verbs import compare_runs as compare_runs
    from manyheads.api.verbs import fit as fit
    from manyheads.api.verbs import import_model as import_model
    from manyheads.api.verbs import run_lesson as run_lesson
    from manyheads.api.verbs import write_report as write_report
    from manyheads.core.job import Event as Event
    from manyheads.core.job import Job as Job
    from manyheads.data.augmentation import Augmentation as Augmentation
    from manyheads.data.data_settings import SplitSettings as SplitSettings
    from manyheads.data.data_settings import TableSettings as TableSettings
    from manyheads.data.feature_packs import FeaturePack as FeaturePack
    from manyheads.estimator.backbone_features import BackboneFeatures as BackboneFeatures
    from manyheads.estimator.head_classifier import HeadClassifier as HeadClassifier
    from manyheads.features.packing import Unpacked as Unpacked
    from manyheads.findings.baseline_scores import Baselines as Baselines
    from manyheads.findings.claim_record import EnsembleClaim as EnsembleClaim
    from manyheads.findings.claim_record import LongerClaim as LongerClaim
    from manyheads.findings.finding import Finding as Finding
    from manyheads.findings.importance import Importance as Importance
    from manyheads.findings.posteriors import Posteriors as Posteriors
    from manyheads.findings.prediction_comparison import ComparedPredictions as ComparedPredictions
    from manyheads.findings.quantisation_cost import QuantisationCost as QuantisationCost
    from manyheads.findings.recommendation import Recommendation as Recommendation
    from manyheads.findings.run_comparison import RunComparison as RunComparison
    from manyheads.findings.shortcut_record import ShortcutRecord as ShortcutRecord
    from manyheads.findings.test_log import TestEvaluation as TestEvaluation
    from manyheads.findings.verdict import Verdict as Verdict
    from manyheads.heads.ranges import Range as Range
    from manyheads.models.classifier import Classifier as Classifier
    from manyheads.models.classifier import load as load
    from manyheads.models.explain.explanation import Explanation as Explanation
    from manyheads.models.explain.explanation import Explanations as Explanations
    from manyheads.models.export.exporter import Exported as Exported
    from manyheads.models.feature_classifier import RowStream as RowStream
    from manyheads.models.importing.imported import Imported as Imported
    from manyheads.models.lesson_model import make_model as make_model
    from manyheads.models.prediction import Prediction as Prediction
    from manyheads.models.prediction import Predictions as Predictions
    from manyheads.models.prediction_stream import PredictionStream as PredictionStream
    from manyheads.models.spread_predictions import SpreadPredictions as SpreadPredictions
    from manyheads.publish.publishing import Published as Published
    from manyheads.run.backbone_list import BackboneList as BackboneList
    from manyheads.run.backbone_list import ListedBackbone as ListedBackbone
    from manyheads.run.backbone_list import list_backbones as list_backbones
    from manyheads.run.data_check import DataCheck as DataCheck
    from manyheads.run.fit.fit_record import Fitted as Fitted
    from manyheads.run.fit.growth import Growth as Growth
    from manyheads.run.hand_over.hub_folder import HubFolder as HubFolder
    from manyheads.run.packs import Packed as Packed
    from manyheads.run.run_list import ListedRun as ListedRun
    from manyheads.run.run_list import RunList as RunList
    from manyheads.run.run_list import list_runs as list_runs
    from manyheads.study.head_files import BestHead as BestHead
    from manyheads.study.study_settings import StudySettings as StudySettings

__version__ = "0.1.0"

# Where each public name is; a module is imported when the first of its names is asked for, so that
# the help of the command line imports none.
_PLACES = {
    "api.data_verbs": ("ExtractedFeatures", "check", "extract", "split"),
    "api.feature_verbs": ("pack_features", "read_features", "unpack_features"),
    "api.hub_verbs": ("write_hub_folder",),
    "api.opened_studies": ("OpenedStudy", "open_study"),
    "api.studies": ("Regularisers", "Study"),
    "api.study_display": ("StudyState",),
    "api.verbs": (
        "compare_predictions",
        "compare_runs",
        "fit",
        "import_model",
        "run_lesson",
        "write_report",
    ),
    "core.job": ("Event", "Job"),
    "data.augmentation": ("Augmentation",),
    "data.data_settings": ("SplitSettings", "TableSettings"),
    "data.feature_packs": ("FeaturePack",),
    "estimator.backbone_features": ("BackboneFeatures",),
    "estimator.head_classifier": ("HeadClassifier",),
    "features.packing": ("Unpacked",),
    "findings.baseline_scores": ("Baselines",),
    "findings.claim_record": ("EnsembleClaim", "LongerClaim"),
    "findings.finding": ("Finding",),
    "findings.importance": ("Importance",),
    "findings.posteriors": ("Posteriors",),
    "findings.prediction_comparison": ("ComparedPredictions",),
    "findings.quantisation_cost": ("QuantisationCost",),
    "findings.recommendation": ("Recommendation",),
    "findings.run_comparison": ("RunComparison",),
    "findings.shortcut_record": ("ShortcutRecord",),
    "findings.test_log": ("TestEvaluation",),
    "findings.verdict": ("Verdict",),
    "heads.ranges": ("Range",),
    "models.classifier": ("Classifier", "load"),
    "models.explain.explanation": ("Explanation", "Explanations"),
    "models.export.exporter": ("Exported",),
    "models.feature_classifier": ("RowStream",),
    "models.importing.imported": ("Imported",),
    "models.lesson_model": ("make_model",),
    "models.prediction": ("Prediction", "Predictions"),
    "models.prediction_stream": ("PredictionStream",),
    "models.spread_predictions": ("SpreadPredictions",),
    "publish.publishing": ("Published",),
    "run.backbone_list": ("BackboneList", "ListedBackbone", "list_backbones"),
    "run.data_check": ("DataCheck",),
    "run.fit.fit_record": ("Fitted",),
    "run.fit.growth": ("Growth",),
    "run.hand_over.hub_folder": ("HubFolder",),
    "run.packs": ("Packed",),
    "run.run_list": ("ListedRun", "RunList", "list_runs"),
    "study.head_files": ("BestHead",),
    "study.study_settings": ("StudySettings",),
}

__all__ = ["__version__", "errors", *sorted(name for names in _PLACES.values() for name in names)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    import importlib

    if name == "errors":
        return importlib.import_module("manyheads.errors")
    for place, names in _PLACES.items():
        if name in names:
            return getattr(importlib.import_module(f"manyheads.{place}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
