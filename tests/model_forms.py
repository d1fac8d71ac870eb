"""The ways in which people put a classifier on a frozen backbone together, written by Keras.

`write` is called in a child process. Each form is a function of `_Kit`; which ones come in, and
why the others do not, stands in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones import arrays, keras_builds, keras_weights, normalisation
from manyheads.errors import ManyheadsError
from manyheads.heads.head import Parameters, forward, softmax
from manyheads.model import foreign

SIZE, CLASSES, IMAGES = 64, 3, 4
Made = Callable[["Kit"], Any]
FORMS: dict[str, Made] = {}
_WITHIN = ("given_a_tensor",)  # the preprocessing is a part of the network that `Kit.base` is


def pixels(size: int = SIZE) -> np.ndarray[Any, Any]:
    """Images on which forms are compared, 0 to 255."""
    light = np.array([1.0, 0.5, 0.2, 0.05]).reshape(IMAGES, 1, 1, 1)
    drawn = np.random.default_rng(3).integers(0, 256, (IMAGES, size, size, 3))
    return np.floor(drawn * light).astype(np.float32)


def write(folder: str, names: list[str] | None = None, tiny: bool = False) -> dict[str, Any]:
    """Write forms as .keras and .h5, `tiny` ones on a network of a few small layers.

    Answers with what Keras says of `pixels`, as a list for each image.
    """
    import keras

    found = {}
    for name in names or list(FORMS):
        keras.backend.clear_session()
        kit = Kit(keras, tiny)
        model = FORMS[name](kit)
        if not model.built:
            model.build((None, SIZE, SIZE, 3))
        for variable, array in zip(model.weights, keras_weights.drawn(model, 1), strict=True):
            small = 0.1 if "dense" in variable.path and len(array.shape) == 2 else 1.0
            variable.assign(np.asarray(array, np.float32) * small)
        for suffix in ("keras", "h5"):
            model.save(Path(folder) / f"{name}.{suffix}")
        if kit.tiny and kit.base is not None:
            kit.base.save(Path(folder) / f"{name}-backbone.keras")
        answer = model(pixels(), training=False)
        if not isinstance(answer, list):
            found[name] = np.asarray(keras.ops.convert_to_numpy(answer)).tolist()
    return found


def answers(folder: str, names: list[str]) -> dict[str, Any]:
    """What `take_head` finds in tiny forms, and probabilities of `pixels` by that head.

    Answers with a reason for what is refused. Called in a child process, as `take_head` is.
    """
    import keras

    found = {}
    for name in names:
        file, head = Path(folder) / name, Path(folder) / "head.safetensors"
        try:
            told = foreign.take_head(str(file), str(head))
        except ManyheadsError as error:
            found[name] = {"refused": str(error)}
            continue
        words = None if told["pixels"] is None else told["pixels"][0]
        given = None if file.stem in _WITHIN else words
        prepared = keras_builds.normalised(normalisation.parse(given or "none"), pixels())
        base: Any = keras.saving.load_model(
            Path(folder) / f"{file.stem}-backbone.keras", compile=False
        )
        features = np.asarray(keras.ops.convert_to_numpy(base(prepared, training=False)))
        pooled = features.mean(axis=(1, 2)) if features.ndim == 4 else features
        parameters = Parameters(*arrays.load(head))
        found[name] = {**told, "features": parameters.features}
        if parameters.features == pooled.shape[1]:
            found[name]["said"] = softmax(forward(parameters, pooled)).tolist()
    return found


class Kit:
    """Keras's layers, and the parts that most forms share."""

    def __init__(self, keras: Any, tiny: bool = False) -> None:
        self.keras, self.k, self.tiny = keras, keras.layers, tiny
        self.base: Any = None
        self.mobile = keras.applications.mobilenet_v2

    def backbone(self, size: int | None = SIZE, **given: Any) -> Any:
        """The smallest network of keras.applications, frozen."""
        given = {"alpha": 0.35, "weights": None, "include_top": False, **given}
        if "input_tensor" not in given:
            given["input_shape"] = (size, size, 3)
        self.base = self._small(**given) if self.tiny else self.mobile.MobileNetV2(**given)
        self.base.trainable = False
        return self.base

    def _small(
        self, input_shape: Any = None, input_tensor: Any = None, pooling: Any = None, **_: Any
    ) -> Any:
        """Blocks like those of a backbone: what is added, what multiplies, what pools inside."""
        image = self.keras.Input(input_shape) if input_tensor is None else input_tensor
        value = self.k.Conv2D(8, 3, strides=16, name="first")(image)
        value = self.k.ReLU()(self.k.BatchNormalization()(value))
        kept = value
        value = self.k.Activation("relu")(self.k.Conv2D(8, 1, name="second")(value))
        squeezed = self.k.Reshape((1, 1, 8))(self.pool()(value))
        squeezed = self.k.Conv2D(8, 1, activation="sigmoid", name="squeezed")(squeezed)
        value = self.k.Add()([kept, self.k.Multiply()([value, squeezed])])
        value = self.k.Conv2D(8, 1, name="narrowed")(self.k.AveragePooling2D(2)(value))
        value = self.k.Conv2D(1280, 1, name="block_13_expand_relu")(value)
        value = self.k.ReLU(6.0)(self.k.BatchNormalization()(value))
        if pooling:
            value = self.pool()(value)
        inputs = image if input_tensor is None else self.keras.utils.get_source_inputs(image)[0]
        return self.keras.Model(inputs, value, name="mobilenetv2_0.35_64")

    def image(self) -> Any:
        """An input."""
        return self.keras.Input((SIZE, SIZE, 3))

    def pool(self, **given: Any) -> Any:
        """The usual pooling."""
        return self.k.GlobalAveragePooling2D(**given)

    def dense(self, *given: Any, **more: Any) -> Any:
        """The last layer."""
        return self.k.Dense(*(given or (CLASSES,)), **more)

    def inner(self, **given: Any) -> Any:
        """An inner layer."""
        return self.k.Dense(6, activation="relu", **given)

    def sequential(self, *layers: Any) -> Any:
        """Layers one behind the other, built."""
        return self.keras.Sequential([self.image(), *layers])

    def functional(self, *layers: Any) -> Any:
        """The same as a functional model."""
        image = value = self.image()
        for layer in layers:
            value = layer(value)
        return self.keras.Model(image, value)


