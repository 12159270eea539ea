"""The program: answers on stdout, one line on stderr where the user can mend it, exit codes as documented."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from framelens import __version__
from framelens.cli import COMMANDS, main

# Invented.
STATE = (
    "The minister stressed that the two sides will deepen friendly cooperation, and stressed that it is so. "
    * 2
)


@pytest.fixture
def options(model_folder: Path) -> list[str]:
    return ["--model", str(model_folder)]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_predict_prints_one_stable_json_object(
    capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    code, out, err = run(capsys, "predict", STATE, "--json", *options)
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert list(answer) == ["label", "p_state", "score", "reasons", "forced_label", "words", "model"]
    assert (answer["label"], answer["reasons"]) == ("state", [])


def test_predict_reads_files_and_text_alike(
    capsys: pytest.CaptureFixture[str], options: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "article.txt"
    file.write_text("\ufeff" + STATE, encoding="utf-8")
    from_file = run(capsys, "predict", str(file), *options)
    assert from_file == run(capsys, "predict", STATE, *options)
    assert from_file[1].startswith("state; P(state) 0.")


def test_predict_reads_standard_input(options: list[str]) -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; from framelens.cli import main; sys.exit(main())",
        "predict",
        "-",
    ]
    done = subprocess.run([*command, *options], input=STATE.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"state; ")


def test_abstention_says_why(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    code, out, _ = run(capsys, "predict", "The minister stressed cooperation.", *options)
    assert code == 0
    assert out.startswith("abstain (too short); P(state) 0.")


def test_explain_shows_terms_sums_and_marks_without_colour(
    capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    code, out, _ = run(
        capsys, "predict", STATE + "Critics had concerns [bold]here[/bold].", "--explain", *options
    )
    assert code == 0
    assert "stressed⁺" in out
    assert "concerns⁻" in out
    assert "[bold]here[/bold]" in out
    assert "How the score adds up" in out
    assert "\x1b[" not in out
    assert "fine: too_short" in out


def test_explain_tells_what_was_hidden_and_cleaned_and_which_sentences_weigh(
    capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    text = f"TEHRAN - {STATE}Ada Quill met 12 critics."
    _, out, _ = run(capsys, "predict", text, "--explain", *options)
    assert "hidden from the model (names and numbers): Ada Quill, 12" in out
    assert "cleaned away (dateline-capitals): TEHRAN -" in out
    assert "Sentences that weigh most" in out


def test_explain_as_json_nests_the_explanation(
    capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    _, out, _ = run(capsys, "predict", STATE, "--json", "--explain", *options)
    answer = json.loads(out)
    parts = answer["explanation"]
    total = parts["bias"] + sum(t["contribution"] for t in parts["terms"] + parts["style"])
    assert total == pytest.approx(answer["score"])


def test_info_shows_the_card_and_the_manifest(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    code, out, _ = run(capsys, "info", *options)
    assert code == 0
    assert "tiny 0.0.1, 12 terms" in out
    assert "Invented, for tests." in out
    _, out, _ = run(capsys, "info", "--json", *options)
    assert json.loads(out)["metrics"]["owner_disjoint"]["macro_f1"] == 0.5


@pytest.mark.parametrize(
    ("argument", "content", "message"),
    [
        ("missing.txt", None, "'missing.txt' is neither a file nor a text of more than one word"),
        ("folder", "folder", "is a folder; give a file"),
        ("latin.txt", b"caf\xe9 au lait", "latin.txt is not UTF-8 text (byte 3 is 0xe9)"),
        ("empty.txt", b" \n", "empty.txt is empty; give an article's text"),
    ],
)
def test_a_wrong_source_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    argument: str, content: bytes | str | None, message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if content == "folder":
        Path(argument).mkdir()
    elif isinstance(content, bytes):
        Path(argument).write_bytes(content)
    code, out, err = run(capsys, "predict", argument, *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("framelens: ")
    assert message in err


def test_a_model_that_is_none_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, err = run(capsys, "predict", STATE, "--model", str(tmp_path))
    assert (code, err.count("\n")) == (2, 1)
    assert "holds no model" in err


def test_version_and_help_need_no_heavy_import() -> None:
    code = (
        "import sys\nfrom framelens.cli import main\n"
        "main(['--help']); main(['--version'])\n"
        "heavy = {'numpy', 'numba', 'pyarrow', 'pandas', 'sklearn', 'mlflow', 'rich', 'framelens_train'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *text, version, modules = done.stdout.splitlines()
    assert (version, modules) == (f"framelens {__version__}", "[]")
    for name in COMMANDS:
        assert any(line.split()[:1] == [name] for line in text), name


def test_a_missing_extra_names_the_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "framelens_train.cli_train", None)
    code, _, err = run(capsys, "train")
    assert code == 2
    assert err == (
        "framelens: this command needs framelens_train.cli_train, which is not installed: "
        "pip install 'framelens[train]'\n"
    )


def test_a_missing_library_of_the_extra_is_found_before_any_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "scipy" else find(name))
    code, out, err = run(capsys, "train")
    assert (code, out) == (2, "")
    assert err == (
        "framelens: this command needs scipy, which is not installed: pip install 'framelens[train]'\n"
    )


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "prophesy")
    assert code == 2
    assert "No such command 'prophesy'" in err


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (click.Abort, 130)])
def test_an_interrupt_is_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: type[BaseException], code: int
) -> None:
    def interrupted(*_: object) -> None:
        raise error

    monkeypatch.setattr("framelens.cli.predict.load", interrupted)
    assert run(capsys, "predict", STATE) == (code, "", "framelens: interrupted\n")


def test_a_reader_that_goes_away_is_no_traceback(options: list[str]) -> None:
    code = "import sys; from framelens.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "predict", STATE * 3000, "--json", "--explain", *options]
    command[4] = "-"
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.write(STATE.encode() * 300)
    process.stdin.close()
    errors = process.stderr.read()
    assert (process.wait(), errors) == (141, b"")
    process.stderr.close()
