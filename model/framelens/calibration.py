"""From a score to a probability of state framing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Calibration:
    """A monotone map from scores to probabilities, fitted on owners that the classifier did not see.

    Attributes
    ----------
    method
        ``"platt"``: 1 / (1 + exp(-(slope * score + offset))); or ``"isotonic"``: linear interpolation
        between the points (x, y), constant outside them.
    slope, offset
        Of Platt's sigmoid; a negative slope would turn the model around and is refused.
    x, y
        Of the isotonic steps: ascending scores, and probabilities in 0..1 that do not fall.

    Examples
    --------
    >>> Calibration("platt", slope=1.0, offset=0.0).p_state([0.0]).tolist()
    [0.5]
    """

    method: str
    slope: float = 1.0
    offset: float = 0.0
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.method == "platt":
            if not (np.isfinite(self.slope) and np.isfinite(self.offset) and self.slope >= 0):
                raise ValueError(
                    f"Platt's slope {self.slope} must be 0 or more and its offset {self.offset} finite"
                )
        elif self.method == "isotonic":
            x, y = np.array(self.x), np.array(self.y)
            if not (x.size and x.shape == y.shape and (np.diff(x) >= 0).all() and (np.diff(y) >= 0).all()):
                raise ValueError(
                    "isotonic points need equally many x and y, at least one, neither ever falling"
                )
            if y[0] < 0 or y[-1] > 1:
                raise ValueError(f"isotonic probabilities run from {y[0]} to {y[-1]}; they must stay in 0..1")
        else:
            raise ValueError(f"calibration method is {self.method!r}; it must be 'platt' or 'isotonic'")

    def p_state(self, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Probability of state framing for each score; float64 in 0..1, of the shape of `scores`."""
        values = np.asarray(scores, dtype=np.float64)
        if self.method == "isotonic":
            return np.asarray(np.interp(values, self.x, self.y), dtype=np.float64)
        # tanh does not overflow where exp would
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * (self.slope * values + self.offset))), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        if self.method == "platt":
            return {"method": "platt", "slope": float(self.slope), "offset": float(self.offset)}
        return {"method": "isotonic", "x": [float(v) for v in self.x], "y": [float(v) for v in self.y]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """From the manifest's entry; a ValueError names what is wrong with it."""
        try:
            method = values["method"]
            if method == "isotonic":
                return cls("isotonic", x=tuple(map(float, values["x"])), y=tuple(map(float, values["y"])))
            if method == "platt":
                return cls("platt", slope=float(values["slope"]), offset=float(values["offset"]))
        except KeyError as error:
            raise ValueError(f"the calibration lacks {error.args[0]!r}") from None
        raise ValueError(f"calibration method is {method!r}; it must be 'platt' or 'isotonic'")
