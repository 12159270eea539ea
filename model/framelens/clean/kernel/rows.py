"""Articles cleaned."""

from __future__ import annotations

from framelens.clean.kernel.characters import skip_space_back
from framelens.clean.kernel.cuts import add_cut, merge_cuts
from framelens.clean.kernel.layout import Rules, Scratch
from framelens.clean.kernel.machine import in_set
from framelens.clean.kernel.places import head, tail, triggered
from framelens.features.compiled import I64s, RoomError, U8s, jit


@jit
def _write(rules: Rules, data: U8s, start: int, stop: int, cuts: I64s, n: int, out: U8s, used: int) -> int:
    """Append what is kept of an article, two words never touching; how much is used then."""
    begin = used
    for i in range(n + 1):
        last = cuts[2 * i] if i < n else stop
        if start < last and used > begin:
            if skip_space_back(out, begin, used) < used:
                while start < last and (data[start] == 0x20 or data[start] == 0x09):
                    start += 1
            elif in_set(rules.machine, rules.alphanumeric, data, start):
                out[used] = 0x20
                used += 1
        for at in range(start, last):
            out[used + at - start] = data[at]
        used += max(0, last - start)
        start = cuts[2 * i + 1] if i < n else stop
    return used


@jit
def clean_rows(
    data: U8s,
    starts: I64s,
    stops: I64s,
    rows: int,
    rules: Rules,
    scratch: Scratch,
    out: U8s,
    room: int,
    ends: I64s,
) -> None:
    """Clean the articles ``data[starts[i]:stops[i]]``, all of them UTF-8.

    Parameters
    ----------
    out, room
        So many bytes: what is kept of them is written there, one behind the other, white space at the ends of
        an article left alone.
    ends
        int64, shape (rows + 1,): article i will be ``out[ends[i]:ends[i + 1]]``.
    """
    cuts, masks = scratch.cuts, scratch.masks
    used = 0
    ends[0] = 0
    for row in range(rows):
        start, stop = starts[row], stops[row]
        n, masked = triggered(rules, data, start, stop, scratch)
        n = merge_cuts(cuts, n, start)
        n = head(rules, data, start, stop, scratch, cuts, n)
        n = merge_cuts(cuts, n, start)
        n = tail(rules, data, start, stop, scratch, cuts, n)
        for i in range(masked):
            n = add_cut(scratch, cuts, n, masks[2 * i], masks[2 * i + 1])
        n = merge_cuts(cuts, n, start)
        if used + stop - start + n > room:  # an empty cut may leave a space
            raise RoomError
        used = _write(rules, data, start, stop, cuts, n, out, used)
        ends[row + 1] = used
