"""What the documents show is true: commands exist, links lead somewhere, examples give what they say."""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import json
import math
import re
import shlex
import tokenize
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from click.testing import CliRunner

from framelens import predict
from framelens.cli import cli
from framelens.predictor import CHAMPION
from framelens_train.evaluate.table import answer_cells, answers_of

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    path
    for pattern in ("*.md", "docs/**/*.md", "seeds/*.md", "mlruns/*.md", "benchmarks/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]
FENCE = re.compile(r"^```[ ]*(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^```[ ]*$", re.M | re.S)
INLINE = re.compile(r"`(framelens [a-z][^`\n]*)`")
LINK = re.compile(r"(?:\]\(|(?:src|href|srcset)=[\"'])(?P<target>[^)\s\"']+)")
SHELL = {"", "bash", "sh", "shell", "console", "text"}
# Where articles, or the trees of whoever wrote a document, lie on a machine.
MACHINE = re.compile(r"(?<![\w.:/~-])/(?:root|work|tmp|opt|home|Users|mnt|private)/")


class Block(NamedTuple):
    """A fenced block: its document, the line it starts on, its language and its text."""

    document: Path
    line: int
    language: str
    body: str

    @property
    def place(self) -> str:
        """For a failed test."""
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks(document: Path) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    return [
        Block(document, text.count("\n", 0, m.start()) + 2, m["language"].lower(), m["body"])
        for m in FENCE.finditer(text)
    ]


def commands_in(body: str) -> list[list[str]]:
    """Arguments of every call of `framelens` in shell text; output and other programs are passed over."""
    found = []
    for line in body.replace("\\\n", " ").splitlines():
        try:
            lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="|&;<>()")
            lexer.whitespace_split = True
            words = list(lexer)
        except ValueError:  # an apostrophe in some output
            continue
        call: list[str] = []
        for word in [*words, ";"]:
            if set(word) <= set("|&;<>()"):
                while call and re.fullmatch(r"\w+=.*|docker|run|-it|--rm", call[0]):
                    call = call[1:]
                if call[:1] == ["framelens"] and len(call) > 1:
                    found.append(call[1:])
                call = []
            else:
                call.append(word)
    return found


def check_command(arguments: list[str]) -> None:
    """Parse as click does, without running anything; raise where a command or an option does not exist."""
    command: click.Command = cli
    context = click.Context(cli, info_name="framelens")
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name!r}"
        command = found
        context = click.Context(command, info_name=name, parent=context)
    if any("[" in word and "--" in word for word in arguments):  # a synopsis: only the names
        known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
        shown = re.findall(r"(?<![\w-])--?[a-z][\w-]*", " ".join(arguments))
        assert set(shown) <= known | {"--help"}
        return
    if "..." not in arguments:
        command.make_parser(context).parse_args(args=list(arguments))


def shown_commands() -> list[Any]:
    found = []
    for document in DOCUMENTS:
        for block in blocks(document):
            if block.language in SHELL:
                found += [(block.place, c) for c in commands_in(block.body)]
        prose = FENCE.sub("", document.read_text(encoding="utf-8"))
        found += [
            (str(document.relative_to(ROOT)), c) for m in INLINE.finditer(prose) for c in commands_in(m[1])
        ]
    return [pytest.param(c, id=f"{place} {' '.join(c)}"[:100]) for place, c in found]


@pytest.mark.parametrize("arguments", shown_commands())
def test_a_shown_command_exists_with_its_options(arguments: list[str]) -> None:
    try:
        check_command(arguments)
    except click.UsageError as error:
        pytest.fail(f"framelens {shlex.join(arguments)}: {error.format_message()}")


def test_a_wrong_command_would_be_found() -> None:
    for wrong in ("framelens prophesy", "framelens train --fast", "framelens predict [--jsonn]"):
        (arguments,) = commands_in(f"$ X=1 {wrong} | less   # as shown")
        with pytest.raises((AssertionError, click.UsageError)):
            check_command(arguments)


def test_the_readme_shows_the_way_in() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = {c[0] for b in blocks(ROOT / "README.md") for c in commands_in(b.body)}
    assert {"train", "predict"} <= shown
    assert "pip install" in text
    assert "pytest" in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    for match in LINK.finditer(text):
        target, _, anchor = match["target"].partition("#")
        if re.match(r"[a-z]+:|//", target):
            continue
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), f"{target} does not exist"
        assert path.is_relative_to(ROOT), f"{target} lies outside the repository"
        if anchor and path.suffix == ".md":
            assert anchor in headings(path), f"{target}#{anchor}: no such heading"


