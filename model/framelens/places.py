"""Where results go: found unfit before any work is done, not after."""

from __future__ import annotations

import os
from pathlib import Path

from framelens.errors import UserError


def require_place(path: Path) -> None:
    """Check that something can be written at a path, without writing anything.

    Raises
    ------
    UserError
        When something on the way there is a file, or a folder that may not be written to.
    """
    for folder in path.absolute().parents:
        if not folder.exists():
            continue
        if not folder.is_dir():
            raise UserError(f"cannot write {path}: {folder} is a file; choose a place in a folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(f"cannot write {path}: no permission to write in {folder}; choose another folder")
        return
