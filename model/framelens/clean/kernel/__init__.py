"""`framelens.clean.engine`, compiled: over UTF-8 bytes, without a Python object an article.

Positions are bytes, so the engine's distances in characters are counted off. A regular expression is a
program of `framelens.clean.program` for the machine here.

Literals (`literals`) let rules be tried in places of the text (`places`) by the machine (`machine`, its
`instructions`); what they find is cut (`cuts`), and the rest is the cleaned article (`rows`).
"""

from framelens.clean.kernel.instructions import FRAME, MARKS, Machine
from framelens.clean.kernel.layout import (
    ANYWHERE,
    GROUPS,
    LINE,
    MASK,
    SENTENCE,
    SHORT,
    Limits,
    Literals,
    Rules,
    Scratch,
)
from framelens.clean.kernel.rows import clean_rows

__all__ = [
    "ANYWHERE",
    "FRAME",
    "GROUPS",
    "LINE",
    "MARKS",
    "MASK",
    "SENTENCE",
    "SHORT",
    "Limits",
    "Literals",
    "Machine",
    "Rules",
    "Scratch",
    "clean_rows",
]