def form(made: Made) -> Made:
    """Add a form under its function's name."""
    FORMS[made.__name__] = made
    return made


def _add(name: str, made: Made) -> None:
    FORMS[name] = made


_add(
    "sequential",
    lambda m: m.sequential(m.backbone(), m.pool(), m.inner(), m.k.Dropout(0.2), m.dense()),
)
_add("without_input", lambda m: m.keras.Sequential([m.backbone(), m.pool(), m.dense()]))
_add(
    "functional",
    lambda m: m.functional(m.backbone(), m.pool(), m.inner(), m.k.Dropout(0.2), m.dense()),
)
_add("softmax", lambda m: m.sequential(m.backbone(), m.pool(), m.dense(activation="softmax")))
_add("softmax_layer", lambda m: m.sequential(m.backbone(), m.pool(), m.dense(), m.k.Softmax()))
_add("pooled_inside", lambda m: m.sequential(m.backbone(pooling="avg"), m.dense()))
_add(
    "pooled_inside_flat",
    lambda m: m.sequential(m.backbone(pooling="avg"), m.k.Flatten(), m.dense()),
)
_add(
    "kept_axes",
    lambda m: m.sequential(m.backbone(), m.pool(keepdims=True), m.k.Flatten(), m.dense()),
)
_add(
    "window",
    lambda m: m.sequential(
        m.backbone(), m.k.AveragePooling2D(2), m.k.Flatten(), m.inner(), m.dense()
    ),
)
_add("reshaped", lambda m: m.sequential(m.backbone(), m.pool(), m.k.Reshape((1280,)), m.dense()))
_add(
    "dropouts",
    lambda m: m.sequential(
        m.backbone(),
        m.pool(),
        m.k.Dropout(0.5),
        m.inner(),
        m.k.GaussianNoise(0.1),
        m.k.Dropout(0.3),
        m.dense(),
    ),
)
_add(
    "normalised",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.BatchNormalization(), m.dense()),
)
_add(
    "normalised_inside",
    lambda m: m.sequential(
        m.backbone(),
        m.pool(),
        m.k.BatchNormalization(),
        m.k.Dense(6),
        m.k.BatchNormalization(scale=False),
        m.k.Activation("relu"),
        m.k.BatchNormalization(center=False),
        m.k.Dropout(0.3),
        m.dense(activation="softmax"),
    ),
)
_add(
    "normalised_grid",
    lambda m: m.sequential(
        m.backbone(), m.k.BatchNormalization(), m.pool(), m.k.Dropout(0.2), m.dense()
    ),
)
_add(
    "relu_layer",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(6), m.k.ReLU(), m.dense()),
)
_add(
    "relu_as_layer_in_dense",
    lambda m: m.sequential(
        m.backbone(),
        m.pool(),
        m.k.Dense(6, activation=m.k.ReLU()),
        m.dense(activation=m.keras.activations.softmax),
    ),
)
_add("two_linear", lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(6), m.dense()))
_add(
    "linear_then_relu",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(8), m.inner(), m.dense()),
)
_add(
    "without_bias",
    lambda m: m.sequential(
        m.backbone(), m.pool(), m.inner(), m.dense(activation="softmax", use_bias=False)
    ),
)
_add(
    "regularised",
    lambda m: m.sequential(
        m.backbone(), m.pool(), m.inner(kernel_regularizer=m.keras.regularizers.L2(0.01)), m.dense()
    ),
)
_add("binary", lambda m: m.sequential(m.backbone(), m.pool(), m.dense(1, activation="sigmoid")))
_add("binary_logit", lambda m: m.functional(m.backbone(), m.pool(), m.inner(), m.dense(1)))
_add(
    "rescaled",
    lambda m: m.sequential(m.k.Rescaling(1 / 127.5, offset=-1), m.backbone(), m.pool(), m.dense()),
)
_add(
    "rescaled_to_one",
    lambda m: m.sequential(m.k.Rescaling(1 / 255), m.backbone(), m.pool(), m.dense()),
)
_add(
    "rescaled_twice",
    lambda m: m.functional(
        m.k.Rescaling(1 / 255), m.k.Rescaling(2, offset=-1), m.backbone(), m.pool(), m.dense()
    ),
)
_add(
    "normalised_images",
    lambda m: m.sequential(
        m.k.Rescaling(1 / 255),
        m.k.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.04, 0.05, 0.06]),
        m.backbone(),
        m.pool(),
        m.dense(),
    ),
)
_add(
    "augmented",
    lambda m: m.sequential(
        m.k.RandomFlip("horizontal"),
        m.k.RandomRotation(0.1),
        m.k.RandomZoom(0.1),
        m.k.RandomContrast(0.1),
        m.k.Rescaling(1 / 127.5, offset=-1),
        m.backbone(),
        m.pool(),
        m.dense(),
    ),
)
_add(
    "augmented_inside",
    lambda m: m.functional(
        m.keras.Sequential(
            [m.k.RandomFlip("horizontal"), m.k.RandomTranslation(0.1, 0.1)],
            name="data_augmentation",
        ),
        m.mobile.preprocess_input,
        m.backbone(),
        m.pool(),
        m.k.Dropout(0.2),
        m.dense(),
    ),
)
_add(
    "colours_turned",
    lambda m: m.functional(
        m.keras.applications.resnet50.preprocess_input, m.backbone(), m.pool(), m.dense()
    ),
)
_add(
    "torch_like",
    lambda m: m.functional(
        m.keras.applications.densenet.preprocess_input, m.backbone(), m.pool(), m.dense()
    ),
)
_add(
    "operators",
    lambda m: m.functional(lambda x: (x - 127.5) / 127.5, m.backbone(), m.pool(), m.dense()),
)
_add(
    "nested_twice",
    lambda m: m.sequential(
        m.sequential(m.backbone(), m.pool()),
        m.keras.Sequential([m.keras.Input((1280,)), m.inner(), m.dense(activation="softmax")]),
    ),
)
_add(
    "head_inside",
    lambda m: m.functional(m.backbone(), m.keras.Sequential([m.pool(), m.dense()], name="head")),
)
_add("any_size_inside", lambda m: m.sequential(m.backbone(size=None), m.pool(), m.dense()))


