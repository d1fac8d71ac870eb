"""The forms of `model_forms`: first those that come in."""

from __future__ import annotations

from typing import Any

from tests.model_form_kit import CLASSES, Kit, add, form
from tests.model_form_kit import FORMS as FORMS

add(
    "sequential",
    lambda m: m.sequential(m.backbone(), m.pool(), m.inner(), m.k.Dropout(0.2), m.dense()),
)
add("without_input", lambda m: m.keras.Sequential([m.backbone(), m.pool(), m.dense()]))
add(
    "functional",
    lambda m: m.functional(m.backbone(), m.pool(), m.inner(), m.k.Dropout(0.2), m.dense()),
)
add("softmax", lambda m: m.sequential(m.backbone(), m.pool(), m.dense(activation="softmax")))
add("softmax_layer", lambda m: m.sequential(m.backbone(), m.pool(), m.dense(), m.k.Softmax()))
add("pooled_inside", lambda m: m.sequential(m.backbone(pooling="avg"), m.dense()))
add(
    "pooled_inside_flat",
    lambda m: m.sequential(m.backbone(pooling="avg"), m.k.Flatten(), m.dense()),
)
add(
    "kept_axes",
    lambda m: m.sequential(m.backbone(), m.pool(keepdims=True), m.k.Flatten(), m.dense()),
)
add(
    "window",
    lambda m: m.sequential(
        m.backbone(), m.k.AveragePooling2D(2), m.k.Flatten(), m.inner(), m.dense()
    ),
)
add("reshaped", lambda m: m.sequential(m.backbone(), m.pool(), m.k.Reshape((1280,)), m.dense()))
add(
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
add(
    "normalised",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.BatchNormalization(), m.dense()),
)
add(
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
add(
    "normalised_grid",
    lambda m: m.sequential(
        m.backbone(), m.k.BatchNormalization(), m.pool(), m.k.Dropout(0.2), m.dense()
    ),
)
add(
    "relu_layer",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(6), m.k.ReLU(), m.dense()),
)
add(
    "relu_as_layer_in_dense",
    lambda m: m.sequential(
        m.backbone(),
        m.pool(),
        m.k.Dense(6, activation=m.k.ReLU()),
        m.dense(activation=m.keras.activations.softmax),
    ),
)
add("two_linear", lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(6), m.dense()))
add(
    "linear_then_relu",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(8), m.inner(), m.dense()),
)
add(
    "without_bias",
    lambda m: m.sequential(
        m.backbone(), m.pool(), m.inner(), m.dense(activation="softmax", use_bias=False)
    ),
)
add(
    "regularised",
    lambda m: m.sequential(
        m.backbone(), m.pool(), m.inner(kernel_regularizer=m.keras.regularizers.L2(0.01)), m.dense()
    ),
)
add("binary", lambda m: m.sequential(m.backbone(), m.pool(), m.dense(1, activation="sigmoid")))
add("binary_logit", lambda m: m.functional(m.backbone(), m.pool(), m.inner(), m.dense(1)))
add(
    "rescaled",
    lambda m: m.sequential(m.k.Rescaling(1 / 127.5, offset=-1), m.backbone(), m.pool(), m.dense()),
)
add(
    "rescaled_to_one",
    lambda m: m.sequential(m.k.Rescaling(1 / 255), m.backbone(), m.pool(), m.dense()),
)
add(
    "rescaled_twice",
    lambda m: m.functional(
        m.k.Rescaling(1 / 255), m.k.Rescaling(2, offset=-1), m.backbone(), m.pool(), m.dense()
    ),
)
add(
    "normalised_images",
    lambda m: m.sequential(
        m.k.Rescaling(1 / 255),
        m.k.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.04, 0.05, 0.06]),
        m.backbone(),
        m.pool(),
        m.dense(),
    ),
)
add(
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
add(
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
add(
    "colours_turned",
    lambda m: m.functional(
        m.keras.applications.resnet50.preprocess_input, m.backbone(), m.pool(), m.dense()
    ),
)
add(
    "torch_like",
    lambda m: m.functional(
        m.keras.applications.densenet.preprocess_input, m.backbone(), m.pool(), m.dense()
    ),
)
add(
    "operators",
    lambda m: m.functional(lambda x: (x - 127.5) / 127.5, m.backbone(), m.pool(), m.dense()),
)
add(
    "nested_twice",
    lambda m: m.sequential(
        m.sequential(m.backbone(), m.pool()),
        m.keras.Sequential([m.keras.Input((1280,)), m.inner(), m.dense(activation="softmax")]),
    ),
)
add(
    "head_inside",
    lambda m: m.functional(m.backbone(), m.keras.Sequential([m.pool(), m.dense()], name="head")),
)
add("any_size_inside", lambda m: m.sequential(m.backbone(size=None), m.pool(), m.dense()))


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
add("maximum", lambda m: m.sequential(m.backbone(), m.k.GlobalMaxPooling2D(), m.dense()))
add("flattened_grid", lambda m: m.sequential(m.backbone(), m.k.Flatten(), m.inner(), m.dense()))
add(
    "small_window",
    lambda m: m.functional(
        m.backbone(), m.k.AveragePooling2D(2, strides=1, padding="same"), m.pool(), m.dense()
    ),
)
add("three_inner", lambda m: m.sequential(m.backbone(), m.pool(), m.inner(), m.inner(), m.dense()))
add(
    "tanh",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(6, activation="tanh"), m.dense()),
)
add(
    "leaky",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(6), m.k.LeakyReLU(), m.dense()),
)
add("relu6", lambda m: m.sequential(m.backbone(), m.pool(), m.k.Dense(6), m.k.ReLU(6.0), m.dense()))
add(
    "layer_normalised",
    lambda m: m.sequential(m.backbone(), m.pool(), m.k.LayerNormalization(), m.dense()),
)
add("several_labels", lambda m: m.sequential(m.backbone(), m.pool(), m.dense(activation="sigmoid")))
add("convolved", lambda m: m.sequential(m.backbone(), m.k.Conv2D(1280, 1), m.pool(), m.dense()))
add("relu_before_pooling", lambda m: m.sequential(m.backbone(), m.k.ReLU(6.0), m.pool(), m.dense()))
add("without_pooling", lambda m: m.sequential(m.backbone(), m.dense(), m.k.Activation("softmax")))
add(
    "lambda",
    lambda m: m.sequential(m.k.Lambda(lambda x: x / 127.5 - 1), m.backbone(), m.pool(), m.dense()),
)
add(
    "resized",
    lambda m: m.functional(m.k.Resizing(32, 32), m.backbone(size=32), m.pool(), m.dense()),
)
add(
    "own_network",
    lambda m: m.sequential(
        m.k.Conv2D(8, 3, activation="relu"),
        m.k.MaxPooling2D(),
        m.k.Conv2D(8, 3),
        m.k.Flatten(),
        m.dense(),
    ),
)
add("own_pooled_network", lambda m: m.sequential(m.k.Conv2D(8, 3), m.pool(), m.dense()))


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
