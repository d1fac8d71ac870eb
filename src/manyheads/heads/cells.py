"""The mean over the cells of a feature map that are not hidden, compiled by Numba."""

from __future__ import annotations

import numpy as np

from manyheads.heads.fused.blocks import compiled


@compiled
def mean_cells(grids, rows, keep, out):
    """`out[i] = mean of grids[rows[i], c] over the cells c that keep[i] has`, at least one.

    `grids` `[stored, cells, features]`, `keep` `[samples, cells]`, `out` `[samples, features]`.
    """
    _, cells, features = grids.shape
    for i in range(rows.size):
        row, kept = rows[i], 0
        out[i] = 0
        for cell in range(cells):
            if keep[i, cell]:
                kept += 1
                for f in range(features):
                    out[i, f] += grids[row, cell, f]
        scale = np.float32(1) / np.float32(kept)
        for f in range(features):
            out[i, f] *= scale


@compiled
def mean_half_cells(grids, rows, keep, out):
    """`mean_cells` of half-precision numbers, given as their bits (uint16); NaN for no numbers.

    A half has 5 bits of exponent, biased by 15; moved into a float32, whose bias is 127, it is a
    number that is 2^112 times too small.
    """
    _, cells, features = grids.shape
    bits = np.empty(features, np.uint32)
    numbers, too_small = bits.view(np.float32), np.float32(2.0**112)
    for i in range(rows.size):
        row, kept, largest = rows[i], 0, np.uint32(0)
        out[i] = 0
        for cell in range(cells):
            if keep[i, cell]:
                kept += 1
                for f in range(features):
                    half = np.uint32(grids[row, cell, f])
                    size = half & np.uint32(0x7FFF)
                    largest = max(largest, size)
                    sign = (half & np.uint32(0x8000)) << np.uint32(16)
                    bits[f] = (size << np.uint32(13)) | sign
                for f in range(features):
                    out[i, f] += numbers[f] * too_small
        finite = largest < np.uint32(0x7C00)
        scale = np.float32(1) / np.float32(kept) if finite else np.float32(np.nan)
        for f in range(features):
            out[i, f] *= scale
