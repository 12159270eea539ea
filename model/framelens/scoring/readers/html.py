"""The article's text of web pages, by resiliparse: here, or on all cores in processes of their own.

Processes, because the extraction holds Python's lock, a page may crash it, and it has grown in memory over
long runs: after `BATCHES_OF_A_PROCESS` batches new processes take over.
"""

from __future__ import annotations

import codecs
import importlib.util
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from framelens.errors import UserError

BATCHES_OF_A_PROCESS = 256
LONGEST_PAGE = 16 << 20
"""Bytes; a longer page is no article."""
DEEPEST_PAGE = 2000
"""Elements within elements; the time that extraction takes grows with the square of it, up to minutes."""

_T = TypeVar("_T")


class Page(NamedTuple):
    """A page as it was sent.

    Attributes
    ----------
    charset
        What the server said of its encoding, if anything.
    """

    content: bytes
    charset: str | None = None


class Extracted(NamedTuple):
    """An article's text, or the reason why there is none."""

    text: str | None
    reason: str = ""


class Batch(NamedTuple, Generic[_T]):
    """Some pages, and what their reader needs to know of them."""

    about: _T
    pages: list[Page]


def require_dumps() -> None:
    """Raise a `UserError` where the extra is missing."""
    for name in ("fastwarc", "resiliparse"):
        if importlib.util.find_spec(name) is None:
            raise UserError(
                f"reading HTML and WARC needs {name}, which is not installed: pip install 'framelens[dumps]'"
            )


def extract(page: Page) -> Extracted:
    """The main content as paragraphs, without navigation, comments and what stands for pictures."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    if len(page.content) > LONGEST_PAGE:
        return Extracted(None, f"the page is longer than {LONGEST_PAGE >> 20} MB")
    try:
        encoding = page.charset if _is_known(page.charset) else None
        encoding = encoding or detect_encoding(page.content, from_html_meta=True)
        html = bytes_to_str(page.content, encoding or "utf-8")
        if _may_be_deep(page.content) and _depth(html) > DEEPEST_PAGE:
            return Extracted(None, f"the page's elements are nested more than {DEEPEST_PAGE:,} deep")
        text = extract_plain_text(
            html, main_content=True, alt_texts=False, comments=False, list_bullets=False
        )
        text.encode()
    except Exception as error:  # whatever a library makes of a broken page, the other pages go on
        return Extracted(None, f"no text could be extracted from the page: {' '.join(str(error).split())}")
    text = text.strip()
    return Extracted(text) if text else Extracted(None, "the page holds no article text")


def _is_known(charset: str | None) -> bool:
    try:
        return bool(charset and codecs.lookup(charset.strip(" \"';")))
    except LookupError:
        return False


def _may_be_deep(content: bytes) -> bool:
    """Whether more tags are open at once than may be, if none of them ends by itself as ``<br>`` does."""
    data = np.frombuffer(content, dtype=np.uint8)
    after = data[np.flatnonzero(data[:-1] == ord("<")) + 1]
    steps = (after | 32 >= ord("a")) & (after | 32 <= ord("z"))
    open_tags = np.cumsum(steps.astype(np.int32) - (after == ord("/")))
    return int(open_tags.max(initial=0) - open_tags.min(initial=0)) > DEEPEST_PAGE


def _depth(html: str) -> int:
    """How deep the elements of a page are nested."""
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(html)
    node: Any = tree.document
    depth = deepest = 0
    while node is not None:
        if node.first_child is not None:
            node, depth = node.first_child, depth + 1
            deepest = max(deepest, depth)
            continue
        while node is not None and node.next is None:
            node, depth = node.parent, depth - 1
        node = node.next if node is not None else None
    return deepest


def extract_all(pages: list[Page]) -> list[Extracted]:
    """One for each page."""
    return [extract(page) for page in pages]


def extracted(batches: Iterator[Batch[_T]], processes: int) -> Iterator[tuple[Batch[_T], list[Extracted]]]:
    """Every batch with its texts, in order; processes are started, if any, once there is a second batch."""
    for batch in batches:
        yield batch, extract_all(batch.pages)
        if processes:
            break
    workers = _Workers(processes)
    waiting: deque[tuple[Batch[_T], Future[list[Extracted]]]] = deque()
    try:
        for batch in batches:
            waiting.append((batch, workers.submit(batch.pages)))
            while len(waiting) > 2 * processes:
                done, future = waiting.popleft()
                yield done, workers.result(future, done.pages)
        while waiting:
            done, future = waiting.popleft()
            yield done, workers.result(future, done.pages)
    finally:
        workers.close()


class _Workers:
    """Processes that are replaced from time to time, and when a page has crashed them."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None  # until there is a page

    def _begin(self) -> ProcessPoolExecutor:
        import multiprocessing

        spawn = multiprocessing.get_context("spawn")  # the threads of this process do not survive a fork
        self._pool = ProcessPoolExecutor(self._processes, mp_context=spawn)
        self._left = BATCHES_OF_A_PROCESS * self._processes
        return self._pool

    def submit(self, pages: list[Page]) -> Future[list[Extracted]]:
        future: Future[list[Extracted]] = Future()
        if not pages:
            future.set_result([])
            return future
        if self._pool is None:
            self._begin()
        elif self._left == 0:
            self._pool.shutdown(wait=False)  # once its batches are done
            self._begin()
        assert self._pool is not None
        self._left -= 1
        try:
            return self._pool.submit(extract_all, pages)
        except BrokenProcessPool as error:  # `result` will see to the batch
            future.set_exception(error)
            return future

    def result(self, future: Future[list[Extracted]], pages: list[Page]) -> list[Extracted]:
        """The batch's texts; the pages of one that did not survive are tried one by one."""
        try:
            return future.result()
        except BrokenProcessPool:
            return [self._alone(page) for page in pages]

    def _alone(self, page: Page) -> Extracted:
        for _ in range(2):  # the first time it may be another batch that broke the processes
            try:
                return (self._pool or self._begin()).submit(extract_all, [page]).result()[0]
            except BrokenProcessPool:
                self._pool = None
        return Extracted(None, "the page crashed the extraction of its text")

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
