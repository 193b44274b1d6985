"""How networks are fitted: Adam, a learning rate that warms up and falls as a cosine, and averaged weights."""

from __future__ import annotations

from collections.abc import Sequence

from nsynth_core.audio import Floats
from nsynth_core.lazy import keras, tf

AVERAGE = 0.999


class Descent:
    """The optimiser of `variables`. It holds Adam's state and the moving average of the weights.

    steps: of the whole fit
    rates: the highest and the last learning rate
    warm_up: steps until the highest rate, at most a quarter of all
    """

    def __init__(self, variables: Sequence[keras.Variable], steps: int, rates: tuple[float, float], warm_up: int):
        peak, end = rates
        self.variables = list(variables)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps, end / peak, warmup_target=peak, warmup_steps=min(warm_up, steps // 4)
        )
        self._optimizer = keras.optimizers.Adam(schedule, beta_2=0.99, global_clipnorm=1.0)
        self._optimizer.build(self.variables)
        self._average = [tf.Variable(v.value, trainable=False) for v in self.variables]

    def step(self, tape: tf.GradientTape, loss: tf.Tensor, number: tf.Tensor) -> None:
        """Make the step `number` (a float from 1) against the gradient of `loss`, which `tape` recorded."""
        gradients = tape.gradient(loss, [v.value for v in self.variables])
        self._optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
        # early on the average is short, so that the random start is forgotten
        decay = tf.minimum(AVERAGE, (1.0 + number) / (10.0 + number))
        for kept, now in zip(self._average, self.variables, strict=True):
            kept.assign(decay * kept + (1 - decay) * now.value)

    def average(self) -> list[Floats]:
        """The averaged weights, in the order of the variables."""
        return [v.numpy() for v in self._average]

    def assign(self, values: Sequence[Floats]) -> None:
        """Give the variables these weights."""
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)
