"""framelens in memory, in a process of its own: ``python -m benchmarks.ours kernel|column FILE.jsonl``.

``kernel`` scores an Arrow column with the fused kernel; ``column`` cleans it before, as every prediction
does. The clock starts when the column is in memory and the kernel loaded. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time


def main(mode: str, path: str) -> None:
    """Measure one pass."""
    import pyarrow as pa
    from pyarrow import json as pj

    from framelens import load
    from framelens.features.arrow import score_arrow

    schema = pa.schema([("text", pa.large_string())])
    options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    column = pj.read_json(path, parse_options=options)["text"].combine_chunks()
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    model = load()
    model.answer_column(chunks[0].slice(0, 64))
    score_arrow([chunks[0].slice(0, 64)], model.artifact.linear)
    started, computed = time.perf_counter(), time.process_time()
    if mode == "kernel":
        score_arrow(chunks, model.artifact.linear)
    else:
        model.answer_column(column)
    seconds, cpu = time.perf_counter() - started, time.process_time() - computed
    json.dump({"seconds": seconds, "cpu": cpu}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