def headings(document: Path) -> set[str]:
    """Anchors of a document's headings, as GitHub makes them."""
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+[ ]+(.+?)[ ]*$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def python_examples() -> list[Any]:
    found = [b for d in DOCUMENTS for b in blocks(d) if b.language in ("python", "pycon")]
    ours = [b for b in found if re.match(r"(>>> )?(from framelens import|import framelens\n)", b.body)]
    return [pytest.param(b, id=b.place) for b in ours]


@pytest.mark.skipif(not CHAMPION.is_dir(), reason="no champion to ask; `framelens promote` makes one")
@pytest.mark.parametrize("block", python_examples())
def test_an_example_gives_what_it_says(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if ">>> " in block.body:
        test = doctest.DocTestParser().get_doctest(block.body, {}, block.place, None, block.line)
        told = io.StringIO()
        result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.write)
        assert result.failed == 0, told.getvalue()
    else:
        run_example(block.body)


def run_example(source: str) -> None:
    """Run statements one by one; where a comment behind an expression is a value, it must be that value.

    ``value  # -> anything`` must be what ``str`` or ``repr`` gives; floats agree to the digits shown.
    """
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    names: dict[str, Any] = {}
    for statement in ast.parse(source).body:
        comment = comments.get(statement.end_lineno or 0, "")
        if not isinstance(statement, ast.Expr):
            exec(compile(ast.Module([statement], []), "example", "exec"), names)
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            value = eval(compile(ast.Expression(statement.value), "example", "eval"), names)
        shown = printed.getvalue().strip() if printed.getvalue() else value
        assert agrees(shown, comment), f"{ast.unparse(statement)} gives {shown!r}, not {comment}"


def agrees(value: Any, comment: str) -> bool:
    exact = comment.startswith("-> ")
    comment = comment.removeprefix("-> ").strip()
    try:
        expected = ast.literal_eval(comment)
    except (SyntaxError, ValueError):
        return not exact or comment in (str(value), repr(value))
    if isinstance(expected, float):
        digits = len(comment.partition(".")[2])
        return math.isclose(float(value), expected, rel_tol=0, abs_tol=0.51 * 10**-digits)
    return str(value) == str(expected) if isinstance(value, str) else bool(value == expected)


@pytest.mark.parametrize(
    ("value", "comment", "fine"),
    [
        ("state", '"state"', True),
        ("state", '"independent"', False),
        (0.8251, "0.83", True),
        (0.8251, "0.84", False),
        ((), "()", True),
        (("too_short",), "()", False),
        ("x", "a word about it", True),
        ("x", "-> y", False),
        ([1, 2], "-> [1, 2]", True),
    ],
)
def test_a_wrong_example_would_be_found(value: object, comment: str, fine: bool) -> None:
    assert agrees(value, comment) == fine


def test_the_article_that_the_readme_explains_looks_so_in_the_terminal(tmp_path: Path) -> None:
    command = "$ framelens predict irrigation.txt --explain\n"
    (shown,) = (
        block.body.removeprefix(command)
        for block in blocks(ROOT / "README.md")
        if block.body.startswith(command)
    )
    article = tmp_path / "irrigation.txt"
    article.write_text(re.sub("[⁺⁻]", "", shown.split("\n\n")[1]), encoding="utf-8")
    answer = CliRunner(env={"COLUMNS": "120"}).invoke(cli, ["predict", str(article), "--explain"])
    printed = "\n".join(line.rstrip() for line in answer.stdout.splitlines())
    assert printed.startswith(shown.partition("...\n")[0]), printed


def test_the_outlets_that_the_readme_shows_are_those_of_its_articles(tmp_path: Path) -> None:
    (shown,) = (b.body for b in blocks(ROOT / "README.md") if "$ framelens outlets" in b.body)
    first, second, table = shown.split("\n", 2)
    scores = str(tmp_path / "scores.parquet")
    printed = ""
    for line in (first, second):
        (arguments,) = commands_in(line)
        moved = [scores if word == "scores.parquet" else word for word in arguments]
        moved = [str(ROOT / word) if word.startswith("docs/") else word for word in moved]
        answer = CliRunner(env={"COLUMNS": "120"}).invoke(cli, moved)
        assert answer.exception is None
        printed = answer.stdout
    assert [line.rstrip() for line in printed.rstrip().splitlines()][1:] == table.rstrip().splitlines()[1:]


