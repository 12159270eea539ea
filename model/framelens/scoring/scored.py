"""What `framelens score` wrote, read again: its p_state and reasons, and a column that was kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from framelens.abstain import REASONS
from framelens.errors import UserError
from framelens.scoring.score import OUTPUT_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 1 << 16
"""Rows that are looked at together."""


class ScoredRows(NamedTuple):
    """Some rows of a scored file.

    Attributes
    ----------
    names, which
        Different values of the wanted column, and which of them each row has: int64, shape (n,), -1 for none.
    p_state
        float64, shape (n,).
    reasons
        bool, shape (n, len(REASONS)).
    models
        Names and versions of the models that scored them.
    """

    names: list[str]
    which: npt.NDArray[np.int64]
    p_state: npt.NDArray[np.float64]
    reasons: npt.NDArray[np.bool_]
    models: set[str]


def iterate_scored(path: Path, column: str) -> Iterator[ScoredRows]:
    """The rows of a scored file, or of the Parquet files of a folder, block by block.

    Parameters
    ----------
    column
        One that was kept.

    Raises
    ------
    UserError
        When the file cannot be read, is no scored file, or lacks the column.
    """
    import pyarrow as pa

    if path.is_dir():
        parts = sorted(path.glob("*.parquet"))
        if not parts:
            raise UserError(f"{path} holds no .parquet file; name a file that `framelens score` wrote")
        for part in parts:
            yield from iterate_scored(part, column)
        return
    try:
        reader = _READERS[path.suffix.lower()]
    except KeyError:
        raise UserError(f"{path} ends in none of {', '.join(_READERS)}, as scored files do") from None
    try:
        yield from reader(path, column)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; `framelens score` writes such files") from None
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        why = f"a row lacks {error}" if isinstance(error, KeyError) else getattr(error, "strerror", None)
        why = why or " ".join(str(error).split())
        raise UserError(f"{path} cannot be read as a scored file: {why:.200}; score it again") from None


def _wanted(path: Path, names: Sequence[str], column: str) -> list[str]:
    if missing := [name for name in _READ if name not in names]:
        raise UserError(f"{path} lacks {', '.join(missing)}; give a file that `framelens score` wrote")
    if column not in names:
        others = [name for name in names if name not in OUTPUT_COLUMNS]
        raise UserError(
            f"{path} has no column {column!r}; score with --keep {column}"
            + (f" (kept were {', '.join(others)})" if others else "")
        )
    return [column, *_READ]


_READ = ("p_state", "reasons", "model")


def _parquet(path: Path, column: str) -> Iterator[ScoredRows]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        wanted = _wanted(path, file.schema_arrow.names, column)
        for batch in file.iter_batches(batch_size=BLOCK, columns=wanted):
            yield _rows(*(batch.column(name) for name in wanted))


def _csv(path: Path, column: str) -> Iterator[ScoredRows]:
    import csv

    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as arrow_csv

    with path.open(encoding="utf-8", newline="") as file:
        wanted = _wanted(path, next(csv.reader(file), []), column)
    types = {column: pa.string(), "p_state": pa.float64(), "reasons": pa.string(), "model": pa.string()}
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    convert = arrow_csv.ConvertOptions(column_types=types, include_columns=wanted)
    with arrow_csv.open_csv(path, parse_options=parse, convert_options=convert) as reader:
        for batch in reader:
            kept, p_state, reasons, models = (batch.column(name) for name in wanted)
            yield _rows(kept, p_state, pc.split_pattern(reasons, ";"), models)


def _json_lines(path: Path, column: str) -> Iterator[ScoredRows]:
    import orjson
    import pyarrow as pa

    types = (pa.float64(), pa.list_(pa.string()), pa.string())
    with path.open("rb") as file:
        for lines in iter(lambda: list(islice(file, BLOCK)), []):
            rows = [orjson.loads(line) for line in lines]
            _, *ours = _wanted(path, list(rows[0]), column)
            kept = [None if row[column] is None else str(row[column]) for row in rows]
            columns = zip(ours, types, strict=True)
            others = [pa.array([row[name] for row in rows], kind) for name, kind in columns]
            yield _rows(pa.array(kept, pa.string()), *others)


def _rows(kept: pa.Array, p_state: pa.Array, reasons: pa.Array, models: pa.Array) -> ScoredRows:
    import pyarrow as pa
    import pyarrow.compute as pc

    kept = kept.cast(pa.string())
    named = pc.if_else(pc.equal(kept, ""), None, kept).dictionary_encode()
    which = pc.fill_null(named.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    p = p_state.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if not ((p >= 0) & (p <= 1)).all():  # a null is no number
        raise ValueError("a row's p_state is no number from 0 to 1")
    if reasons.null_count or models.null_count:
        raise ValueError("a row has no reasons or no model")
    holds = np.zeros((len(kept), len(REASONS)), dtype=np.bool_)
    given = reasons.flatten()
    row = np.repeat(np.arange(len(kept)), reasons.value_lengths().to_numpy(zero_copy_only=False))
    for reason in pc.unique(given).to_pylist():
        if reason:  # CSV has an empty one where there is none
            if reason not in REASONS:
                raise ValueError(f"a row abstains for {reason!r}, which is none of {', '.join(REASONS)}")
            holds[row[pc.equal(given, reason).to_numpy(zero_copy_only=False)], REASONS.index(reason)] = True
    return ScoredRows(named.dictionary.to_pylist(), which, p, holds, set(pc.unique(models).to_pylist()))


_READERS = {".parquet": _parquet, ".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv}
