"""One run: rows in, scores out, in order and in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from framelens.errors import UserError
from framelens.features.arrow import cores
from framelens.predictor import Model
from framelens.scoring.readers import read_blocks
from framelens.scoring.rows import Block, Columns
from framelens.scoring.score import score_table
from framelens.scoring.sources import Source, find_sources
from framelens.scoring.writers import RejectsFile, check_output, moved_into_place, open_writer

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True)
class Counts:
    """What a run has done so far; `characters` are of the scored texts."""

    scored: int = 0
    rejected: int = 0
    characters: int = 0


class Watch:
    """Told how a run goes; the command line shows it."""

    def inputs(self, sources: list[Source]) -> None:
        """The run begins."""

    def read(self, file: int, size: int, counts: Counts) -> None:
        """Of input number `file`, from 0, `size` bytes are done."""


def score_files(
    model: Model,
    inputs: list[str],
    output: Path,
    columns: Columns = Columns(),  # noqa: B008 -- frozen
    *,
    max_rejects: int | None = None,
    watch: Watch | None = None,
) -> Counts:
    """Score every row of the inputs.

    Parameters
    ----------
    inputs
        Files, folders, patterns or ``-``, read one after the other.
    output
        Ends in one of `framelens.scoring.writers.ENDINGS`; has the columns id, label, p_state, score,
        reasons, n_words and model, in the order of the rows. Rows that cannot be scored go to
        ``OUTPUT.rejects.jsonl``.
    max_rejects
        Give up once more rows than this were rejected; None for never.

    Raises
    ------
    UserError
        When an input or the output cannot be used, or too many rows are rejected; nothing is left at
        `output` then.
    """
    ending = check_output(output)
    sources = find_sources(inputs)
    watch = watch or Watch()
    watch.inputs(sources)
    counts = Counts()
    with moved_into_place(output) as file:
        rejects = RejectsFile(output)
        try:
            writer = open_writer(ending, file)
            writer.write(no_rows(model, columns))  # an output without rows has columns all the same
            for number, block, table in _in_order(model, sources, columns):
                for reject in block.rejects:
                    rejects.add(reject.file, reject.row, reject.reason)
                    counts.rejected += 1
                    if max_rejects is not None and counts.rejected > max_rejects:
                        raise UserError(
                            f"more than {max_rejects} rows were rejected, the last one row {reject.row} of "
                            f"{reject.file}: {reject.reason}"
                        )
                if table is not None and block.rows is not None:
                    writer.write(table)
                    counts.scored += table.num_rows
                    counts.characters += block.rows.table.column(1).nbytes
                watch.read(number, block.size, counts)
            writer.close()
            rejects.finish()
        except BaseException:
            rejects.discard()
            raise
    return counts


def no_rows(model: Model, columns: Columns) -> pa.Table:
    """The output's columns."""
    import pyarrow as pa

    kept = {f"{i}": pa.array([], type=pa.string()) for i in range(len(columns.keep))}
    texts = pa.array([], type=pa.large_string())
    return score_table(
        model, pa.table({"id": pa.array([], type=pa.string()), "text": texts} | kept), columns.keep
    )


def _in_order(
    model: Model, sources: list[Source], columns: Columns
) -> Iterator[tuple[int, Block, pa.Table | None]]:
    """Blocks with their answers, in the order of the input, at most two a core at a time in the making."""
    waiting: deque[tuple[int, Block, Future[pa.Table | None]]] = deque()
    threads = cores()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for number, source in enumerate(sources):
                for block in read_blocks(source, columns):
                    waiting.append((number, block, pool.submit(_score, model, block, columns)))
                    while len(waiting) > 2 * threads:
                        at, done, future = waiting.popleft()
                        yield at, done, future.result()
            while waiting:
                at, done, future = waiting.popleft()
                yield at, done, future.result()
        finally:
            for *_, future in waiting:
                future.cancel()


def _score(model: Model, block: Block, columns: Columns) -> pa.Table | None:
    return score_table(model, block.rows.table, columns.keep) if block.rows is not None else None
