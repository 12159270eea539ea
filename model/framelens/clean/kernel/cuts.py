"""What is cut of an article, and what is kept of it."""

from __future__ import annotations

from framelens.clean.kernel.characters import skip_space, skip_space_back
from framelens.clean.kernel.layout import Scratch
from framelens.features.compiled import I64s, RoomError, U8s, jit


@jit
def add_cut(scratch: Scratch, cuts: I64s, n: int, start: int, stop: int) -> int:
    """Put a cut behind the first n, of `Scratch.cuts` or `masks`; how many there are then."""
    if n == scratch.cuts_room:
        raise RoomError
    cuts[2 * n], cuts[2 * n + 1] = start, stop
    return n + 1


@jit
def merge_cuts(cuts: I64s, n: int, start: int) -> int:
    """Bring the first n cuts of an article that begins at `start` into order; how many are left."""
    for i in range(1, n):
        first, last = cuts[2 * i], cuts[2 * i + 1]
        j = i
        while j > 0 and (cuts[2 * j - 2] > first or (cuts[2 * j - 2] == first and cuts[2 * j - 1] < last)):
            cuts[2 * j], cuts[2 * j + 1] = cuts[2 * j - 2], cuts[2 * j - 1]
            j -= 1
        cuts[2 * j], cuts[2 * j + 1] = first, last
    merged, covered = 0, start
    for i in range(n):
        first, last = cuts[2 * i], cuts[2 * i + 1]
        if last > covered:
            cuts[2 * merged], cuts[2 * merged + 1] = max(first, covered), last
            merged += 1
            covered = last
    return merged


@jit
def next_kept(data: U8s, at: int, stop: int, cuts: I64s, n: int) -> tuple[int, int]:
    for i in range(n):
        at = skip_space(data, at, stop)
        if cuts[2 * i + 1] <= at:
            continue
        if cuts[2 * i] > at:
            return at, cuts[2 * i]
        at = cuts[2 * i + 1]
    return skip_space(data, at, stop), stop


@jit
def last_kept(data: U8s, start: int, stop: int, cuts: I64s, n: int) -> tuple[int, int]:
    for i in range(n - 1, -1, -1):
        stop = skip_space_back(data, start, stop)
        if cuts[2 * i] >= stop:
            continue
        if cuts[2 * i + 1] < stop:
            return cuts[2 * i + 1], stop
        stop = cuts[2 * i]
    return start, skip_space_back(data, start, stop)
