"""Reading takes no memory that grows with the file."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from framelens.scoring.readers import read_blocks
from framelens.scoring.rows import Columns
from framelens.scoring.sources import sniff


def test_parquet_that_was_read_is_let_go(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    file = tmp_path / "big.parquet"
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in range(60):
            texts = [base64.b64encode(rng.bytes(3000)).decode() for _ in range(100)]
            ids = [f"{group}-{i}" for i in range(100)]
            writer.write_table(pa.table([ids, texts], schema=schema), row_group_size=100)
    before, held, rows = pa.total_allocated_bytes(), 0, 0
    for block in read_blocks(sniff(str(file)), Columns()):
        assert block.rows is not None
        rows += block.rows.table.num_rows
        held = max(held, pa.total_allocated_bytes() - before)
    assert rows == 6000
    assert held < file.stat().st_size / 2
