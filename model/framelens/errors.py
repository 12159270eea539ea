"""The one exception that means: the caller can mend this."""

from __future__ import annotations


class UserError(Exception):
    """Wrong input or surroundings; the message names what, the value, and the remedy in one line.

    The command line prints it on stderr without a traceback and exits with 2.
    """
