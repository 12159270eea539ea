"""How far the stream of articles has moved from those the model was trained on."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

WINDOW = 2000
"""Articles that are compared with training, the latest ones."""

FEWEST = 200
"""With fewer articles an index would be noise: ten bins of twenty."""


class Drift:
    """Population stability index of one quantity over a sliding window.

    The sum over bins of ``(a - e) * ln(a / e)``, where ``e`` is a bin's share of the training articles and
    ``a`` its share of the window. Below 0.1 is usually read as stable, above 0.25 as moved. Half an article
    is added to each bin, so that an empty one does not make it infinite.

    Parameters
    ----------
    edges
        Ascending; a value falls in the bin after the last edge that it reaches.
    shares
        Shares of the training articles in the ``len(edges) + 1`` bins; they sum to 1.
    """

    def __init__(self, edges: Sequence[float], shares: Sequence[float], *, window: int = WINDOW) -> None:
        if len(shares) != len(edges) + 1 or list(edges) != sorted(set(edges)) or min(shares) <= 0:
            raise ValueError(f"{len(edges)} edges and {len(shares)} shares make no distribution")
        self._edges, self._shares = list(edges), list(shares)
        self._bins: deque[int] = deque(maxlen=window)
        self._counts = [0] * len(shares)

    def __len__(self) -> int:
        return len(self._bins)

    def add(self, value: float) -> None:
        """One article more; the oldest goes when the window is full."""
        if len(self._bins) == self._bins.maxlen:
            self._counts[self._bins[0]] -= 1
        self._bins.append(bisect_right(self._edges, value))
        self._counts[self._bins[-1]] += 1

    def index(self) -> float:
        """The index; NaN before `FEWEST` articles."""
        n = len(self._bins)
        if n < FEWEST:
            return math.nan
        total = n + 0.5 * len(self._counts)
        pairs = zip(self._counts, self._shares, strict=True)
        return sum((a - e) * math.log(a / e) for a, e in (((c + 0.5) / total, e) for c, e in pairs))


def drifts_of(manifest: Mapping[str, Any]) -> dict[str, Drift]:
    """The quantities whose training distribution a model's manifest holds; none for older models."""
    kept = (manifest.get("metrics") or {}).get("training_distribution") or {}
    return {
        name: Drift(kept[name]["edges"], kept[name]["shares"])
        for name in ("score", "known_share")
        if name in kept
    }
