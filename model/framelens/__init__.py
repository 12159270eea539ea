"""FrameLens: is an article framed as state-controlled media frame the news?

`predict`, `predict_batch`, `predict_outlet` and `explain` ask the model inside this package; `load` gives
another one. Nothing is imported before its first use, and nothing needs the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framelens.predictor import (
        Model,
        Prediction,
        explain,
        load,
        predict,
        predict_batch,
        predict_outlet,
    )

__all__ = ["Model", "Prediction", "explain", "load", "predict", "predict_batch", "predict_outlet"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        import framelens.predictor

        return getattr(framelens.predictor, name)
    raise AttributeError(f"module 'framelens' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
