"""What a user would pick instead of framelens, each run as its own documentation says to run it fast.

A program of its own that imports nothing of this project, so that it can run in an environment where only
the opponents are installed:

    python benchmarks/opponents.py check
    python benchmarks/opponents.py prepare NAME FOLDER     # train and save; make the input of its format
    python benchmarks/opponents.py run NAME MODE FOLDER FILE.jsonl

`run` prints one JSON object: seconds, articles and bytes of text. Its clock starts after imports, after the
model is loaded and, in the mode ``memory``, after the input is in memory (``files``: JSON lines to Parquet),
which is in the opponents' favour: the clock of ``framelens score`` starts with its process.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CHUNK = 1000
"""Articles that are read, scored and written at a time."""
# ASCII letters to lower case, everything that is neither letter nor digit to a space, UTF-8 beyond ASCII kept
_PREPARED = bytes(c + 32 if 65 <= c <= 90 else c if c >= 128 or chr(c).isalnum() else 32 for c in range(256))


def prepared(text: str) -> bytes:
    """One line of lower-case words, as fastText and Vowpal Wabbit want it; the cheapest way there is."""
    return text.encode().translate(_PREPARED)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file of JSON lines."""
    import orjson

    with path.open("rb", buffering=1 << 20) as file:
        yield from map(orjson.loads, file)


def chunks(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Ids and texts."""
    ids: list[str] = []
    texts: list[str] = []
    for record in read(path):
        ids.append(record["id"])
        texts.append(record["text"])
        if len(ids) == CHUNK:
            yield ids, texts
            ids, texts = [], []
    if ids:
        yield ids, texts


class Parquet:
    """Ids and probabilities, written chunk by chunk."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa = pa
        self._schema = pa.schema([("id", pa.string()), ("p_state", pa.float64())])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, ids: list[str], p_state: Any) -> None:
        """Append a chunk."""
        self._writer.write_table(self._pa.table([ids, p_state], schema=self._schema))

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


class Opponent:
    """One way to label articles."""

    needs: tuple[str, ...] = ()
    modes: tuple[str, ...] = ("memory", "files")

    def prepare(self, folder: Path) -> None:
        """Train on ``train.jsonl`` in the folder."""
        raise NotImplementedError

    def load(self, folder: Path) -> None:
        """Import and read the model: outside the clock."""
        raise NotImplementedError

    def score(self, texts: Any) -> Any:
        """Probabilities of many texts."""
        raise NotImplementedError

    def ready(self, path: Path) -> Any:
        """What ``memory`` takes from the file before the clock starts."""
        return [record["text"] for record in read(path)]

    def memory(self, texts: Any) -> None:
        """Score what `ready` gave."""
        self.score(texts)

    def files(self, path: Path, output: Path) -> None:
        """From JSON lines to Parquet."""
        writer = Parquet(output)
        for ids, texts in chunks(path):
            writer.write(ids, self.score(texts))
        writer.close()

    def measure(self, mode: str, path: Path) -> dict[str, float]:
        """Seconds by the clock, and those that this process and its ended children computed."""
        output = path.with_suffix(".parquet")
        given = self.ready(path) if mode == "memory" else None
        started, computed = time.perf_counter(), sum(os.times()[:4])
        if mode == "memory":
            self.memory(given)
        else:
            self.files(path, output)
        seconds, cpu = time.perf_counter() - started, sum(os.times()[:4]) - computed
        output.unlink(missing_ok=True)
        return {"seconds": seconds, "cpu": cpu}


