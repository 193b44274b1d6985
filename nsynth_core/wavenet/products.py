"""Matrix products whose sums do not depend on the number of rows.

If they did, a seed would give another sound in another batch: one different bit is enough for a stream to draw other
samples. In TensorFlow on x86, products of at least two rows with one tap of a filter have this property, because oneDNN
adds up in one order for any number of rows and any block of columns. Products with two taps at once, and of a single
row, do not. So there is one product for each tap, with at least two rows.

With few rows, reading the filter from memory takes the time. This is faster where each block of columns is contiguous
than where its rows are a page apart. So filters for few rows are stored as blocks of columns.
"""

from __future__ import annotations

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.lazy import tf

LEAST = 2  # rows of a product, see above
# up to so many rows, filters are stored in blocks of so many columns
BLOCKS = ((16, 32), (47, 64))
IDLE, PAGE = 16, 4096


def packed(array: Floats, rows: int, kind: tf.DType | None = None) -> tf.Tensor:
    """A filter for `product` with so many `rows`, of `kind` (float32 by default).

    Returns (inputs, outputs), or (blocks, inputs, outputs of one block).
    """
    kind = kind or tf.float32
    columns = next((columns for most, columns in BLOCKS if rows <= most), 0)
    if kind != tf.float32:
        columns = BLOCKS[-1][1] if columns else 0
    if columns and array.shape[1] % columns == 0:
        array = np.ascontiguousarray(array.reshape(len(array), -1, columns).transpose(1, 0, 2))
    elif columns:
        array = array[None]
    return tf.cast(tf.constant(array), kind)


def idle(outputs: int, rows: int) -> int:
    """How many columns of zeros to add to a filter with so many `outputs`.

    Rows that are whole pages long share few places of the processor's cache. With many rows, this costs a twentieth of
    the time.
    """
    return IDLE if rows > BLOCKS[-1][0] and 4 * outputs % PAGE == 0 else 0


def product(x: tf.Tensor, filter_: tf.Tensor) -> tf.Tensor:
    """`x` (rows, inputs) times a filter, (rows, outputs) in float32."""
    if len(filter_.shape) == 2:
        return tf.cast(tf.matmul(x, filter_), tf.float32)
    blocks = tf.matmul(x[None], filter_)
    y = blocks[0] if filter_.shape[0] == 1 else tf.reshape(tf.transpose(blocks, (1, 0, 2)), (x.shape[0], -1))
    return tf.cast(y, tf.float32)
