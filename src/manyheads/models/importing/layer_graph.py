"""A Keras configuration followed from its image to its outputs, as data; nothing is built.

What passes through the layers is one of three things: pixels, of which is known what was done to
them; what a backbone makes of them; and what a head makes of that behind the pooling. Networks
inside networks are entered, so that it does not matter how a model was put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from manyheads.modelfiles.keras_files import Arrays, layer_name
from manyheads.models.pixel_maps import AS_THEY_ARE, PixelMap, mapped

Layer = dict[str, Any]
Lookup = Callable[[tuple[str, ...]], Arrays]

NORMS = ("BatchNormalization", "LayerNormalization")
_WINDOW = "AveragePooling2D"  # inside backbones, too, and then no end of one
_POOLINGS = ("GlobalAveragePooling2D", "GlobalMaxPooling2D", _WINDOW, "MaxPooling2D", "Flatten")
# They do nothing once training is over. A RandomCrop cuts then, too.
_RANDOM = (
    "RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast",
    "RandomBrightness", "RandomHeight", "RandomWidth", "RandomShear", "RandomHue",
    "RandomSaturation", "RandomSharpness", "RandomColorJitter", "RandomColorDegeneration",
    "RandomGrayscale", "RandomPosterization", "RandomInvert", "RandomPerspective",
    "RandomErasing", "RandomElasticTransform", "RandomGaussianBlur", "RandAugment", "AugMix",
    "MixUp", "CutMix",
)  # fmt: skip
_INACTIVE = (
    *_RANDOM, "Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise",
    "ActivityRegularization", "Identity", "InputLayer",
)  # fmt: skip
_CUTS = ("Resizing", "CenterCrop", "RandomCrop")
_ACTIVATIONS = ("Activation", "ReLU", "Softmax", "LeakyReLU", "PReLU", "ELU")
_OF_HEADS = ("Dense", *NORMS, *_ACTIVATIONS, "Rescaling", "Dropout", "Flatten", "Reshape")
_BACKBONE = 10  # layers at least of a nested network that is a backbone; its blocks have fewer


class Step(NamedTuple):
    """A layer of a head, and its name behind those of the networks that it is in."""

    layer: Layer
    path: tuple[str, ...]


@dataclass(frozen=True)
class Body:
    """What a backbone makes of `pixels`, which were `entered` into its network.

    `first` is its first layer, in words, and `name` that of the nested network; `steps` are layers
    behind it that may as well stand behind the pooling. `strange` tells of a layer behind it that
    is none of a head.
    """

    pixels: PixelMap
    entered: PixelMap
    first: str
    name: str | None = None
    steps: tuple[Step, ...] = ()
    strange: str = ""


@dataclass(frozen=True)
class Head:
    """What `steps`, of which the first pools, make of a body."""

    body: Body
    steps: tuple[Step, ...]


Value = PixelMap | Body | Head


def followed(config: Layer, size: int | None, lookup: Lookup) -> tuple[Head, set[str]]:
    """The head of a whole model, and the names of the layers that do nothing in use.

    `size` is that of the images, where it is told; `lookup` yields the arrays of a layer by its
    path. Raises `ValueError` for a model of another build, with a word on what differs.
    """
    graph = _Graph(size, lookup)
    found = graph.network(config, AS_THEY_ARE, ())
    if isinstance(found, Body):
        raise ValueError(found.strange or _without_pooling(config, found))
    if isinstance(found, PixelMap):
        raise ValueError("a model without a backbone")
    return found, graph.inactive


def layer_words(layer: Layer) -> str:
    """A layer in a message: its name and its class."""
    return f"{layer_name(layer)[:60]} ({str(layer['class_name'])[:60]})"


def _without_pooling(config: Layer, body: Body) -> str:
    what = f"{body.name} (a network)" if body.name else "a model"
    dense = any(layer["class_name"] == "Dense" for layer in config["config"]["layers"])
    behind = "between its backbone and its head" if dense else "and a head"
    return f"{what} without GlobalAveragePooling2D {behind}"


class _Graph:
    def __init__(self, size: int | None, lookup: Lookup) -> None:
        self.inactive: set[str] = set()
        self._size, self._lookup = size, lookup

    def network(self, config: Layer, given: Value, path: tuple[str, ...]) -> Value:
        """What the layers of a network make of what it is given."""
        inside, layers = config["config"], config["config"]["layers"]
        if "output_layers" not in inside:  # a sequential one
            value = given
            for layer in layers:
                value = self._after(layer, [value], [value], path)
            return self._left(config, value, given, path)
        values: dict[str, Value] = {}
        inputs = [layer for layer in layers if layer["class_name"] == "InputLayer"]
        if len(inputs) != 1:
            raise ValueError(f"a network of {len(inputs)} inputs")
        for layer in layers:
            if layer is inputs[0]:
                values[layer_name(layer)] = given
                continue
            nodes = [node for node in layer.get("inbound_nodes") or [] if node]
            names = list(dict.fromkeys(source_names(nodes)))
            absent = [name for name in names if name not in values]
            if absent or not names:
                missing = absent[0] if absent else "no other layer"
                raise ValueError(f"{layer_words(layer)} behind {missing[:60]}")
            sources = [values[name] for name in names]
            if len(nodes) > 1:  # a layer that is used twice
                values[layer_name(layer)] = _merged(layer, sources)
                continue
            arguments = list(_arguments(nodes[0], values))
            values[layer_name(layer)] = self._after(layer, sources, arguments, path)
        outputs = list(dict.fromkeys(source_names(inside["output_layers"])))
        if len(outputs) != 1 or outputs[0] not in values:
            raise ValueError(f"the outputs {', '.join(sorted(outputs))[:120] or 'nowhere'}")
        return self._left(config, values[outputs[0]], given, path)

    def _left(self, config: Layer, value: Value, given: Value, path: tuple[str, ...]) -> Value:
        """What comes out of a network, which may have been a backbone."""
        if not isinstance(given, PixelMap) or isinstance(value, PixelMap):
            return value
        body = value.body if isinstance(value, Head) else value
        body = replace(body, entered=given if body.name is None else body.entered)
        if path and body.name is None and _size_of(config) >= _BACKBONE:
            body = replace(body, name=path[-1])
        return replace(value, body=body) if isinstance(value, Head) else body

    def _after(
        self, layer: Layer, inputs: list[Value], arguments: list[Any], path: tuple[str, ...]
    ) -> Value:
        """What a layer makes of what it is given."""
        place = (*path, layer_name(layer))
        value = inputs[0]
        if len(inputs) == 1 and layer["config"].get("layers"):
            if isinstance(value, Body) and value.name is None and _size_of(layer) >= _BACKBONE:
                raise ValueError(
                    f"{value.first} before the backbone, which does more to images than scale them"
                )
            return self.network(layer, value, place)
        if len(inputs) == 1 and _is_inactive(layer, value, self._size):
            if layer["class_name"] != "InputLayer":
                self.inactive.update(place)
            return value
        if all(isinstance(each, PixelMap) for each in inputs):
            return self._of_pixels(layer, inputs, arguments, place)
        if len(inputs) > 1:
            return _merged(layer, inputs)
        if isinstance(value, Head):
            return _behind_pooling(value, Step(layer, place))
        assert isinstance(value, Body)
        return _behind_backbone(value, Step(layer, place))

    def _of_pixels(
        self, layer: Layer, inputs: list[Any], arguments: list[Any], place: tuple[str, ...]
    ) -> Value:
        if layer["class_name"] in _CUTS:
            raise ValueError(
                f"{layer_words(layer)} before the backbone, which cuts or resizes images otherwise "
                "than manyheads"
            )
        pixels = mapped(layer, inputs, arguments, lambda: self._lookup(place))
        if pixels is None:
            return Body(inputs[0], inputs[0], layer_words(layer))
        if layer["class_name"] == "Normalization":
            self.inactive.add(layer_name(layer))  # its arrays are none of the backbone's
        return pixels


def _is_inactive(layer: Layer, value: Value, size: int | None) -> bool:
    kind, config = layer["class_name"], layer["config"]
    if kind == "Dropout" and isinstance(value, Head):
        return False  # the head's own, of which the rate is told
    if kind == "Activation":
        return config.get("activation") in (None, "linear")
    if kind in _CUTS:
        return size is not None and config.get("height") == config.get("width") == size
    return kind in _INACTIVE


def _merged(layer: Layer, inputs: list[Value]) -> Value:
    """What a layer makes of several inputs, or where it is used several times."""
    bodies = [each.body if isinstance(each, Head) else each for each in inputs]
    found = [body for body in bodies if isinstance(body, Body)]
    if not found:
        pixels = next(each for each in inputs if isinstance(each, PixelMap))
        return Body(pixels, pixels, layer_words(layer))
    first = found[0]
    # Blocks pool and multiply, too (squeeze and excite); there one of the inputs is a grid.
    whole = any(isinstance(each, PixelMap | Body) and not _strange(each) for each in inputs)
    strange = "" if whole else next(filter(None, (b.strange for b in found)), _in_head(layer))
    return replace(first, strange=strange, steps=())


def _strange(value: Value) -> str:
    return value.strange if isinstance(value, Body) else ""


def _in_head(layer: Layer) -> str:
    return f"{layer_words(layer)} in the head"


def _behind_pooling(head: Head, step: Step) -> Value:
    kind = step.layer["class_name"]
    if kind in (*_OF_HEADS, "GlobalAveragePooling2D"):
        return replace(head, steps=(*head.steps, step))
    return replace(head.body, strange=_in_head(step.layer), steps=())


def _behind_backbone(body: Body, step: Step) -> Value:
    kind, named = step.layer["class_name"], body.name is not None
    if body.strange:
        return body
    window = [each for each in body.steps if each.layer["class_name"] == _WINDOW]
    if kind == _WINDOW and not window:
        return replace(body, steps=(step, *body.steps))
    if kind in _POOLINGS and (named or kind not in (_WINDOW, "MaxPooling2D")):
        others = [each for each in body.steps if each not in window]
        return Head(replace(body, steps=()), (*window, step, *others))
    if not named:  # a layer of the backbone itself
        return replace(body, steps=())
    if kind == "BatchNormalization":  # a mean of what is scaled is the scaled mean
        return replace(body, steps=(*body.steps, step))
    where = "behind the backbone, where a pooling is expected"
    return replace(body, strange=f"{layer_words(step.layer)} {where}")


def _size_of(config: Layer) -> int:
    layers = config["config"].get("layers") or []
    return sum(_size_of(layer) or 1 for layer in layers)


def source_names(nodes: Any) -> Iterator[str]:
    """The names in references to layers, `[name, node, tensor]`, wherever they stand, in order."""
    if isinstance(nodes, dict):
        nodes = list(nodes.values())
    if not isinstance(nodes, list | tuple):  # a tuple where it comes from Keras, not from a file
        return
    if len(nodes) >= 3 and isinstance(nodes[0], str) and isinstance(nodes[1], int):
        yield nodes[0]
        nodes = nodes[3:]
    for entry in nodes:
        yield from source_names(entry)


def _arguments(node: Any, values: dict[str, Value]) -> Iterator[Any]:
    """The arguments of one call: values where they are other layers', else as they stand."""
    if isinstance(node, dict):  # Keras 3
        given = [*node.get("args", []), *(node.get("kwargs") or {}).values()]
        for entry in given:
            names = list(source_names(entry))
            yield values[names[0]] if len(names) == 1 else entry
        return
    for entry in node if node and isinstance(node[0], list) else [node]:  # Keras 2
        yield values[entry[0]]
        more = entry[3] if len(entry) > 3 and isinstance(entry[3], dict) else {}
        yield from (value for key, value in more.items() if key in _KEYWORDS)


_KEYWORDS = ("x", "y", "bias", "slice_spec", "dtype")
