"""Reading marks: how state-like a reader found the framing of an article, from 0 to 100.

A mark is not a label. It says nothing of who controls the outlet; it was given by reading the article alone,
without its outlet, owner or label. The owner ensemble learns from how marks differ *within* outlets
(`framelens_train.owner_ensemble.reading_direction`): there, neither dialect nor house style can stand in
for framing, though subject still can. `seeds/README.md` says who read, what was asked, and how well readings
agree.

Marks lie beside a corpus in `marks.parquet`, by article id, so a corpus that is built anew keeps them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens.errors import UserError
from framelens_train.corpus import storage

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("id", "mark")
HIGHEST = 100


def marks_of(articles: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Mark of each article, NaN where none was given; float64, shape (n,), 0 to `HIGHEST`."""
    if "mark" not in articles:
        return np.full(len(articles), np.nan)
    return articles["mark"].to_numpy(dtype=np.float64)


def read_marks(folder: Path, ids: pd.Series) -> npt.NDArray[np.float64]:
    """Marks of a seeds folder that has some, for these articles; NaN for those that were not read.

    Raises
    ------
    UserError
        When the file is missing, not readable, or without the columns `COLUMNS`.
    """
    path = folder / storage.MARKS
    table = storage.read_table(path)
    if tuple(table.column_names) != COLUMNS:
        raise UserError(
            f"{path}: its columns are {', '.join(table.column_names)}; expected {', '.join(COLUMNS)}: "
            "fetch it again, or write it with `framelens corpus mark`"
        )
    known = dict(zip(table["id"].to_pylist(), table["mark"].to_pylist(), strict=True))
    return np.array([known.get(name, np.nan) for name in ids], dtype=np.float64)


def add_marks(folder: Path, path: Path) -> dict[str, Any]:
    """Put the marks of a CSV file (`COLUMNS`) beside a seeds folder's articles and into its manifest.

    Marks that the folder had before are replaced.

    Returns
    -------
    dict
        ``marked`` and ``articles``: how many articles have a mark now, of how many.

    Raises
    ------
    UserError
        When the file is not readable, lacks a column, or a row has an unknown id, an id that stood in a row
        before, or a mark that is no whole number from 0 to `HIGHEST`. Nothing is written then.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    manifest = storage.read_manifest(folder)
    ids = storage.read_table(folder / "articles.parquet")["id"].to_pylist()
    marks = _checked(path, set(ids))
    ordered = [name for name in ids if name in marks]
    table = pa.table({"id": ordered, "mark": pa.array([marks[name] for name in ordered], type=pa.int8())})
    part = folder / f".{storage.MARKS}.part"
    pq.write_table(table, part, compression="zstd", compression_level=15, write_statistics=False)
    part.replace(folder / storage.MARKS)
    manifest["sha256"][storage.MARKS] = storage.file_sha256(folder / storage.MARKS)
    storage.write_manifest(folder, manifest)
    return {"marked": len(ordered), "articles": len(ids)}


def _checked(path: Path, ids: set[str]) -> dict[str, int]:
    import pandas as pd

    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; name a CSV file with the columns id and mark") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable CSV file ({error})") from None
    missing = [name for name in COLUMNS if name not in rows]
    if missing:
        raise UserError(f"{path}: no column {missing[0]!r}; marks need the columns id and mark")
    marks: dict[str, int] = {}
    for number, (name, mark) in enumerate(zip(rows["id"], rows["mark"], strict=True), 2):
        if name not in ids:
            raise UserError(f"{path}, line {number}: no article has the id {name!r}; leave the row out")
        if name in marks:
            raise UserError(f"{path}, line {number}: {name!r} was marked in a line before; keep one of them")
        if not (mark.isascii() and mark.isdigit() and int(mark) <= HIGHEST):
            raise UserError(
                f"{path}, line {number}: mark is {mark!r}, must be a whole number from 0 to {HIGHEST}"
            )
        marks[name] = int(mark)
    if not marks:
        raise UserError(f"{path}: no row; marks need at least one")
    return marks


def findings(folder: Path) -> list[str]:
    """What is wrong with a folder's marks, for `framelens corpus verify`; empty when sound or when none.

    A mark of an article that the corpus does not hold is unused and no fault: a rebuild may have left it out.
    """
    path = folder / storage.MARKS
    if not path.is_file():
        return []
    table = storage.read_table(path)
    if tuple(table.column_names) != COLUMNS:
        return [f"{storage.MARKS}: its columns are {', '.join(table.column_names)}, not {', '.join(COLUMNS)}"]
    seen, found = set[str](), []
    for number, (name, mark) in enumerate(
        zip(table["id"].to_pylist(), table["mark"].to_pylist(), strict=True), 1
    ):
        where = f"{storage.MARKS}, row {number} ({name})"
        if name in seen:
            found.append(f"{where}: the id stands in a row before")
        seen.add(name)
        if mark is None or not 0 <= mark <= HIGHEST:
            found.append(f"{where}: mark is {mark}, must be from 0 to {HIGHEST}")
    return found
