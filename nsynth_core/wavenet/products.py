"""Matrix products whose sums do not depend on how many rows there are.

They must not, or a seed would give another sound in another batch (one last bit, once, and a stream goes another way).
Products of at least two rows over one filter tap have this property in TensorFlow on x86 (oneDNN adds up in one order
whatever the rows, and whatever blocks of columns it is asked for); products over two taps at once and of a single row
do not. Hence a tap a product, and at least two rows.

Few rows wait for the filter to come from memory, which is faster where each block of columns lies together than row by
row, a page apart. So filters that meet few rows are kept as blocks of columns.
"""

from __future__ import annotations

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.lazy import tf

LEAST = 2  # rows, see above
# up to so many rows, blocks of so many columns: where the fewest meet them, all the time goes into reading
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
    """Columns of zeros to be added to a filter of so many `outputs`: rows of whole pages share too few places of the
    cache, a twentieth of the time where many rows meet them."""
    return IDLE if rows > BLOCKS[-1][0] and 4 * outputs % PAGE == 0 else 0


def product(x: tf.Tensor, filter_: tf.Tensor) -> tf.Tensor:
    """`x` (rows, inputs) times a filter, (rows, outputs) in float32."""
    if len(filter_.shape) == 2:
        return tf.cast(tf.matmul(x, filter_), tf.float32)
    blocks = tf.matmul(x[None], filter_)
    y = blocks[0] if filter_.shape[0] == 1 else tf.reshape(tf.transpose(blocks, (1, 0, 2)), (x.shape[0], -1))
    return tf.cast(y, tf.float32)
