"""Where a literal stands that lets a rule be tried."""

from __future__ import annotations

from framelens.clean.kernel.characters import character_before, count_characters, go_ahead, go_back
from framelens.clean.kernel.layout import SHORT, Literals
from framelens.features.compiled import I64s, U8s, int64, jit


@jit
def candidates(data: U8s, start: int, stop: int, literals: Literals, places: I64s) -> int:
    """Write to the places where three bytes look like a literal's, of ``data[start:stop]``; how many places.

    Without a branch: at most places there is none, but where there is one cannot be foretold.
    """
    if start >= stop:
        return 0
    n, before, pair = 0, 0, int64(data[start])
    for at in range(start + 1, stop):
        pair = (pair << 8 | int64(data[at])) & 0xFFFF
        marks = int64(literals.marks[pair])
        places[n] = at - 2
        n += (before & (marks >> 8 | SHORT)) != 0
        before = marks
    places[n] = stop - 2
    n += before & SHORT != 0
    places[n] = stop - 1
    n += int64(literals.marks[pair << 8 & 0xFFFF]) & SHORT != 0
    return int(n)


@jit
def bucket_at(data: U8s, at: int, stop: int, literals: Literals) -> int:
    """The bucket of literals that may stand here, by two bytes; 0 for none."""
    pair = int64(data[at]) << 8 | (int64(data[at + 1]) if at + 1 < stop else 0)
    bucket: int = int64(literals.buckets[pair])
    return bucket


@jit
def is_at(data: U8s, at: int, stop: int, literals: Literals, i: int) -> bool:
    """Whether literal i stands here; its bucket has been seen to by the caller."""
    first, last = literals.starts[i], literals.starts[i + 1]
    if at + last - first > stop:
        return False
    for j in range(1, last - first):  # noqa: SIM110 -- numba compiles no all()
        if data[at + j] != literals.text[first + j]:
            return False
    return True


@jit
def _open_at(data: U8s, at: int, stop: int, literals: Literals, distance: int) -> int:
    """Bits of the rules with a literal that begins here and may be so many characters away."""
    bucket = bucket_at(data, at, stop, literals)
    rules: int = int64(0)
    for item in range(literals.bucket_starts[bucket], literals.bucket_starts[bucket + 1]):
        i = literals.bucket_items[item]
        if literals.within[i] >= distance and is_at(data, at, stop, literals, i):
            rules |= literals.rules[i]
    return rules


@jit
def open_head(data: U8s, at: int, stop: int, literals: Literals, widest: int, places: I64s) -> int:
    """Bits of the rules with a literal near enough behind the start of a paragraph."""
    if at >= stop:
        return 0
    rules = _open_at(data, at, stop, literals, 0)
    # three bytes tell whether a literal could stand at the last place
    seen, distance = at, 0
    for i in range(candidates(data, at, min(stop, go_ahead(data, at, stop, widest) + 3), literals, places)):
        distance += count_characters(data, seen, places[i])
        seen = places[i]
        if distance > widest:
            break
        rules |= _open_at(data, seen, stop, literals, distance)
    return int(rules)


@jit
def open_tail(data: U8s, start: int, stop: int, literals: Literals, widest: int, places: I64s) -> int:
    """Bits of the rules with a literal near enough before the end."""
    if stop <= start:
        return 0
    rules = _open_at(data, character_before(data, start, stop), stop, literals, 1)
    seen, distance = stop, 0
    n = candidates(data, go_back(data, start, stop, widest), stop, literals, places)
    for i in range(n - 1, -1, -1):
        distance += count_characters(data, places[i], seen)
        seen = places[i]
        if distance > widest:
            break
        rules |= _open_at(data, seen, stop, literals, distance)
    return int(rules)
