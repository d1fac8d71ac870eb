"""`HeadClassifier`: heads on a frozen backbone as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from jaxtyping import Float32
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, validate_data

from manyheads.core.machine import cores
from manyheads.data.augmentation import Augmentation
from manyheads.estimator.array_inputs import images_in
from manyheads.estimator.backbone_features import features_of
from manyheads.estimator.head_training import TrainingPlan, train
from manyheads.estimator.image_features import FrozenBackbone, all_rows, sources_of
from manyheads.estimator.predictions import FittedHeads
from manyheads.estimator.targets import Targets, require_labelled, targets_of
from manyheads.heads.hyperparameters import as_named


class HeadClassifier(FittedHeads, ClassifierMixin, BaseEstimator):
    """Classify images, or their features, by heads on a frozen backbone.

    X is one of: features, a matrix or data frame of numbers `[samples, features]`, which are taken
    as they are (scale them first if they are not of the order of one); paths of images, in a list,
    an array, a series or a data frame (of one column, or with the column path); or images in
    memory, `uint8 [samples, rows, columns, 3]` or a list of arrays, images of Pillow, open files or
    the bytes of files. Features of paths are kept in the cache, so that an image costs one pass of
    the backbone however often it is fitted and predicted.

    The `Hyperparameters` are the lesson's, with Keras's meaning; the learning rate falls to 0 as a
    half cosine, and `epochs` None are 30, or as many more as make 1,000 steps of the optimiser:
    settings whose accuracy logistic regression on the same features did not beat on 200 to 2,700
    images (docs/performance.md). So many `heads` are trained together, one per seed, and their
    logits are averaged. Nothing is held out, and each head is that of its last epoch, unless
    `validation_fraction` holds out a share of the samples, by which `select` (best_accuracy,
    best_loss, last, fixed:N) chooses an epoch and `patience` ends the training. If heads are to
    `calibrate`, a temperature divides their logits (Guo et al. 2017): that of the least log loss on
    the samples held out; where none are, on a fifth of the samples, by twins of the heads that
    train on the others, which nearly doubles the time of training. The `engine` fused trains
    `n_jobs` heads at a time, by scikit-learn's convention (None: one, -1: one a core); stacked
    trains them in one program of JAX, and auto is that where JAX sees an accelerator, else fused;
    keras uses the installed Keras backend. `class_weight` multiplies the loss of each sample by the
    weight of its class: `balanced`, n / (k · n_c), or weights by class, 1 for those that have none;
    with `balanced_batches` each class has the same share of the batches. `backbone` (a name, or a
    network's file with its `preprocessing`), `weights`, `image_size` (pixels), `interpolation` and
    `resize` (None: the backbone's own), `exif`, `depth` (of images with more than 8 bits a channel,
    white is 2^depth - 1; None: 65535) and `decode` (full, scaled) shape the features of images, and
    `augmentation` the `augmented_copies`, as in a study; copies and `dropblock` need paths of
    images.

    Fitted attributes: `classes_`, `n_features_in_`, `feature_names_in_` (of a data frame of
    features), `n_iter_` (the epochs of the head that trained longest), `epochs_` (for how many they
    may), `temperature_` (1: none), `heads_` (each head's parameters, logits already divided by the
    temperature), `history_` (each head's curves), `recipe_` (what shaped the features; None where
    they were given).
    """

    def __init__(
        self,
        *,
        learning_rate: float = 0.001,
        size_inner: int = 100,
        droprate: float = 0.5,
        droprate_schedule: str = "constant",
        input_droprate: float = 0.0,
        dropblock: float = 0.0,
        dropblock_size: int = 1,
        random_erasing: float = 0.0,
        augmented_copies: int = 0,
        mixup: float = 0.0,
        label_smoothing: float = 0.0,
        l2: float = 0.0,
        weight_decay: float = 0.0,
        max_norm: float = 0.0,
        optimizer: str = "adam",
        momentum: float = 0.0,
        learning_rate_schedule: str = "cosine",
        epochs: int | None = None,
        batch_size: int = 32,
        class_weight: str | Mapping[Any, float] | None = None,
        balanced_batches: bool = False,
        heads: int = 1,
        validation_fraction: float | None = None,
        calibrate: bool = True,
        select: str = "last",
        patience: int | None = None,
        engine: str = "auto",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        backbone: str = "xception",
        preprocessing: str | None = None,
        weights: Any = None,
        image_size: int | None = None,
        interpolation: str | None = None,
        resize: str | None = None,
        exif: bool = True,
        depth: int | None = None,
        decode: str = "full",
        augmentation: Augmentation | None = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.size_inner = size_inner
        self.droprate = droprate
        self.droprate_schedule = droprate_schedule
        self.input_droprate = input_droprate
        self.dropblock = dropblock
        self.dropblock_size = dropblock_size
        self.random_erasing = random_erasing
        self.augmented_copies = augmented_copies
        self.mixup = mixup
        self.label_smoothing = label_smoothing
        self.l2 = l2
        self.weight_decay = weight_decay
        self.max_norm = max_norm
        self.optimizer = optimizer
        self.momentum = momentum
        self.learning_rate_schedule = learning_rate_schedule
        self.epochs = epochs
        self.batch_size = batch_size
        self.class_weight = class_weight
        self.balanced_batches = balanced_batches
        self.heads = heads
        self.validation_fraction = validation_fraction
        self.calibrate = calibrate
        self.select = select
        self.patience = patience
        self.engine = engine
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.backbone = backbone
        self.preprocessing = preprocessing
        self.weights = weights
        self.image_size = image_size
        self.interpolation = interpolation
        self.resize = resize
        self.exif = exif
        self.depth = depth
        self.decode = decode
        self.augmentation = augmentation

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on samples and their classes; `sample_weight` multiplies each sample's loss.

        As in Keras, the loss of a batch is `Σ weight · loss / samples`; samples of weight 0 are
        left out. Raises `SettingError` for a parameter out of its range, `EstimatorError` for
        samples without a class, for weights that are none and for a head that diverges, and for
        images what `features` raises.
        """
        require_labelled(y)
        plan, backbone, images = self._plan(), FrozenBackbone.of(self), images_in(X)
        sources = sources_of(backbone, plan.setting, images, self.augmentation)
        if images is None:
            matrix, y = validate_data(self, X, y, dtype=np.float32, order="C")
            targets, recipe = self._targets(y, sample_weight), None
            seen = all_rows(matrix)
        else:
            y = validate_data(self, y=y)
            check_consistent_length(images, y)
            # Bad targets are told before the backbone has seen a thousand images.
            targets, recipe = self._targets(y, sample_weight), backbone.recipe().described
            seen = backbone.transform(images)
            self.n_features_in_ = seen.matrix.shape[1]
        plan = plan.with_class_weight(self.class_weight, targets.classes)
        random = check_random_state(self.random_state)
        trained = train(plan, seen, targets, random, sources)
        self.classes_, self.recipe_ = targets.classes, recipe
        self.heads_, self.history_ = trained.heads, trained.history
        self.epochs_, self.temperature_ = trained.epochs, trained.temperature
        self.n_iter_ = max(len(curves["loss"]) for curves in trained.history)
        return self

    def features(self, X: Any) -> Float32[np.ndarray, "samples features"]:
        """The features of images, `[samples, features]`, as `fit` makes them; fits nothing.

        Raises `EstimatorError` if X is no images, `ImageError` with the name of one that is
        unreadable, `BackboneError` and `WeightsError` for a backbone that cannot be had.
        """
        return features_of(FrozenBackbone.of(self), X)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle of an earlier version lacks the parameters that came since, or has former names.
        super().__setstate__({**type(self)().get_params(), **as_named(state)})

    @staticmethod
    def _targets(y: Any, sample_weight: Any) -> Targets:
        check_classification_targets(y)
        return targets_of(y, sample_weight)

    def _plan(self) -> TrainingPlan:
        return TrainingPlan(
            setting=self._setting(self.epochs),
            usual_epochs=self.epochs is None,
            heads=self.heads,
            held_out=self.validation_fraction,
            calibrate=self.calibrate,
            select=self.select,
            patience=self.patience,
            engine=self.engine,
            threads=_threads(self.n_jobs),
        )


def _threads(n_jobs: Any) -> int:
    """The heads to train at a time, by scikit-learn's convention, but no more than cores."""
    return min(effective_n_jobs(n_jobs), cores())
