"""TensorFlow and Keras, imported when they are first used: they take seconds, and most installations have neither.

    from nsynth_core.lazy import keras, tf

They behave as the modules themselves, but only within functions: using one at the top level of a module imports it.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from nsynth_core.errors import MissingExtra

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

__all__ = ["keras", "require_tensorflow", "tf"]


def require_tensorflow(extra: str) -> None:
    """Import TensorFlow. Raises MissingExtra where it is not installed.

    extra: the optional dependencies that bring it: "nsynth" or "train"
    """
    # keeps TensorFlow's greeting and its notes about drivers off the terminal; it reads this when it is imported
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        importlib.import_module("tensorflow")
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        raise MissingExtra(extra, "TensorFlow") from error


class _Lazy:
    """A module that is imported when one of its attributes is read."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") and attribute != "__version__":  # what introspection looks for
            raise AttributeError(attribute)
        require_tensorflow("nsynth")
        return getattr(importlib.import_module(self._name), attribute)


if not TYPE_CHECKING:
    keras, tf = _Lazy("keras"), _Lazy("tensorflow")