class ScikitLearn(Opponent):
    """The pipeline of the text tutorial; `assume_finite` is the user guide's advice for fast prediction."""

    needs = ("sklearn", "joblib")

    def __init__(self, ngrams: int, jobs: int = 1) -> None:
        self.ngrams, self.jobs = ngrams, jobs

    @property
    def _file(self) -> str:
        return f"sklearn-{self.ngrams}.joblib"

    def prepare(self, folder: Path) -> None:
        import joblib
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        if (folder / self._file).exists():
            return
        settings = json.loads((folder / "settings.json").read_text())
        vectorizer = TfidfVectorizer(
            ngram_range=(1, self.ngrams), max_features=settings["terms"], sublinear_tf=True, dtype=np.float32
        )
        pipeline = make_pipeline(vectorizer, LogisticRegression(C=1.0, max_iter=200))
        texts, topics = training(folder)
        joblib.dump(pipeline.fit(texts, topics), folder / self._file)

    def load(self, folder: Path) -> None:
        import joblib
        import sklearn

        sklearn.set_config(assume_finite=True)
        self.pipeline = joblib.load(folder / self._file)
        self.pipeline.predict_proba(["Warm up."])
        if self.jobs > 1:
            self.pool = joblib.Parallel(n_jobs=self.jobs, return_as="generator")
            list(self.pool(joblib.delayed(_state)(self.pipeline, ["Warm up."]) for _ in range(self.jobs)))

    def score(self, texts: Any) -> Any:
        return _state(self.pipeline, texts)

    def files(self, path: Path, output: Path) -> None:
        if self.jobs == 1:
            super().files(path, output)
            return
        import joblib

        writer = Parquet(output)
        waiting: list[list[str]] = []

        def work() -> Iterator[Any]:
            for ids, texts in chunks(path):
                waiting.append(ids)
                yield joblib.delayed(_state)(self.pipeline, texts)

        for p_state in self.pool(work()):
            writer.write(waiting.pop(0), p_state)
        writer.close()


def _state(pipeline: Any, texts: list[str]) -> Any:
    return pipeline.predict_proba(texts)[:, 1]


class FastText(Opponent):
    """The settings with which the tutorial scales up; `predict` with a list stays in C++ for all lines."""

    needs = ("fasttext",)
    modes = ("memory",)

    def prepare(self, folder: Path) -> None:
        import fasttext

        lines = folder / "train.fasttext"
        texts, topics = training(folder)
        with lines.open("wb") as out:
            pairs = zip(topics, texts, strict=True)
            out.writelines(b"__label__%d %b\n" % (topic, prepared(text)) for topic, text in pairs)
        model = fasttext.train_supervised(
            input=str(lines), wordNgrams=2, bucket=200_000, dim=50, loss="hs", epoch=5, lr=0.5, verbose=0
        )
        model.save_model(str(folder / "fasttext.bin"))

    def load(self, folder: Path) -> None:
        import fasttext

        self.model = fasttext.load_model(str(folder / "fasttext.bin"))

    def ready(self, path: Path) -> Any:
        return [prepared(record["text"]).decode() for record in read(path)]

    def score(self, texts: Any) -> Any:
        return self.model.predict(texts)


class VowpalWabbit(Opponent):
    """The command line's driver, called through its Python package: one thread parses, one predicts.

    In memory it reads its own format from a file (which the page cache holds); from JSON lines a second
    process converts and writes into a pipe meanwhile.
    """

    needs = ("vowpalwabbit",)

    def __init__(self, ngrams: int) -> None:
        self.ngrams = ngrams

    def _model(self, folder: Path) -> str:
        return str(folder / f"vw-{self.ngrams}.model")

    def prepare(self, folder: Path) -> None:
        from vowpalwabbit import Workspace

        lines = folder / "train.vw"
        texts, topics = training(folder)
        with lines.open("wb") as out:
            pairs = zip(topics, texts, strict=True)
            out.writelines(b"%d |t %b\n" % (2 * topic - 1, prepared(text)) for topic, text in pairs)
        options = f"--loss_function logistic --link logistic --ngram {self.ngrams} --quiet"
        Workspace(f"-d {lines} {options} -f {self._model(folder)}").finish()

    def load(self, folder: Path) -> None:
        import vowpalwabbit

        self._workspace, self._folder = vowpalwabbit.Workspace, folder

    def _predict(self, data: str, predictions: Path) -> None:
        model = self._model(self._folder)
        self._workspace(f"-t -i {model} -d {data} -p {predictions} --quiet").finish()

    def ready(self, path: Path) -> Any:
        source = path.with_suffix(".vw")
        if not source.exists():
            with source.open("wb") as out:
                out.writelines(b"|t %b\n" % prepared(record["text"]) for record in read(path))
        source.read_bytes()  # into the page cache
        return source

    def memory(self, texts: Any) -> None:
        self._predict(str(texts), texts.with_suffix(".predictions"))

    def files(self, path: Path, output: Path) -> None:
        import numpy as np

        pipe, ids, predictions = (path.with_suffix(f".{name}") for name in ("pipe", "ids", "predictions"))
        for old in (pipe, ids, predictions):
            old.unlink(missing_ok=True)
        os.mkfifo(pipe)
        child = os.fork()
        if child == 0:
            with pipe.open("wb", buffering=1 << 20) as out, ids.open("w") as names:
                for record in read(path):
                    names.write(record["id"] + "\n")
                    out.write(b"|t " + prepared(record["text"]) + b"\n")
            os._exit(0)
        self._predict(str(pipe), predictions)
        _, status = os.waitpid(child, 0)
        if status:
            raise SystemExit("the conversion failed")
        writer = Parquet(output)
        writer.write(ids.read_text().split(), np.loadtxt(predictions, ndmin=1))
        writer.close()


