"""One run: rows in, scores out, in order, in constant memory, and kept as they come."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from framelens.arrays import empty_table
from framelens.errors import UserError
from framelens.features.arrow import cores
from framelens.predictor import Model
from framelens.scoring.checkpoint import Checkpoint, Counts, Journal, describe_run, locked
from framelens.scoring.kept import KeptTypes, convert, kept_types
from framelens.scoring.readers import read_blocks
from framelens.scoring.rows import Block, Columns, Position, Reject
from framelens.scoring.score import score_table
from framelens.scoring.sources import Source, find_sources
from framelens.scoring.writers import WRITERS, check_output

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Counts", "Watch", "score_files"]

PART_BYTES = 128 << 20
"""A part of the output is written once so much text is scored,"""
PART_OUTPUT_BYTES = 32 << 20
"""or so much output waits (kept columns may be long),"""
PART_REJECTS = 1 << 16
"""or so many rejects do,"""
PART_SECONDS = 20.0
"""or so much time has gone: no more than this is scored again after a run was killed."""


class Watch:
    """Told how a run goes; the command line shows it."""

    def begin(self, sources: list[Source], counts: Counts) -> None:
        """The run begins; `counts` are those of the run that it continues."""

    def read(self, file: int, size: int, counts: Counts) -> None:
        """Of input number `file`, from 0, `size` bytes are done."""


def score_files(
    model: Model,
    inputs: list[str],
    output: Path,
    columns: Columns = Columns(),  # noqa: B008 -- frozen
    *,
    resume: bool = False,
    max_rejects: int | None = None,
    watch: Watch | None = None,
) -> Counts:
    """Score every row of the inputs.

    Parameters
    ----------
    inputs
        Files, folders, patterns or ``-``, read one after the other.
    output
        Ends in one of `framelens.scoring.writers.WRITERS`; its columns are those of
        `framelens.scoring.score.score_table`, its rows in the order of the inputs. Rows that cannot be scored
        go to ``OUTPUT.rejects.jsonl``.
    resume
        Go on with what a run left in ``OUTPUT.partial``, if anything.
    max_rejects
        Give up once more rows than this were rejected; None for never.

    Raises
    ------
    UserError
        When an input or the output cannot be used, or too many rows are rejected. Nothing is at `output` then
        that was not there before, and what was scored is kept for `resume`.
    """
    ending = check_output(output)
    sources = find_sources(inputs)
    if any(source.path != "-" and output.exists() and output.samefile(source.path) for source in sources):
        raise UserError(f"{output} is an input, too; choose another output")
    types = kept_types(sources, columns)
    checkpoint = Checkpoint(output)
    try:
        with locked(checkpoint):
            checkpoint.begin(describe_run(sources, columns, ending, model.artifact.manifest), resume=resume)
            try:
                run = _Run(model, sources, columns, types, checkpoint, max_rejects, watch or Watch())
                run.score()
                _, join = WRITERS[ending]
                checkpoint.finish(lambda parts, file: join(parts, file, run.schema))
            except BaseException as error:
                if (told := _kept(checkpoint, error)) is error:
                    raise
                raise told from None
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror or error}") from None
    return checkpoint.journal.counts


def _kept(checkpoint: Checkpoint, error: BaseException) -> BaseException:
    """The error, with a word about what is kept."""
    if not checkpoint.journal.parts:
        return error
    kept = f"{checkpoint.journal.counts.scored:,} rows are kept: run it again with --resume to go on"
    if isinstance(error, UserError):
        return UserError(f"{error}; {kept}")
    if isinstance(error, OSError):
        return UserError(f"cannot write {checkpoint.output}: {error.strerror or error}; {kept}")
    if isinstance(error, KeyboardInterrupt):
        return KeyboardInterrupt(f"interrupted; {kept}")
    return error


class _Run:
    """The way from the last part that is kept to the end of the inputs."""

    def __init__(
        self,
        model: Model,
        sources: list[Source],
        columns: Columns,
        types: KeptTypes,
        checkpoint: Checkpoint,
        max_rejects: int | None,
        watch: Watch,
    ) -> None:
        self._model, self._sources, self._columns, self._types = model, sources, columns, types
        self._checkpoint, self._max_rejects, self._watch = checkpoint, max_rejects, watch
        self._write, _ = WRITERS[check_output(checkpoint.output)]
        self.schema = self._score_table(no_rows(types)).schema
        self._next = replace(checkpoint.journal, counts=replace(checkpoint.journal.counts))
        self._begin_part()

    def _begin_part(self) -> None:
        self._tables: list[pa.Table] = []
        self._waiting = 0  # bytes of these; summed anew for each block, many small files took quadratic time
        self._rejects: list[Reject] = []
        self._kept_bytes, self._begun = self._next.counts.bytes, time.monotonic()

    def score(self) -> None:
        """Score what is left, and keep it."""
        self._watch.begin(self._sources, replace(self._next.counts))
        for file, block, table in self._answers():
            self._add(file, block, table)
            self._watch.read(file, block.size, self._next.counts)
            if self._part_is_full():
                self._commit()
        self._next.file, self._next.position = len(self._sources), Position()
        if self._tables or self._rejects:
            self._commit()

    def _add(self, file: int, block: Block, table: pa.Table | None) -> None:
        counts = self._next.counts
        counts.passed += block.passed
        for reject in block.rejects:
            self._rejects.append(reject)
            counts.rejected += 1
            if self._max_rejects is not None and counts.rejected > self._max_rejects:
                raise UserError(
                    f"more than {self._max_rejects} rows were rejected, the last one row {reject.row} of "
                    f"{reject.file}: {reject.reason}"
                )
        if table is not None and block.rows is not None:
            self._tables.append(table)
            self._waiting += table.nbytes
            counts.scored += table.num_rows
            counts.bytes += block.rows.table.column(1).nbytes
        self._next.file, self._next.position = file, block.end

    def _part_is_full(self) -> bool:
        return (
            self._next.counts.bytes - self._kept_bytes >= PART_BYTES
            or self._waiting >= PART_OUTPUT_BYTES
            or len(self._rejects) >= PART_REJECTS
            or time.monotonic() - self._begun >= PART_SECONDS
        )

    def _commit(self) -> None:
        import pyarrow as pa

        table = pa.concat_tables([empty_table(self.schema), *self._tables])
        counts = replace(self._next.counts)
        journal = Journal(self._next.file, self._next.position, self._next.parts + 1, counts)
        self._checkpoint.commit(partial(self._write, table), self._rejects, journal)
        self._next.parts += 1
        self._begin_part()

    def _answers(self) -> Iterator[tuple[int, Block, pa.Table | None]]:
        """Blocks with their answers, in the order of the input, at most two a core at a time in the making.

        The kernel lets go of Python's lock: while threads score, this one reads, and writes what is done.
        """
        waiting: deque[tuple[int, Block, Future[pa.Table | None]]] = deque()
        threads = cores()
        with ThreadPoolExecutor(threads) as pool:
            try:
                for file, block in self._blocks():
                    waiting.append((file, block, pool.submit(self._score, block)))
                    while len(waiting) > 2 * threads:
                        at, done, future = waiting.popleft()
                        yield at, done, future.result()
                while waiting:
                    at, done, future = waiting.popleft()
                    yield at, done, future.result()
            finally:
                for *_, future in waiting:
                    future.cancel()

    def _blocks(self) -> Iterator[tuple[int, Block]]:
        """Every block that is not kept yet.

        A file without a column of text stops the run only if it is the first; later it is one reject.
        """
        first = self._next.file
        for file, source in enumerate(self._sources[first:], start=first):
            start = self._next.position if file == first else Position()
            try:
                for block in read_blocks(source, self._columns, start, processes=cores()):
                    yield file, block
            except UserError as error:
                if file == 0:
                    raise
                yield file, Block(None, (Reject(source.path, 1, str(error)),), Position(1), source.size)

    def _score(self, block: Block) -> pa.Table | None:
        return None if block.rows is None else self._score_table(convert(block.rows.table, self._types))

    def _score_table(self, table: pa.Table) -> pa.Table:
        return score_table(self._model, table, list(self._types))


def no_rows(types: KeptTypes) -> pa.Table:
    """The columns that are scored, empty."""
    import pyarrow as pa

    fields = [("id", pa.string()), ("text", pa.large_string()), *types.items()]
    return empty_table(pa.schema(fields))
