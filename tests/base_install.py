"""Run by a Python that has the base install alone: the package answers offline, without the training stack.

Not a test that pytest collects: ``.ci/run`` starts it, outside the checkout, with an interpreter of its own.

    python tests/base_install.py
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# Invented.
ARTICLE = (
    "The governor of the coastal province said on Tuesday that the new bridge would open before the end of "
    "the month, although engineers had warned that two of its pillars needed further work.\n"
    "Residents of the fishing village of Marrow Point, who have waited for nine years, were doubtful. "
    '"We have heard this every spring," said Ada Quill, who sells bread beside the ferry landing.\n'
    "The builder did not answer questions about the delay. It was unclear whether the inspectors, who had "
    "been due to publish their findings last week, would do so before the ceremony.\n"
)
STACK = (
    *("sklearn", "pandas", "scipy", "mlflow", "matplotlib", "joblib", "skops", "datasketch", "zstandard"),
    "framelens_train",
)
# Installed with the base install because the wheel holds both packages, but never imported by it.
IN_THE_WHEEL = ("framelens_train",)
PROGRAM = "import sys; from framelens.cli import main; sys.exit(main())"
# A name looked up or a connection made is an error from the first line on.
OFFLINE = """
import socket, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"):
        raise RuntimeError(f"the network was asked for: {event} {arguments}")
sys.addaudithook(refuse)
"""
LIBRARY = """
import json
import framelens
assert "numpy" not in sys.modules, "import framelens imports numpy"
prediction = framelens.predict(ARTICLE, title="A bridge is late")
assert prediction.label in ("state", "independent", "abstain"), prediction
assert 0 <= prediction.p_state <= 1, prediction
assert prediction.words > 80, prediction
explained = framelens.explain(ARTICLE, title="A bridge is late")
assert explained.prediction == prediction, (explained.prediction, prediction)
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & set(STACK), f"imported: {sorted(loaded & set(STACK))}"
assert "numba" not in loaded, "one short text waits for the compiler"
batch = framelens.predict_batch([ARTICLE] * 300)
assert len(batch) == 300
loaded = {name.partition(".")[0] for name in sys.modules}
assert "llvmlite" in loaded, "a batch is scored without the kernel"
assert not loaded & set(STACK), f"imported by a batch: {sorted(loaded & set(STACK))}"
assert abs(batch[0].score - framelens.predict(ARTICLE).score) < 1e-6, "kernel and reference differ"
print(json.dumps(prediction.to_dict()))
"""


def run(*arguments: str, code: str = PROGRAM, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run code, by default the program `framelens`, in a new process without a network."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", OFFLINE + code, *arguments],
        input=text, capture_output=True, text=True, check=False, timeout=300,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
    )  # fmt: skip


def expect(name: str, done: subprocess.CompletedProcess[str], code: int, *, err: str = "") -> str:
    """Standard output of what was run; a sentence and exit 1 where it did something else."""
    if done.returncode != code or (err and err not in done.stderr) or (code == 0 and done.stderr):
        said = f"{done.stdout[-500:]}\n{done.stderr[-2000:]}"
        sys.exit(f"{name}: exit {done.returncode} (expected {code}, with {err!r} on stderr)\n{said}")
    print(f"fine: {name}")
    return done.stdout


def check_surroundings() -> None:
    """The interpreter has framelens from a wheel, and nothing of the training stack."""
    found = [name for name in STACK if name not in IN_THE_WHEEL and importlib.util.find_spec(name)]
    if found:
        sys.exit(f"this is no base install: {', '.join(found)} is installed; use a fresh virtual environment")
    spec = importlib.util.find_spec("framelens")
    if spec is None or spec.origin is None:
        sys.exit("framelens is not installed; run `pip install .`")
    package = Path(spec.origin).parent
    if "site-packages" not in package.parts:
        sys.exit(f"framelens comes from {package}, not from an installed wheel; run outside the checkout")
    if not (package / "champion" / "manifest.json").is_file():
        sys.exit(f"{package} has no champion; promote one and commit model/framelens/champion/")
    files = importlib.metadata.files("framelens") or []
    names = {file.as_posix() for file in files}
    data = ("clean/rules.toml", "features/data/words.tsv", "champion/MODEL_CARD.md", "serve/page/index.html")
    for needed in ("py.typed", *data):
        if f"framelens/{needed}" not in names:
            sys.exit(f"the wheel lacks framelens/{needed}")
    strays = [n for n in names if n.split("/")[0] in ("tests", "seeds", "mlruns", "notebooks", "benchmarks")]
    if strays:
        sys.exit(f"the wheel holds {strays[0]}")
    size = sum(f.stat().st_size for f in (package / "champion").iterdir()) / 1e6
    if size > 30:
        sys.exit(f"the champion has {size:.0f} MB; it must stay under 30")
    print(f"fine: framelens {importlib.metadata.version('framelens')} from its wheel, champion {size:.1f} MB")


def main() -> None:
    """Go through everything; the first thing that is wrong ends it."""
    check_surroundings()
    constants = f"ARTICLE = {ARTICLE!r}\nSTACK = {STACK!r}\n"
    by_library = json.loads(expect("predict, explain and a batch, offline", run(code=constants + LIBRARY), 0))
    by_program = json.loads(
        expect(
            "framelens predict - --json",
            run("predict", "-", "--json", "--title", "A bridge is late", text=ARTICLE),
            0,
        )
    )
    if by_library != by_program:
        sys.exit(f"library and program differ: {by_library} {by_program}")
    with tempfile.TemporaryDirectory() as folder:
        article, rows, scored = (Path(folder) / name for name in ("a.txt", "rows.jsonl", "scored.jsonl"))
        article.write_text(ARTICLE, encoding="utf-8")
        rows.write_text(json.dumps({"id": "a", "text": ARTICLE}) + "\n", encoding="utf-8")
        expect("framelens predict FILE", run("predict", str(article)), 0)
        expect("framelens predict --explain", run("predict", str(article), "--explain"), 0)
        done = run("score", str(rows), "-o", str(scored))
        if done.returncode != 0 or len(scored.read_text(encoding="utf-8").splitlines()) != 1:
            sys.exit(f"framelens score: exit {done.returncode}\n{done.stderr}")
        print("fine: framelens score")
    shown = expect("framelens info", run("info"), 0)
    if "terms" not in shown:
        sys.exit(f"framelens info shows no card: {shown[:200]}")
    expect("framelens --help", run("--help"), 0)
    for command in ("train", "runs", "evaluate", "corpus"):
        arguments = {"corpus": ("stats",)}.get(command, ())
        done = run(command, *arguments)
        expect(f"framelens {command} names the extra", done, 2, err="pip install 'framelens[train]'")
        if done.stderr.count("\n") != 1 or done.stdout:
            sys.exit(f"framelens {command}: more than one line\n{done.stdout}{done.stderr}")
    print("fine: one line each")


if __name__ == "__main__":
    main()
