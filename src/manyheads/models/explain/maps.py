"""Two maps of what the cells of a feature map mean to a head, both in closed form.

The features x that a head sees are the mean over the grid's cells, `x = Σ_c g_c / C`, so both maps
follow from one backbone pass, in a few products of small matrices.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from manyheads.heads.head import Parameters, forward, inner_output, sigmoid, softmax

Grid = Float32[np.ndarray, "rows columns features"]
Map = Float32[np.ndarray, "rows columns"]
METHODS = ("occlusion", "cam")
_BANDS = 3


def occlusion_map(
    head: Parameters, grid: Grid, target: int, *, several_labels: bool = False
) -> Map:
    """By how much the log-odds of class `target` fall when a cell is left out, in nats.

    `s(x) − s((C·x − g_c) / (C − 1))` with `s = log(p / (1 − p))`, for each of C ≥ 2 cells: above 0
    where a cell speaks for the class, below 0 where it speaks against it. Occlusion as in Zeiler
    and Fergus 2014 (section 4.2), but of features, so that a map takes no further pass. Two choices
    are ours. A cell is left out of the mean and not set to 0: what is left is the mean over an
    image, if a smaller one, and an image of equal cells gives a map of zeros, where zeroing would
    weaken all features at once. And log-odds order the cells as the probability does, but go on
    falling where it has come up to 1. Of `several_labels`, each with a sigmoid, s is the logit.
    """
    cells = grid.reshape(-1, grid.shape[-1])
    others = (cells.sum(axis=0) - cells) / np.float32(len(cells) - 1)
    logits = forward(head, pooled(grid)[np.newaxis]), forward(head, others)
    if several_labels:
        whole, left = (each[:, target] for each in logits)
    else:
        whole, left = (log_odds(each, target) for each in logits)
    return (whole - left).reshape(grid.shape[:2])


def activation_map(head: Parameters, grid: Grid, target: int) -> Map:
    """What each cell gives to the logit of class `target`: a class-activation map.

    `w·g_c`, where w is the gradient of the logit by the pooled features x: the last layer's own
    column without an inner layer (Zhou et al. 2016), else `W₁ diag(x·W₁ + b₁ > 0) W₂[:, target]`.
    Behind a global average that is Grad-CAM (Selvaraju et al. 2017, section 3.1) up to its factor
    C and its last relu: what speaks against the class stays, below 0. The mean over the cells is
    the logit, but for the biases of the units that are active.
    """
    weights = head.kernel[:, target]
    if head.has_inner:
        active = inner_output(head, pooled(grid)[np.newaxis])[0] > 0
        weights = head.inner_kernel @ (weights * active)
    return grid @ weights


def without_parts(
    head: Parameters, grid: Grid, target: int, *, several_labels: bool = False
) -> Map:
    """The probability of class `target` where one part of the image is left out of the mean.

    Parts are thirds of the rows by thirds of the columns, or single ones where there are fewer:
    `[rows ≤ 3, columns ≤ 3]`. Of each part all cells are left out together, as one is in
    `occlusion_map`.
    """
    rows, columns = (np.array_split(np.arange(n), min(n, _BANDS)) for n in grid.shape[:2])
    total, cells = grid.sum(axis=(0, 1)), grid.shape[0] * grid.shape[1]
    found = np.empty((len(rows), len(columns)), np.float32)
    for row, column in np.ndindex(found.shape):
        part = grid[np.ix_(rows[row], columns[column])]
        left = cells - part.shape[0] * part.shape[1]
        others = (total - part.sum(axis=(0, 1))) / np.float32(left)
        logits = forward(head, others[np.newaxis])
        found[row, column] = (sigmoid if several_labels else softmax)(logits)[0, target]
    return found


def part_name(row: int, column: int, shape: tuple[int, int]) -> str:
    """A part of an image in words, such as "upper left", of parts of a `shape`."""
    rows = {1: ("",), 2: ("upper", "lower"), 3: ("upper", "middle", "lower")}
    columns = {1: ("",), 2: ("left", "right"), 3: ("left", "middle", "right")}
    names = rows[shape[0]][row], columns[shape[1]][column]
    return "centre" if names == ("middle", "middle") else " ".join(filter(None, names))


def pooled(grid: Grid) -> Float32[np.ndarray, "features"]:
    """The mean over the cells."""
    return grid.mean(axis=(0, 1))


def log_odds(
    logits: Float32[np.ndarray, "samples classes"], target: int
) -> Float32[np.ndarray, "samples"]:
    """`log(p / (1 − p))` of the class `target`, `z_t − log Σ_{j≠t} exp z_j`."""
    others = np.delete(logits, target, axis=1)
    most = others.max(axis=1, keepdims=True)
    return logits[:, target] - most[:, 0] - np.log(np.exp(others - most).sum(axis=1))
