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
from framelens.predictor import Model, prepare
from framelens.scoring.readers import Article, Columns, Progress, Reject, check_inputs, read_rows
from framelens.scoring.writers import RejectsFile, check_output, moved_into_place, open_writer

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_CHARACTERS, BATCH_ROWS = 2 << 20, 4096
"""A batch ends at the first of these."""


@dataclass(slots=True)
class Counts:
    """What a run has done so far; `characters` are of the scored texts."""

    scored: int = 0
    rejected: int = 0
    characters: int = 0


class Watch:
    """Told how a run goes; the command line shows it."""

    def file(self, path: str) -> Progress:
        """A file begins; what it returns is called with the bytes read of it."""
        return lambda _: None

    def counts(self, counts: Counts) -> None:
        """A batch is written."""


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
        Files as `framelens.scoring.readers.read_rows` takes them, read one after the other.
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
    check_inputs(inputs)
    watch = watch or Watch()
    counts = Counts()
    with moved_into_place(output) as file:
        rejects = RejectsFile(output)
        try:
            writer = open_writer(ending, file)
            writer.write(score_batch(model, []))  # an output without rows has columns all the same
            for item in _in_order(model, _items(inputs, columns, watch)):
                if isinstance(item, Reject):
                    rejects.add(item.file, item.row, item.reason)
                    counts.rejected += 1
                    if max_rejects is not None and counts.rejected > max_rejects:
                        raise UserError(
                            f"more than {max_rejects} rows were rejected, the last one row {item.row} of "
                            f"{item.file}: {item.reason}"
                        )
                else:
                    table, characters = item
                    writer.write(table)
                    counts.scored += table.num_rows
                    counts.characters += characters
                watch.counts(counts)
            writer.close()
            rejects.finish()
        except BaseException:
            rejects.discard()
            raise
    return counts


def _items(inputs: list[str], columns: Columns, watch: Watch) -> Iterator[Article | Reject]:
    for path in inputs:
        yield from read_rows(path, columns, watch.file(path))


def _in_order(model: Model, items: Iterator[Article | Reject]) -> Iterator[tuple[pa.Table, int] | Reject]:
    """Scored batches, at most two a core at a time in the making; rejects where they come up."""
    waiting: deque[Future[tuple[pa.Table, int]]] = deque()
    threads = cores()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for batch in _batches(items):
                if isinstance(batch, Reject):
                    yield batch
                    continue
                waiting.append(pool.submit(_score, model, batch))
                while len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _batches(items: Iterator[Article | Reject]) -> Iterator[list[Article] | Reject]:
    batch: list[Article] = []
    characters = 0
    for item in items:
        if isinstance(item, Reject):
            yield item
            continue
        batch.append(item)
        characters += len(item.text)
        if characters >= BATCH_CHARACTERS or len(batch) >= BATCH_ROWS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _score(model: Model, articles: list[Article]) -> tuple[pa.Table, int]:
    return score_batch(model, articles), sum(len(article.text) for article in articles)


def score_batch(model: Model, articles: list[Article]) -> pa.Table:
    """The output's rows for some articles."""
    import pyarrow as pa

    answers = model.answer_cleaned(
        [prepare(article.text) for article in articles], engine="kernel"
    ).to_arrow()
    version = f"{model.version.name} {model.version.version}"
    return pa.table(
        {
            "id": pa.array([article.id for article in articles], type=pa.string()),
            "label": answers["label"],
            "p_state": answers["p_state"],
            "score": answers["score"],
            "reasons": answers["reasons"],
            "n_words": answers["words"],
            "model": pa.array([version] * len(articles), type=pa.string()),
        }
    )
