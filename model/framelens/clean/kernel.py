"""Where the literals of the cleaning rules stand, compiled: over UTF-8 bytes, without a Python object an
article.

Says of each article which literals occur where, and which rules for ``head`` and ``tail`` could be tried;
where there is nothing of the kind, the article is left as it is. What a rule takes out is decided by
`framelens.clean.engine` alone. Everything compiled stands in this one file, because numba's cache notices a
change of this file only.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from framelens.features.compiled import address, jit

_U8s: TypeAlias = npt.NDArray[np.uint8]
_U16s: TypeAlias = npt.NDArray[np.uint16]
_I32s: TypeAlias = npt.NDArray[np.int32]
_I64s: TypeAlias = npt.NDArray[np.int64]
_int64: Any = np.int64

NEWLINE = 0x0A


class Literals(NamedTuple):
    """Byte strings to find.

    Attributes
    ----------
    marks
        uint8, shape (65536,), for the first byte of a pair times 256 plus the second (0 behind the end of the
        text): whether a literal of three bytes or more begins with the pair (bit 0) or has it behind its
        first byte (bit 1), and whether one of two bytes or less begins with it (bit 2). Literals of which
        `within` is 0 or 1 leave no mark, unless literals are found anywhere.
    buckets
        uint16, shape (65536,): the bucket of literals that may begin with the pair; 0 for none.
    bucket_starts, bucket_items
        int32: bucket b holds the literals ``bucket_items[bucket_starts[b]:bucket_starts[b + 1]]``.
    starts, text
        int32, shape (n + 1,), and uint8: literal i is ``text[starts[i]:starts[i + 1]]``.
    within, rules
        int32, int64, shape (n,): characters that may stand between the start of a paragraph, or the end of
        the text, and the beginning of the literal, and the bits of the rules that it lets be tried then; not
        looked at where literals are found anywhere.
    """

    marks: _U8s
    buckets: _U16s
    bucket_starts: _I32s
    bucket_items: _I32s
    starts: _I32s
    text: _U8s
    within: _I32s
    rules: _I64s


@jit
def _point(literals: Literals) -> Literals:
    """The same with pointers for arrays."""
    return Literals(
        address(literals.marks),
        address(literals.buckets),
        address(literals.bucket_starts),
        address(literals.bucket_items),
        address(literals.starts),
        address(literals.text),
        address(literals.within),
        address(literals.rules),
    )


@jit
def _candidates(data: _U8s, start: int, stop: int, literals: Literals, room: _I64s) -> int:
    """Write to the room where three bytes look like a literal's, of ``data[start:stop]``; how many places.

    Without a branch: at most places there is none, but where there is one cannot be foretold.
    """
    if start >= stop:
        return 0
    places = address(room)
    n, before, pair = 0, 0, _int64(data[start])
    for at in range(start + 1, stop):
        pair = (pair << 8 | _int64(data[at])) & 0xFFFF
        marks = _int64(literals.marks[pair])
        places[n] = at - 2
        n += ((before & (marks >> 1)) | (before >> 2)) & 1
        before = marks
    places[n] = stop - 2
    n += before >> 2 & 1
    places[n] = stop - 1
    n += _int64(literals.marks[pair << 8 & 0xFFFF]) >> 2 & 1
    return int(n)


@jit
def _bucket_at(data: _U8s, at: int, stop: int, literals: Literals) -> int:
    """The bucket of literals that may stand here, by two bytes; 0 for none."""
    pair = _int64(data[at]) << 8 | (_int64(data[at + 1]) if at + 1 < stop else 0)
    bucket: int = _int64(literals.buckets[pair])
    return bucket


@jit
def _is_at(data: _U8s, at: int, stop: int, literals: Literals, i: int) -> bool:
    """Whether literal i stands here; its bucket has been seen to by the caller."""
    first, last = literals.starts[i], literals.starts[i + 1]
    if at + last - first > stop:
        return False
    for j in range(1, last - first):  # noqa: SIM110 -- numba compiles no all()
        if data[at + j] != literals.text[first + j]:
            return False
    return True


@jit
def _open_at(data: _U8s, at: int, stop: int, literals: Literals, distance: int) -> int:
    """Bits of the rules with a literal that begins here and may be so many characters away."""
    bucket = _bucket_at(data, at, stop, literals)
    rules: int = _int64(0)
    for item in range(literals.bucket_starts[bucket], literals.bucket_starts[bucket + 1]):
        i = literals.bucket_items[item]
        if literals.within[i] >= distance and _is_at(data, at, stop, literals, i):
            rules |= literals.rules[i]
    return rules


@jit
def _characters(data: _U8s, start: int, stop: int) -> int:
    n = 0
    for at in range(start, stop):
        n += data[at] & 0xC0 != 0x80
    return n


@jit
def space_width(data: _U8s, at: int, stop: int) -> int:
    """Bytes of the white space that begins here, as `str.isspace` has it; 0 for none."""
    lead = data[at]
    if lead < 0x80:
        return 1 if lead == 0x20 or 9 <= lead <= 13 or 28 <= lead <= 31 else 0
    if lead == 0xC2 and at + 1 < stop:
        return 2 if data[at + 1] in (0x85, 0xA0) else 0
    if lead in (0xE1, 0xE2, 0xE3) and at + 2 < stop:
        code = (_int64(lead) & 0x0F) << 12 | _int64(data[at + 1] & 0x3F) << 6 | _int64(data[at + 2] & 0x3F)
        wide = (
            0x2000 <= code <= 0x200A or code in (0x1680, 0x2028, 0x2029, 0x202F) or code in (0x205F, 0x3000)
        )
        return 3 if wide else 0
    return 0


@jit
def _skip_space(data: _U8s, at: int, stop: int) -> int:
    while at < stop:
        width = space_width(data, at, stop)
        if width == 0:
            break
        at += width
    return at


@jit
def _skip_space_back(data: _U8s, start: int, stop: int) -> int:
    while stop > start:
        at = _before(data, start, stop)
        if space_width(data, at, stop) != stop - at:
            break
        stop = at
    return stop


@jit
def _before(data: _U8s, start: int, at: int) -> int:
    """Where the character before this place begins."""
    at -= 1
    while at > start and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


@jit
def _open_heads(
    data: _U8s, start: int, stop: int, literals: Literals, widest: int, places: _I64s, rules: _I64s
) -> None:
    """Write the open rules of each of the first paragraphs."""
    at = start
    for paragraph in range(len(rules)):
        at = _skip_space(data, at, stop)
        if at < stop:
            rules[paragraph] |= _open_at(data, at, stop, literals, 0)
        # a character has up to four bytes, and three tell whether a literal could stand at the last one
        seen, distance = at, 0
        for i in range(_candidates(data, at, min(stop, at + 4 * widest + 3), literals, places)):
            distance += _characters(data, seen, places[i])
            seen = places[i]
            if distance > widest:
                break
            rules[paragraph] |= _open_at(data, seen, stop, literals, distance)
        while at < stop and data[at] != NEWLINE:
            at += 1
        at += 1
        if at > stop:
            break


@jit
def _open_tails(data: _U8s, start: int, stop: int, literals: Literals, widest: int, places: _I64s) -> int:
    """The open rules of the end."""
    if stop <= start:
        return 0
    rules = _open_at(data, _before(data, start, stop), stop, literals, 1)
    seen, distance = stop, 0
    n = _candidates(data, max(start, stop - 4 * widest), stop, literals, places)
    for i in range(n - 1, -1, -1):
        distance += _characters(data, places[i], seen)
        seen = places[i]
        if distance > widest:
            break
        rules |= _open_at(data, seen, stop, literals, distance)
    return int(rules)


@jit
def _find(
    data: _U8s, start: int, stop: int, literals: Literals, places: _I64s, found: _I64s, used: int
) -> tuple[_I64s, int]:
    """Append literal and place, in characters, of each that occurs."""
    seen, characters = start, 0
    for candidate in range(_candidates(data, start, stop, literals, places)):
        at = places[candidate]
        bucket = _bucket_at(data, at, stop, literals)
        for item in range(literals.bucket_starts[bucket], literals.bucket_starts[bucket + 1]):
            i = literals.bucket_items[item]
            if not _is_at(data, at, stop, literals, i):
                continue
            characters += _characters(data, seen, at)
            seen = at
            if used == len(found):
                larger = np.empty((2 * len(found), 2), dtype=np.int64)
                larger[:used] = found
                found = larger
            found[used, 0], found[used, 1] = i, characters
            used += 1
    return found, used


@jit
def find_literals(
    data: _U8s,
    starts: _I64s,
    stops: _I64s,
    anywhere: Literals,
    head: Literals,
    tail: Literals,
    paragraphs: int,
) -> tuple[_I64s, _I64s, _I64s]:
    """What the rules need to know of the articles ``data[starts[i]:stops[i]]``.

    Returns
    -------
    open_rules : int64, shape (rows, paragraphs + 1)
        Bits of the rules with a literal near enough to the start of each of the first paragraphs, and to the
        end, as long as nothing is taken out of the article.
    ends : int64, shape (rows + 1,)
        The occurrences of article i are at ``ends[i]:ends[i + 1]``.
    occurrences : int64, shape (n, 2)
        Literal, and where it begins in characters of its article.
    """
    open_rules = np.zeros((len(starts), paragraphs + 1), dtype=np.int64)
    ends = np.zeros(len(starts) + 1, dtype=np.int64)
    found = np.empty((64, 2), dtype=np.int64)
    used = 0
    text, others, heads, tails = address(data), _point(anywhere), _point(head), _point(tail)
    head_within, tail_within = head.within.max(), tail.within.max()
    longest = 0
    for row in range(len(starts)):
        longest = max(longest, stops[row] - starts[row])
    places = np.empty(longest + 2, dtype=np.int64)
    for row in range(len(starts)):
        start, stop = starts[row], stops[row]
        found, used = _find(text, start, stop, others, places, found, used)
        ends[row + 1] = used
        _open_heads(text, start, stop, heads, head_within, places, open_rules[row, :paragraphs])
        end = _skip_space_back(text, start, stop)
        open_rules[row, paragraphs] = _open_tails(text, start, end, tails, tail_within, places)
    return open_rules, ends, found[:used]
