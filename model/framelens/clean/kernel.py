"""Where the literals of the cleaning rules stand, compiled: over UTF-8 bytes, without a Python object an
article.

Says of each article which literals occur where, and whether a ``head`` or a ``tail`` could be tried; for
most articles that is nothing, and they are left as they are. What a rule then takes out is decided by
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
    buckets
        uint16, shape (65536,): for the first byte times 256 plus the second (0 behind the end of the text)
        the bucket of literals that may begin so; 0 for none.
    bucket_starts, bucket_items
        int32: bucket b holds the literals ``bucket_items[bucket_starts[b]:bucket_starts[b + 1]]``.
    thirds
        uint8, shape (buckets, 256), flat: whether a literal of the bucket may go on with that third byte (0
        behind the end).
    starts, text
        int32, shape (n + 1,), and uint8: literal i is ``text[starts[i]:starts[i + 1]]``.
    within, rules
        int32, int64, shape (n,): characters that may stand between the start of a paragraph, or the end of
        the text, and the beginning of the literal, and the bits of the rules that it lets be tried then; not
        looked at where literals are found anywhere.
    """

    buckets: _U16s
    bucket_starts: _I32s
    bucket_items: _I32s
    thirds: _U8s
    starts: _I32s
    text: _U8s
    within: _I32s
    rules: _I64s


@jit
def _point(literals: Literals) -> Literals:
    """The same with pointers for arrays."""
    return Literals(
        address(literals.buckets),
        address(literals.bucket_starts),
        address(literals.bucket_items),
        address(literals.thirds),
        address(literals.starts),
        address(literals.text),
        address(literals.within),
        address(literals.rules),
    )


@jit
def _bucket_at(data: _U8s, at: int, stop: int, pair: int, literals: Literals) -> int:
    """The bucket of literals that may stand here, by three bytes; 0 for none."""
    bucket: int = _int64(literals.buckets[pair])
    if bucket:
        third = _int64(data[at + 2]) if at + 2 < stop else 0
        if literals.thirds[bucket << 8 | third] == 0:
            return 0
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
    pair = _int64(data[at]) << 8 | (_int64(data[at + 1]) if at + 1 < stop else 0)
    bucket = _bucket_at(data, at, stop, pair, literals)
    rules: int = _int64(0)
    if bucket:
        for item in range(literals.bucket_starts[bucket], literals.bucket_starts[bucket + 1]):
            i = literals.bucket_items[item]
            if literals.within[i] >= distance and _is_at(data, at, stop, literals, i):
                rules |= literals.rules[i]
    return rules


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
def _open_heads(data: _U8s, start: int, stop: int, literals: Literals, widest: int, rules: _I64s) -> None:
    """Write the open rules of each of the first paragraphs."""
    at = start
    for paragraph in range(len(rules)):
        at = _skip_space(data, at, stop)
        place, distance = at, 0
        while place < stop and distance <= widest:
            if data[place] & 0xC0 != 0x80:
                rules[paragraph] |= _open_at(data, place, stop, literals, distance)
                distance += 1
            place += 1
        while at < stop and data[at] != NEWLINE:
            at += 1
        at += 1
        if at > stop:
            break


@jit
def _open_tails(data: _U8s, start: int, stop: int, literals: Literals, widest: int) -> int:
    """The open rules of the end."""
    at = stop
    rules: int = _int64(0)
    for distance in range(1, widest + 1):
        if at <= start:
            break
        at = _before(data, start, at)
        rules |= _open_at(data, at, stop, literals, distance)
    return rules


@jit
def _find(
    data: _U8s, start: int, stop: int, literals: Literals, found: _I64s, used: int
) -> tuple[_I64s, int]:
    """Append literal and place, in characters, of each that occurs."""
    seen, characters, pair = start, 0, 0
    for at in range(start - 1, stop):
        pair = (pair << 8 | (_int64(data[at + 1]) if at + 1 < stop else 0)) & 0xFFFF
        bucket = _bucket_at(data, at, stop, pair, literals)
        if bucket == 0 or at < start:
            continue
        for item in range(literals.bucket_starts[bucket], literals.bucket_starts[bucket + 1]):
            i = literals.bucket_items[item]
            if not _is_at(data, at, stop, literals, i):
                continue
            while seen < at:
                characters += data[seen] & 0xC0 != 0x80
                seen += 1
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
    for row in range(len(starts)):
        start, stop = starts[row], stops[row]
        found, used = _find(text, start, stop, others, found, used)
        ends[row + 1] = used
        _open_heads(text, start, stop, heads, head_within, open_rules[row, :paragraphs])
        end = _skip_space_back(text, start, stop)
        open_rules[row, paragraphs] = _open_tails(text, start, end, tails, tail_within)
    return open_rules, ends, found[:used]