@form
def layer_by_layer(m: Kit) -> Any:
    base = m.backbone()
    return m.keras.Model(base.input, m.dense()(m.inner()(m.pool()(base.output))))


@form
def layer_by_layer_pooled(m: Kit) -> Any:
    base = m.backbone(pooling="avg")
    return m.keras.Model(
        base.input, m.dense(activation="softmax")(m.k.BatchNormalization()(base.output))
    )


@form
def given_a_tensor(m: Kit) -> Any:
    image = m.image()
    base = m.backbone(input_tensor=m.mobile.preprocess_input(m.k.RandomFlip()(image)))
    return m.keras.Model(image, m.dense()(m.pool()(base.output)))


@form
def flat_in_sequential(m: Kit) -> Any:
    return m.sequential(m.k.Rescaling(1 / 127.5, offset=-1), layer_by_layer(m), m.k.Softmax())


@form
def half_precision(m: Kit) -> Any:
    m.keras.config.set_dtype_policy("mixed_float16")
    try:
        return m.sequential(
            m.backbone(), m.pool(), m.inner(), m.dense(activation="softmax", dtype="float32")
        )
    finally:
        m.keras.config.set_dtype_policy("float32")


@form
def compiled(m: Kit) -> Any:
    model = m.sequential(m.backbone(), m.pool(), m.dense(activation="softmax"))
    loss = m.keras.losses.categorical_crossentropy
    model.compile(
        m.keras.optimizers.SGD(m.keras.optimizers.schedules.CosineDecay(0.1, 10)),
        loss,
        ["accuracy"],
    )
    return model


