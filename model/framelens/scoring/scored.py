"""What `framelens score` wrote, read again: its p_state and reasons, and a column that was kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from framelens.abstain import REASONS
from framelens.errors import UserError
from framelens.scoring.score import OUTPUT_COLUMNS

BLOCK = 1 << 16
"""Rows that are looked at together."""


class ScoredRows(NamedTuple):
    """Some rows of a scored file.

    Attributes
    ----------
    kept
        The values of the wanted column, None where a row has none.
    p_state
        float64, shape (n,).
    reasons
        bool, shape (n, len(REASONS)).
    models
        Names and versions of the models that scored them.
    """

    kept: list[str | None]
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
        raise UserError(f"{path} has no {' and '.join(missing)}; give a file that `framelens score` wrote")
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
            yield _rows(*(batch.column(name).to_pylist() for name in wanted))


def _csv(path: Path, column: str) -> Iterator[ScoredRows]:
    import csv

    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    with path.open(encoding="utf-8", newline="") as file:
        wanted = _wanted(path, next(csv.reader(file), []), column)
    types = {column: pa.string(), "p_state": pa.float64(), "reasons": pa.string(), "model": pa.string()}
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    convert = arrow_csv.ConvertOptions(column_types=types, include_columns=wanted)
    with arrow_csv.open_csv(path, parse_options=parse, convert_options=convert) as reader:
        for batch in reader:
            kept, p_state, reasons, models = (batch.column(name).to_pylist() for name in wanted)
            yield _rows(kept, p_state, [why.split(";") if why else [] for why in reasons], models)


def _json_lines(path: Path, column: str) -> Iterator[ScoredRows]:
    import orjson

    with path.open("rb") as file:
        for lines in iter(lambda: list(islice(file, BLOCK)), []):
            rows = [orjson.loads(line) for line in lines]
            wanted = _wanted(path, list(rows[0]), column)
            yield _rows(*([row[name] for row in rows] for name in wanted))


def _rows(kept: list[Any], p_state: list[Any], reasons: list[list[str]], models: list[str]) -> ScoredRows:
    holds = np.zeros((len(kept), len(REASONS)), dtype=np.bool_)
    for row, why in enumerate(reasons):
        for reason in why:
            if reason not in REASONS:
                raise ValueError(f"a row abstains for {reason!r}, which is none of {', '.join(REASONS)}")
            holds[row, REASONS.index(reason)] = True
    p = np.array(p_state, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a row's p_state is no number from 0 to 1")
    names = [None if value is None or value == "" else str(value) for value in kept]
    return ScoredRows(names, p, holds, set(models))


_READERS = {".parquet": _parquet, ".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv}
