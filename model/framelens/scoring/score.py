"""The output's rows for a table of articles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from framelens.arrays import arrow_strings
from framelens.predictor import Model

if TYPE_CHECKING:
    import pyarrow as pa

OUTPUT_COLUMNS = ("id", "label", "p_state", "score", "reasons", "n_words", "model")


def kept_name(name: str) -> str:
    """What a kept column is called in the output: as in the input, unless an answer is called so."""
    return f"input_{name}" if name in OUTPUT_COLUMNS else name


def score_table(model: Model, table: pa.Table, kept: Sequence[str] = ()) -> pa.Table:
    """Score every row of a table.

    Parameters
    ----------
    table
        Columns ``id`` and ``text``, then those to keep, as in `framelens.scoring.rows.Rows`.
    kept
        The names of the kept columns.

    Returns
    -------
    pyarrow.Table
        A row for each: `OUTPUT_COLUMNS`, of the types string, string, double, double, list of string, int32
        and string, then the kept columns by `kept_name`.
    """
    import pyarrow as pa

    answers = model.answer_column(table.column(1).combine_chunks()).to_arrow()
    version = arrow_strings([f"{model.version.name} {model.version.version}"])[0]
    columns = [
        table.column(0),
        *(answers.column(name) for name in ("label", "p_state", "score", "reasons", "words")),
    ]
    columns += [pa.repeat(version, table.num_rows), *table.columns[2:]]
    return pa.Table.from_arrays(columns, names=[*OUTPUT_COLUMNS, *map(kept_name, kept)])
