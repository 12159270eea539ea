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
        From `read` and `readinto`, where the file cannot be read any further; what was before that was handed
        out.
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
        self._piece = rows.BLOCK_BYTES
        if packing:
            self._in, self._piece = (
                self._open.enter_context(pa.CompressedInputStream(self._raw, packing)),
                _PIECE,
            )

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; less only at the end, and before an error."""
        if self._error is not None:
            raise self._error
        room, filled = memoryview(buffer), 0
        while filled < len(room):
            try:
                read = self._in.readinto(room[filled : filled + self._piece])
            except (OSError, ValueError) as error:
                if not filled:
                    raise
                self._error = error
                break
            if not read:
                break
            filled += read
        return filled

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
        The lines with their ends, until the next are asked for; None for a line that is too long.
    end
        The offset of the next byte in what is read.
    error
        What keeps the rest from being read; `content` is then what came before, but for the broken line.
    """

    content: memoryview | None
    end: int
    error: Exception | None = None


def line_blocks(stream: Stream, offset: int = 0) -> Iterator[Lines]:
    """The stream's lines in blocks of about `rows.BLOCK_BYTES`; larger where a line is long.

    Parameters
    ----------
    offset
        Where the stream stands.
    """
    buffer, filled = bytearray(2 * rows.BLOCK_BYTES), 0  # with what no end was found for yet
    while True:
        if len(buffer) < filled + rows.BLOCK_BYTES:
            buffer = _grown(buffer, 2 * filled + rows.BLOCK_BYTES)
        try:
            read = stream.readinto(memoryview(buffer)[filled : filled + rows.BLOCK_BYTES])
        except (OSError, ValueError) as failure:
            yield Lines(memoryview(b""), offset, failure)
            return
        cut = buffer.rfind(b"\n", filled, filled + read) + 1
        filled += read
        if read and not cut:
            if filled > rows.LONGEST_LINE:
                rest, length = _skip_line(stream, filled)
                offset += length
                yield Lines(None, offset)
                buffer, filled = _grown(rest, 2 * rows.BLOCK_BYTES), len(rest)
            continue
        cut = cut if read else filled
        if cut:
            offset += cut
            yield Lines(memoryview(buffer)[:cut], offset)
        if not read:
            return
        filled -= cut
        buffer[:filled] = buffer[cut : cut + filled]


def _grown(content: bytes | bytearray, size: int) -> bytearray:
    larger = bytearray(size)
    larger[: len(content)] = content
    return larger


def _skip_line(stream: Stream, length: int) -> tuple[bytes, int]:
    """Read over the rest of a line; what was read after it, and how long the line was with its end."""
    while chunk := stream.read(rows.BLOCK_BYTES):
        cut = chunk.find(b"\n") + 1
        if cut:
            return chunk[cut:], length + cut
        length += len(chunk)
    return b"", length
