"""What is compared on few images: standard baselines, and rules for the settings of a head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.parts.few_images import Draw, Rows
from manyheads.estimator.head_classifier import HeadClassifier
from manyheads.heads.averaged import averaged
from manyheads.heads.bank import HeadSettings, train_bank
from manyheads.heads.fused.engine import FusedEngine
from manyheads.heads.head import Parameters, forward
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.stats import metrics
from manyheads.stats.calibration import fit_temperature

MAX_ITER = 100_000  # so that scikit-learn's optimiser converges
STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # values of C that are tried
DEFAULT_EPOCHS, HEADS = 30, 5


class Prediction(NamedTuple):
    """Log-probabilities of the scored images, and the seconds of training."""

    log_probabilities: Float64[np.ndarray, "scored classes"]
    seconds: float


Contender = Callable[[Draw], Prediction]


def majority(draw: Draw) -> Prediction:
    """The shares of the classes among the training images, for every image."""
    _, labels = draw.of(draw.train)
    with np.errstate(divide="ignore"):  # a class without a training image has no chance
        shares = np.log(np.bincount(labels, minlength=draw.features.classes) / len(labels))
    return Prediction(np.tile(shares, (len(draw.scored), 1)), 0.0)


@dataclass(frozen=True)
class Neighbours:
    """The votes of the `count` training images of the greatest cosine similarity."""

    count: int

    def __call__(self, draw: Draw) -> Prediction:
        model = KNeighborsClassifier(self.count, metric="cosine")
        _, seconds = draw.once(self, lambda: model.fit(*draw.of(draw.train)))
        votes = np.asarray(model.predict_proba(draw.of(draw.scored)[0]))
        with np.errstate(divide="ignore"):
            return Prediction(np.log(votes), seconds)


@dataclass(frozen=True)
class Logistic:
    """scikit-learn's logistic regression with C = 1, on features as they are or standardised."""

    standardised: bool = False

    def __call__(self, draw: Draw) -> Prediction:
        regression = LogisticRegression(max_iter=MAX_ITER)
        model = make_pipeline(StandardScaler(), regression) if self.standardised else regression
        _, seconds = draw.once(self, lambda: model.fit(*draw.of(draw.train)))
        return Prediction(_log_probabilities(model, draw), seconds)


@dataclass(frozen=True)
class TunedLogistic:
    """The same on features as they are, its C that of the least log loss in cross-validation.

    There are 3 folds. If it is `refitted`, then with that C to the training and the choosing
    images together.
    """

    refitted: bool = False

    def __call__(self, draw: Draw) -> Prediction:
        regression = LogisticRegression(max_iter=MAX_ITER)
        # With all classes named, for a small fold may lack an image of one.
        scoring = make_scorer(
            log_loss, greater_is_better=False, response_method="predict_proba",
            labels=np.arange(draw.features.classes),
        )  # fmt: skip
        search = GridSearchCV(regression, {"C": STRENGTHS}, scoring=scoring, cv=3)
        model, seconds = draw.once("search", lambda: search.fit(*draw.of(draw.train)))
        if self.refitted:
            regression.set_params(**model.best_params_)
            model, again = draw.once(self, lambda: regression.fit(*draw.of(draw.labelled)))
            seconds += again
        return Prediction(_log_probabilities(model, draw), seconds)


