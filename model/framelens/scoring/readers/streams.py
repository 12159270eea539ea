"""Bytes of a file or of standard input, decompressed, and cut into blocks of whole lines."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from framelens.scoring import rows
from framelens.scoring.sources import PACKINGS, Source

if TYPE_CHECKING:
    import pyarrow as pa

_PIECE = 1 << 16
"""What is decompressed at a time: so much at most is lost where an archive breaks off."""


class Stream(io.RawIOBase):
    """A source opened for reading from its beginning to its end.

    Raises
    ------
    OSError, ValueError
        From `read`, where the file cannot be read any further; everything before that was handed out.
    """

    def __init__(self, source: Source) -> None:
        import pyarrow as pa

        super().__init__()
        self._open = ExitStack()
        self._error: Exception | None = None
        packing = source.packing
        if source.path == "-":
            begun = _Begun(sys.stdin.buffer)
            packing = next((name for magic, name in PACKINGS.items() if begun.head.startswith(magic)), None)
            self._raw: pa.NativeFile = pa.PythonFile(begun, mode="r")
        else:
            self._raw = self._open.enter_context(pa.OSFile(source.path, mode="rb"))
        self._in: pa.NativeFile = self._raw
        self._piece = sys.maxsize
        if packing:
            self._in, self._piece = (
                self._open.enter_context(pa.CompressedInputStream(self._raw, packing)),
                _PIECE,
            )

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Called by Python's buffers."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; fewer only at the end, and before an error."""
        if self._error is not None:
            raise self._error
        pieces: list[bytes] = []
        left = size if size >= 0 else sys.maxsize
        while left:
            try:
                piece = self._in.read(min(left, self._piece))
            except (OSError, ValueError) as error:
                if not pieces:
                    raise
                self._error = error
                break
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def seek_to(self, offset: int) -> None:
        """Go to a byte of a file that is not compressed."""
        self._raw.seek(offset)

    @property
    def consumed(self) -> int:
        """Bytes read so far, as they lie on the disk."""
        return int(self._raw.tell())

    def close(self) -> None:
        """Close the file."""
        self._open.close()
        super().close()


class _Begun:
    """A stream whose first bytes were looked at."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.head = stream.read(4)
        self._left = self.head
        self._seen = 0

    def read(self, size: int) -> bytes:
        """The head, then the rest."""
        content = self._left[:size] or self._stream.read(size)
        self._left = self._left[size:]
        self._seen += len(content)
        return content

    def tell(self) -> int:
        """Bytes read so far."""
        return self._seen

    def close(self) -> None:
        """Standard input stays open."""


class Lines(NamedTuple):
    """Whole lines of a file, or one that is too long, of which nothing is kept.

    Attributes
    ----------
    content
        The lines with their ends; None for a line that is too long.
    end
        The offset of the next byte in what is read.
    error
        What keeps the rest from being read; `content` is then what came before, but for the broken line.
    """

    content: bytes | None
    end: int
    error: Exception | None = None


def line_blocks(stream: Stream, offset: int = 0) -> Iterator[Lines]:
    """The stream's lines in blocks of about `rows.BLOCK_BYTES`; larger where a line is long.

    Parameters
    ----------
    offset
        Where the stream stands.
    """
    pieces: list[bytes] = []  # of the line, or the lines, that no end was found for yet
    length, error = 0, None
    while error is None:
        try:
            chunk = stream.read(rows.BLOCK_BYTES)
        except (OSError, ValueError) as failure:
            yield Lines(b"", offset, failure)
            return
        cut = chunk.rfind(b"\n") + 1
        if chunk and not cut:
            pieces.append(chunk)
            length += len(chunk)
            if length > rows.LONGEST_LINE:
                rest, length = _skip_line(stream, length)
                offset += length
                yield Lines(None, offset)
                pieces, length = ([rest] if rest else []), len(rest)
            continue
        content = b"".join((*pieces, memoryview(chunk)[:cut]))
        pieces = [chunk[cut:]] if cut < len(chunk) else []
        length = len(chunk) - cut
        if content:
            offset += len(content)
            yield Lines(content, offset)
        if not chunk:
            return


def _skip_line(stream: Stream, length: int) -> tuple[bytes, int]:
    """Read over the rest of a line; what was read after it, and how long the line was with its end."""
    while chunk := stream.read(rows.BLOCK_BYTES):
        cut = chunk.find(b"\n") + 1
        if cut:
            return chunk[cut:], length + cut
        length += len(chunk)
    return b"", length