def test_the_drawn_figures_are_the_champions() -> None:
    drawing = (ROOT / "docs" / "outlets.svg").read_text(encoding="utf-8")
    metrics = json.loads((CHAMPION / "manifest.json").read_text(encoding="utf-8"))["metrics"]
    rows = [metrics["protocols"]["owner_disjoint"], *metrics["outlets"]["owner_disjoint"]]
    found = re.findall(r">(0\.\d\d)</text>", drawing)
    assert found[-len(rows) :] == [f"{row['macro_f1']:.2f}" for row in rows]


def test_the_readme_s_figures_of_outlets_are_the_champions() -> None:
    metrics = json.loads((CHAMPION / "manifest.json").read_text(encoding="utf-8"))["metrics"]
    together = {name: {row["articles"]: row for row in rows} for name, rows in metrics["outlets"].items()}
    plain, countries = (metrics["baselines"][name]["outlets"][0] for name in ("bag_of_words", "countries"))
    expected = {
        "single articles": metrics["protocols"]["owner_disjoint"],
        "5 together": together["owner_disjoint"][5],
        "**20 together**": together["owner_disjoint"][20],
        "20 together, countries never seen either": together["country_disjoint"][20],
        "20 together, nothing but how often countries are named": countries,
        "20 together, plain bag of words": plain,
    }
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    shown = {cells[1].strip(): cells[2:-1] for line in lines if len(cells := line.split("|")) == 10}
    for title, row in expected.items():
        low, high = row["ci95"]
        cells = [
            f"{row['n']:,}",
            f"{row['macro_f1']:.2f}",
            f"{low:.2f} to {high:.2f}",
            f"{row['roc_auc']:.2f}",
        ]
        cells += [f"{row['ece']:.3f}", f"{row['worst_state_owner']['recall']:.2f}"]
        cells.append(f"{row['false_state_rate_nonwest']:.2f}")
        assert [cell.strip() for cell in shown[title]] == cells, title


def test_the_readme_s_figures_of_answers_are_the_champions() -> None:
    metrics = json.loads((CHAMPION / "manifest.json").read_text(encoding="utf-8"))["metrics"]
    _, answers = answers_of(metrics)
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    shown = [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in lines if line.count("|") == 8]
    for kind, row in answers.items():
        title, _, *cells = answer_cells(kind, row)
        assert (title, *cells) in shown
    assert set(answers) == {"state", "independent_nonwest", "independent_west"}


def test_the_answer_that_the_readme_shows_is_the_service_s() -> None:
    bodies = [block.body for block in blocks(ROOT / "README.md")]
    (asked,) = (
        json.loads(m[1]) for body in bodies if (m := re.search(r"/v1/predict .*-d '(.*?)'", body, re.S))
    )
    (shown,) = (json.loads(body) for body in bodies if body.startswith('{"label"'))
    answer = predict(asked["text"], title=asked["title"])
    plain = {"reasons": list(answer.reasons), "model": answer.model._asdict()}
    for name, value in shown.items():
        assert agrees(plain.get(name, getattr(answer, name)), json.dumps(value)), name


def test_an_example_is_run_statement_by_statement() -> None:
    run_example("import math\nx = math.pi\nx    # 3.14\nprint('a', 1)  # a 1\n[x > 3]  # [True]\n")
    for wrong in ("x = 3\nx  # 4", "print('a')  # -> b", "{'a': 1}  # {'a': 2}"):
        with pytest.raises(AssertionError):
            run_example(wrong)


def test_no_document_knows_the_machine_it_was_written_on() -> None:
    patterns = (
        *("*.md", "*.toml", ".ci/*", "docs/**/*", "notebooks/**/*", "benchmarks/**/*", "seeds/*.md"),
        *("seeds/*.json", "seeds/*.csv", "model/framelens/champion/*", "tests/**/*.json"),
    )
    binary = {".parquet", ".png", ".safetensors", ".pyc", ".db", ".gz", ".zst", ".jpg", ".arrow"}
    for path in (p for pattern in patterns for p in sorted(ROOT.glob(pattern))):
        if path.is_file() and path.suffix not in binary:
            found = MACHINE.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path.relative_to(ROOT)} names {found[0] if found else ''}..."