@form
def compiled_with_ones_own(m: Kit) -> Any:
    def focal(truth: Any, found: Any) -> Any:
        return m.keras.ops.mean((truth - found) ** 2)

    model = m.sequential(m.backbone(), m.pool(), m.dense())
    model.compile("rmsprop", focal, ["accuracy"])
    return model


@form
def teachable_machine(m: Kit) -> Any:
    """As Teachable Machine's export has it: two networks in one, the last layer without a bias."""
    seen = m.keras.Sequential([m.backbone(name="model1"), m.pool()])
    head = m.keras.Sequential(
        [
            m.keras.Input((1280,)),
            m.k.Dense(100, activation="relu", name="dense_Dense1"),
            m.k.Dense(CLASSES, activation="softmax", use_bias=False, name="dense_Dense2"),
        ]
    )
    return m.keras.Sequential([seen, head])


# What does not come in.
_add("maximum", lambda m: m.sequential(m.backbone(), m.k.GlobalMaxPooling2D(), m.dense()))
_add("flattened_grid", lambda m: m.sequential(m.backbone(), m.k.Flatten(), m.inner(), m.dense()))
_add(
    "small_window",
    lambda m: m.functional(
        m.backbone(), m.k.AveragePooling2D(2, strides=1, padding="same"), m.pool(), m.dense()
    ),
)
_add("three_inner", lambda m: m.sequential(m.backbone(), m.pool(), m.inner(), m.inner(), m.dense()))
_add(
    "tanh",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(6, activation="tanh"), m.dense()),
)
_add(
    "leaky",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(6), m.k.LeakyReLU(), m.dense()),
)
_add(
    "relu6", lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(6), m.k.ReLU(6.0), m.dense())
)
_add(
    "layer_normalised",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.LayerNormalization(), m.dense()),
)
_add(
    "several_labels", lambda m: m.sequential(m.backbone(), m.pool(), m.dense(activation="sigmoid"))
)
_add("convolved", lambda m: m.sequential(m.backbone(), m.k.Conv2D(1280, 1), m.pool(), m.dense()))
_add(
    "relu_before_pooling", lambda m: m.sequential(m.backbone(), m.k.ReLU(6.0), m.pool(), m.dense())
)
_add("without_pooling", lambda m: m.sequential(m.backbone(), m.dense(), m.k.Activation("softmax")))
_add(
    "lambda",
    lambda m: m.sequential(m.k.Lambda(lambda x: x / 127.5 - 1), m.backbone(), m.pool(), m.dense()),
)
_add(
    "resized",
    lambda m: m.functional(m.k.Resizing(32, 32), m.backbone(size=32), m.pool(), m.dense()),
)
_add(
    "own_network",
    lambda m: m.sequential(
        m.k.Conv2D(8, 3, activation="relu"),
        m.k.MaxPooling2D(),
        m.k.Conv2D(8, 3),
        m.k.Flatten(),
        m.dense(),
    ),
)
_add("own_pooled_network", lambda m: m.sequential(m.k.Conv2D(8, 3), m.pool(), m.dense()))


@form
def two_poolings(m: Kit) -> Any:
    image = m.image()
    grid = m.backbone()(image)
    both = m.k.Concatenate()([m.pool()(grid), m.k.GlobalMaxPooling2D()(grid)])
    return m.keras.Model(image, m.dense()(both))


@form
def two_outputs(m: Kit) -> Any:
    image = m.image()
    pooled = m.pool()(m.backbone()(image))
    return m.keras.Model(image, [m.dense()(pooled), m.dense()(pooled)])


@form
def cut_short(m: Kit) -> Any:
    base = m.backbone()
    cut = m.keras.Model(base.input, base.get_layer("block_13_expand_relu").output)
    return m.sequential(cut, m.pool(), m.dense())


@form
def a_number(m: Kit) -> Any:
    model = m.sequential(m.backbone(), m.pool(), m.dense(1))
    model.compile("adam", "mse")
    return model
