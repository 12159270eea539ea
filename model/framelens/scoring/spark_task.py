"""What a task of the Spark engine does: read a part of the input, score it, say what cannot be scored."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from framelens.errors import UserError
from framelens.predictor import Model, load
from framelens.scoring.kept import KeptTypes, convert
from framelens.scoring.readers import read_blocks
from framelens.scoring.rows import LONGEST_LINE, Block, Columns, Names, Position, Reject, Rows
from framelens.scoring.score import OUTPUT_COLUMNS, kept_name, score_table
from framelens.scoring.sources import Source

if TYPE_CHECKING:
    import pyarrow as pa

NOTES = ("_file", "_row", "_reason", "_bytes", "_passed")
"""Columns for the run itself: where a rejected row was and why; bytes of an answer's text; how many parts of
a file were passed over. Each is null in the rows of the other two kinds."""
Batches = Iterator["pa.RecordBatch"]


@lru_cache(maxsize=2)
def _load_once(files: tuple[tuple[str, bytes], ...]) -> Model:
    with tempfile.TemporaryDirectory(prefix="framelens-model-") as folder:
        for name, content in files:
            (Path(folder) / name).write_bytes(content)
        return load(folder)


@dataclass(frozen=True)
class Worker:
    """What a task does: read, score, say what cannot be scored."""

    files: Any
    types: KeptTypes
    read: Callable[[Batches], Iterator[Block]]

    def __call__(self, batches: Batches) -> Batches:
        model = _load_once(tuple(sorted(self.files.value.items())))
        for block in self.read(batches):
            if block.rows is not None:
                yield from self._scored(model, block.rows).to_batches()
            if block.rejects:
                files, numbers, reasons = zip(*map(astuple, block.rejects), strict=True)
                yield self._noted({"_file": files, "_row": numbers, "_reason": reasons})
            if block.passed:
                yield self._noted({"_passed": [block.passed]})

    def _scored(self, model: Model, rows: Rows) -> pa.Table:
        import pyarrow.compute as pc

        answers = score_table(model, convert(rows.table, self.types), list(self.types))
        columns = dict(zip(answers.column_names, answers.columns, strict=True))
        return self._filled(columns | {"_bytes": pc.binary_length(rows.table.column(1))}, answers.num_rows)

    def _noted(self, columns: dict[str, Sequence[Any]]) -> pa.RecordBatch:
        return self._filled(columns, len(next(iter(columns.values())))).to_batches()[0]

    def _filled(self, columns: Mapping[str, Any], rows: int) -> pa.Table:
        """All columns of the job, those that are not given full of nulls, in one chunk."""
        import pyarrow as pa

        arrays = []
        for name, kind in self._kinds().items():
            column = columns.get(name)
            if column is None:
                arrays.append(pa.nulls(rows, kind))
            elif isinstance(column, pa.ChunkedArray):
                arrays.append(column.combine_chunks().cast(kind))
            else:
                arrays.append(pa.array(column, type=kind))
        return pa.table(arrays, names=list(self._kinds()))

    def _kinds(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        text, number, count = pa.string(), pa.float64(), pa.int64()
        answers = text, text, number, number, pa.list_(text), pa.int32(), text
        kept = {kept_name(name): kind for name, kind in self.types.items()}
        notes = text, count, text, count, count
        return dict(zip(OUTPUT_COLUMNS, answers, strict=True)) | kept | dict(zip(NOTES, notes, strict=True))


def read_paths(batches: Batches, groups: list[list[Source]], columns: Columns, first: str) -> Iterator[Block]:
    for batch in batches:
        for number in batch.column(0).to_pylist():
            for source in groups[number]:
                try:
                    yield from read_blocks(source, columns)
                except UserError as error:  # it has no column of text, which is the user's error in the first
                    if source.path == first:
                        raise
                    yield Block(None, (Reject(source.path, 1, str(error)),), Position(1), source.size)


def read_lines(batches: Batches, names: Names) -> Iterator[Block]:
    """Lines by the local engine's parser. Rows are counted from where a file was split, ``FILE@BYTE``."""
    import pyarrow as pa

    from framelens.scoring.readers.jsonl import parse

    at, before = ("", -1), 0
    for batch in batches:
        for file, start, stretch in _stretches(batch):
            if (file, start) != at:
                at, before = (file, start), 0
            name = f"{file}@{start}" if start else file
            lines = stretch.column(0).cast(pa.binary()).to_pylist()
            long = []
            for i, line in enumerate(lines):
                if len(line) > LONGEST_LINE:
                    why = f"the line is longer than {LONGEST_LINE >> 20} MB"
                    long.append(Reject(name, before + i + 1, why))
                    lines[i] = b""
            content = b"\n".join(lines)
            if not before and not start:
                content = content.removeprefix(b"\xef\xbb\xbf")
            rows, rejects, _ = parse(name, before, memoryview(content), names)
            before += len(lines)
            yield Block(rows, (*rejects, *long), Position(before), 0)


def read_parquet(batches: Batches, names: Names) -> Iterator[Block]:
    from framelens.scoring.readers.arrow import cut

    for batch in batches:
        for file, first, stretch in _stretches(batch, contiguous=True):
            yield from cut(file, stretch, names, first)


def _stretches(
    batch: pa.RecordBatch, *, contiguous: bool = False
) -> Iterator[tuple[str, int, pa.RecordBatch]]:
    """Rows of one file that stand together: its name, the value of the last column in the first row, and the
    rows. That column is the same in all of them, or counts on by one where they are `contiguous`.
    """
    import numpy as np

    if not batch.num_rows:
        return
    files = batch.column(batch.num_columns - 2).dictionary_encode()
    codes = files.indices.to_numpy()
    places = batch.column(batch.num_columns - 1).to_numpy()
    step = 1 if contiguous else 0
    cuts = np.flatnonzero((np.diff(codes) != 0) | (np.diff(places) != step)) + 1
    for first, last in zip([0, *cuts.tolist()], [*cuts.tolist(), batch.num_rows], strict=True):
        file = unquote(files.dictionary[int(codes[first])].as_py())
        yield (
            re.sub(r"^(\w+):/(?=[^/])", r"\1:///", file),
            int(places[first]),
            batch.slice(first, last - first),
        )
