"""The featuriser, compiled: the same tokens and counts as the reference, straight from UTF-8 bytes.

`framelens.features.tokens` is the specification and property tests hold this package to it. A term is its
hash here, as `framelens.features.vocabulary` defines it. Bytes that are not UTF-8 separate, as U+FFFD does.
All functions release the GIL and keep no state: threads work on different rows of the same buffers.

Bytes become tokens (`characters`, `words`, `tokens`), tokens terms (`hashes`, `terms`), and terms counts and
scores of articles (`rows`) or the terms of a corpus (`tally`).
"""

from framelens.features.kernel.layout import BLOCK, FIXED_MEASURES, Scratch, Tables, Terms
from framelens.features.kernel.rows import count_rows, score_rows
from framelens.features.kernel.tally import grow_table, locate_rows, tally_rows

__all__ = [
    "BLOCK",
    "FIXED_MEASURES",
    "Scratch",
    "Tables",
    "Terms",
    "count_rows",
    "grow_table",
    "locate_rows",
    "score_rows",
    "tally_rows",
]