class Spacy(Opponent):
    """A blank pipeline with the bag-of-words classifier and `nlp.pipe`.

    In one process: with two it ships whole documents between them, and takes six times as long.
    """

    needs = ("spacy",)
    modes = ("memory",)

    def prepare(self, folder: Path) -> None:
        import spacy
        from spacy.training import Example

        nlp = spacy.blank("en")
        architecture = {
            "@architectures": "spacy.TextCatBOW.v3",
            "exclusive_classes": True,
            "length": 262144,
            "ngram_size": 1,
            "no_output_layer": False,
        }
        textcat = nlp.add_pipe("textcat", config={"model": architecture})
        texts, topics = training(folder)
        examples = []
        for topic, text in list(zip(topics, texts, strict=True))[:300]:
            cats = {"state": float(topic), "independent": 1.0 - topic}
            examples.append(Example.from_dict(nlp.make_doc(text), {"cats": cats}))
        for label in ("state", "independent"):
            textcat.add_label(label)
        optimizer = nlp.initialize(lambda: examples)
        for start in range(0, len(examples), 50):
            nlp.update(examples[start : start + 50], sgd=optimizer)
        nlp.to_disk(folder / "spacy")

    def load(self, folder: Path) -> None:
        import spacy

        self.nlp = spacy.load(folder / "spacy")

    def score(self, texts: Any) -> Any:
        return [doc.cats["state"] for doc in self.nlp.pipe(texts, batch_size=128)]


OPPONENTS: dict[str, Callable[[], Opponent]] = {
    "sklearn-2": lambda: ScikitLearn(2),
    "sklearn-3": lambda: ScikitLearn(3),
    "sklearn-2-jobs": lambda: ScikitLearn(2, len(os.sched_getaffinity(0))),
    "fasttext": FastText,
    "vw-2": lambda: VowpalWabbit(2),
    "vw-3": lambda: VowpalWabbit(3),
    "spacy": Spacy,
}


def training(folder: Path) -> tuple[list[str], list[int]]:
    """Texts and topics to train on."""
    records = list(read(folder / "train.jsonl"))
    return [record["text"] for record in records], [record["topic"] for record in records]


_DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def check() -> dict[str, dict[str, Any]]:
    """Of each opponent, its versions, or the module that is missing."""
    found = {}
    for name, make in OPPONENTS.items():
        needs = ("orjson", "pyarrow", *make().needs)
        missing = None
        for module in needs:
            try:
                importlib.import_module(module)
            except ImportError:
                missing = module
                break
        package = _DISTRIBUTIONS.get(needs[2], needs[2])
        version = None if missing else f"{package} {importlib.metadata.version(package)}"
        found[name] = {"missing": missing, "version": version}
    return found


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check")
    for command in ("prepare", "run"):
        sub = commands.add_parser(command)
        sub.add_argument("name", choices=OPPONENTS)
        if command == "run":
            sub.add_argument("mode", choices=("memory", "files"))
        sub.add_argument("folder", type=Path)
        if command == "run":
            sub.add_argument("file", type=Path)
    given = parser.parse_args()
    if given.command == "check":
        json.dump(check(), sys.stdout)
        return
    opponent = OPPONENTS[given.name]()
    if given.command == "prepare":
        opponent.prepare(given.folder)
        return
    opponent.load(given.folder)
    json.dump(opponent.measure(given.mode, given.file), sys.stdout)


if __name__ == "__main__":
    main()
