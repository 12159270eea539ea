"""One model, many threads and processes: the answers are those of one thread, to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from framelens.predictor import KERNEL_FROM, Model

# Run in a process of its own, where nothing has been loaded or compiled yet. The articles are invented.
PROGRAM = '''
import faulthandler, multiprocessing, os, sys, threading
from concurrent.futures import ThreadPoolExecutor
faulthandler.dump_traceback_later(100, exit=True)  # a deadlock shows where it stands
import framelens

SAID = ("The minister stressed friendly cooperation. ", "Critics said they had concerns. ",
        '"We were arrested," said Ada Quill of Brondal. ', "The two sides had 12 meetings.\\n", "TEHRAN - ")
TEXTS = ["".join(SAID[(row * 7 + i * (row % 4 + 1)) % 5] for i in range(row % 23)) for row in range(320)]


def answers(model):
    """Everything that a model says, in a form that compares to the bit."""
    batch = model.predict_batch(TEXTS)
    columns = [batch.score.tobytes(), batch.p_state.tobytes(), batch.reasons.tobytes(), batch.words.tobytes()]
    single = [repr(model.predict(text).to_dict()) for text in TEXTS[:40]]
    return columns, single, [repr(model.explain(text).to_dict()) for text in TEXTS[:40:4]]


def in_child(_):
    return answers(MODEL or framelens.load(sys.argv[1]))


MODEL = None
'''
THREADS = """
def race(_):
    start.wait()  # all at the very first call: nothing may be half made when a second one comes
    return answers(MODEL)

MODEL = framelens.load(sys.argv[1])
start = threading.Barrier(16)
with ThreadPoolExecutor(16) as pool:
    found = list(pool.map(race, range(16)))
alone = answers(framelens.load(sys.argv[1]))
assert all(one == alone for one in found)
print("same")
"""
FORK = """
MODEL = framelens.load(sys.argv[1])
before = answers(MODEL)  # the kernel is loaded and its threads have run when the fork comes
with multiprocessing.get_context("fork").Pool(2) as pool:
    found = pool.map(in_child, range(4))
assert all(one == before for one in found)
assert answers(MODEL) == before
print("same")
"""
SPAWN = """
if __name__ == "__main__":
    alone = answers(framelens.load(sys.argv[1]))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(in_child, range(2))
    assert all(one == alone for one in found)
    print("same")
"""
DIGEST = """
import hashlib
print(hashlib.sha256(repr(answers(framelens.load(sys.argv[1]))).encode()).hexdigest())
"""


def run(code: str, folder: Path, tmp_path: Path, **environment: str) -> str:
    """Standard output of the program with `code` at its end."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM + code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(program), str(folder)],
        env=dict(os.environ) | environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("code", [THREADS, FORK, SPAWN], ids=["threads", "fork", "spawn"])
def test_threads_and_processes_answer_like_one_thread(model_folder: Path, tmp_path: Path, code: str) -> None:
    if code is FORK and not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    assert run(code, model_folder, tmp_path) == "same\n"


def test_every_process_gives_the_same_bits(model_folder: Path, tmp_path: Path) -> None:
    digests = {run(DIGEST, model_folder, tmp_path, PYTHONHASHSEED=seed) for seed in ("1", "2")}
    assert len(digests) == 1


def test_ten_thousand_texts_go_through_the_kernel_on_all_cores(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framelens.features import arrow
    from framelens.features.quick import QuickCounter

    pools = []

    class Pool(arrow.ThreadPoolExecutor):
        def __init__(self, threads: int) -> None:
            pools.append(threads)
            super().__init__(threads)

    monkeypatch.setattr(arrow, "cores", lambda: 3)
    monkeypatch.setattr(arrow, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(QuickCounter, "count", None)  # the engine for a few texts, were it asked, would fail
    unit = "The minister stressed cooperation, and critics said they had concerns about it. "
    texts = [unit * 5 * (row % 9) for row in range(10_000)]
    batch = model.predict_batch(texts)
    monkeypatch.undo()
    assert max(pools) == 3
    assert len(batch) == 10_000
    few = [model.predict(text) for text in texts[:9]]
    assert batch.score[:9].tolist() == pytest.approx([p.score for p in few], abs=1e-9)
    assert batch.score.tolist() == [batch.score[row % 9] for row in range(10_000)]
    assert len(texts) > KERNEL_FROM