@dataclass(frozen=True)
class HeadRule:
    """A rule for the settings of a head, which is trained by the fused engine on one thread.

    It trains for `epochs`, or for as many more as make `steps` steps of the optimiser, unless
    `patience` ends it before; `select` chooses its epoch by the choosing images. With `heads` above
    1 the mean of their logits answers; `scaled` divides logits by the temperature of the least log
    loss on the choosing images. If it is `refitted`, it is then trained again, on the training and
    the choosing images together. `changes` are hyperparameters other than `HeadClassifier`'s.
    """

    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    epochs: int = DEFAULT_EPOCHS
    steps: int = 0
    select: str = "last"
    patience: int | None = None
    heads: int = 1
    scaled: bool = False
    refitted: bool = False

    def __call__(self, draw: Draw) -> Prediction:
        parameters, seconds = self.trained(draw)
        return _answered(parameters, draw, seconds)

    def trained(self, draw: Draw) -> tuple[Parameters, float]:
        """The head, and the seconds of its training."""
        parameters, seconds = self.fitted(draw, draw.train)
        temperature = 1.0
        if self.scaled:
            matrix, labels = draw.of(draw.choosing)
            temperature = fit_temperature(forward(parameters, matrix), labels)
        if self.refitted:
            parameters, again = self.fitted(draw, draw.labelled)
            seconds += again
        return averaged([parameters], temperature), seconds

    def setting(self, images: int) -> Hyperparameters:
        """All hyperparameters, for so many training images."""
        setting = Hyperparameters(**{"learning_rate": 0.001, **self.changes})
        an_epoch = -(-images // setting.batch_size)
        return replace(setting, epochs=max(self.epochs, -(-self.steps // an_epoch)))

    def fitted(self, draw: Draw, train: Rows) -> tuple[Parameters, float]:
        """The head, or the mean of several, after training on some images, and its seconds."""
        setting = self.setting(len(train))
        fitted = [
            self._head(draw, train, setting, draw.number + 1000 * place)
            for place in range(self.heads)
        ]
        return averaged([head for head, _ in fitted]), sum(seconds for _, seconds in fitted)

    def _head(
        self, draw: Draw, train: Rows, setting: Hyperparameters, seed: int
    ) -> tuple[Parameters, float]:
        head = HeadSettings(
            hyperparameters=setting, seed=seed, fold=0, epochs=setting.epochs,
            patience=self.patience,
        )  # fmt: skip

        def fit() -> Parameters:
            bank = train_bank(FusedEngine(1), [head], [draw.fold(train)], rule=self.select)
            [(end, _)] = bank
            assert end.parameters is not None, end.note
            return end.parameters

        return draw.once((head, self.select, len(train)), fit)


def classifier(draw: Draw) -> Prediction:
    """`HeadClassifier` with its defaults, which sees the training images alone."""
    model = HeadClassifier(random_state=draw.number)
    _, seconds = draw.once("classifier", lambda: model.fit(*draw.of(draw.train)))
    return Prediction(model.predict_log_proba(draw.of(draw.scored)[0]), seconds)


@dataclass(frozen=True)
class Sweep:
    """The best of several rules by accuracy, or by log loss, on the choosing images."""

    rules: tuple[HeadRule, ...]
    metric: str = "accuracy"

    def __call__(self, draw: Draw) -> Prediction:
        trained = [rule.trained(draw) for rule in self.rules]
        best, _ = min(trained, key=lambda each: self._rank(each[0], draw))
        return _answered(best, draw, sum(seconds for _, seconds in trained))

    def _rank(self, parameters: Parameters, draw: Draw) -> tuple[float, float]:
        matrix, labels = draw.of(draw.choosing)
        answers = log_softmax(forward(parameters, matrix), axis=1)
        wrong, loss = -metrics.accuracy(answers, labels), metrics.log_loss(answers, labels)
        return (float(wrong), float(loss)) if self.metric == "accuracy" else (float(loss), 0.0)


def _answered(parameters: Parameters, draw: Draw, seconds: float) -> Prediction:
    logits: Float32[np.ndarray, "scored classes"] = forward(parameters, draw.of(draw.scored)[0])
    return Prediction(log_softmax(logits.astype(np.float64), axis=1), seconds)


def _log_probabilities(model: Any, draw: Draw) -> Float64[np.ndarray, "scored classes"]:
    # Not predict_log_proba: where a probability rounds to 0 in float32, that is minus infinity.
    scores = model.decision_function(draw.of(draw.scored)[0])
    return log_softmax(np.asarray(scores, np.float64), axis=1)


REGRESSION, TUNED = "logistic regression, C = 1", "logistic regression, C by cross-validation"
BASELINES: dict[str, Contender] = {
    "majority class": majority,
    "1 nearest neighbour, cosine": Neighbours(1),
    "5 nearest neighbours, cosine": Neighbours(5),
    f"{REGRESSION}, standardised": Logistic(standardised=True),
    REGRESSION: Logistic(),
    TUNED: TunedLogistic(),
}
REFITTED = "fitted to the choosing images too"
MORE_IMAGES = f"{TUNED}, {REFITTED}"

_COSINE = {"learning_rate_schedule": "cosine"}
RULES: dict[str, Contender] = {
    "10 epochs, last": HeadRule(epochs=10),
    f"{DEFAULT_EPOCHS} epochs, last": HeadRule(),
    f"{DEFAULT_EPOCHS} epochs, best val_accuracy (the lesson's)": HeadRule(select="best_accuracy"),
    "the best of droprates 0, 0.2, 0.5 and 0.8 at those (the lesson's comparison)": Sweep(
        tuple(HeadRule({"droprate": rate}, select="best_accuracy") for rate in (0.0, 0.2, 0.5, 0.8))
    ),
    **{f"≥ {steps:,} steps, last": HeadRule(steps=steps) for steps in (300, 600, 1000, 2000)},
    "≥ 2,000 steps, patience 10, best val_loss": HeadRule(
        steps=2000, patience=10, select="best_loss"
    ),
    "≥ 1,000 steps, cosine (default of `Study`)": HeadRule(_COSINE, steps=1000),
    "the same with a temperature (default of `HeadClassifier`)": classifier,
    f"≥ 1,000 steps, cosine, {REFITTED}": HeadRule(_COSINE, steps=1000, refitted=True),
    "≥ 1,000 steps, cosine, best val_accuracy": HeadRule(
        _COSINE, steps=1000, select="best_accuracy"
    ),
    "≥ 2,000 steps, cosine": HeadRule(_COSINE, steps=2000),
    "≥ 1,000 steps, cosine, l2 0.001": HeadRule(_COSINE | {"l2": 0.001}, steps=1000),
    f"≥ 1,000 steps, cosine, {HEADS} heads": HeadRule(_COSINE, steps=1000, heads=HEADS),
    "≥ 1,000 steps, cosine, the best of l2 0, 0.001, 0.01 and 0.03 by val_loss": Sweep(
        tuple(HeadRule(_COSINE | {"l2": l2}, steps=1000) for l2 in (0.0, 0.001, 0.01, 0.03)),
        metric="log_loss",
    ),
}
PLAIN = "≥ 1,000 steps"
_VARIED: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "learning_rate 0.0003": {"learning_rate": 0.0003},
    "learning_rate 0.003": {"learning_rate": 0.003},
    "batch_size 16": {"batch_size": 16},
    "batch_size 64": {"batch_size": 64},
    "size_inner 0 (linear)": {"size_inner": 0},
    "size_inner 256": {"size_inner": 256},
    "droprate 0": {"droprate": 0.0},
    "droprate 0.2": {"droprate": 0.2},
    "label_smoothing 0.1": {"label_smoothing": 0.1},
    "weight_decay 0.1": {"optimizer": "adamw", "weight_decay": 0.1},
    "l2 0.001": {"l2": 0.001},
    "l2 0.01": {"l2": 0.01},
    "learning_rate_schedule cosine": _COSINE,
}
VARIATIONS: dict[str, Contender] = {
    name: HeadRule(changes, steps=1000) for name, changes in _VARIED.items()
}


def scaled(name: str) -> str:
    """What the rule `name` is called with a temperature."""
    return f"{name}, scaled"


def with_scaled(rules: Mapping[str, Contender]) -> dict[str, Contender]:
    """The `rules`, and each head's rule with a temperature, which costs nothing more."""
    also = {
        scaled(name): replace(rule, scaled=True)
        for name, rule in rules.items()
        if isinstance(rule, HeadRule)
    }
    return {**rules, **also}
