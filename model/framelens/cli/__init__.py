"""The program `framelens`: one group, whose commands are imported when they are used.

Exit codes: 0 done; 1 done, but some rows were rejected or a check failed; 2 the user can mend it, and one
line on stderr says how; 130 interrupted; 141 the reader of the output went away.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from framelens import __version__
from framelens.errors import UserError


class _Lazy(NamedTuple):
    """Where a command is, and its line in the help, so that the help needs no import."""

    module: str
    summary: str


COMMANDS = {
    "predict": _Lazy("framelens.cli.predict", "Label one article."),
    "score": _Lazy("framelens.cli.score", "Label every article of a file or many."),
    "outlets": _Lazy("framelens.cli.outlets", "Label each outlet by all of its scored articles."),
    "serve": _Lazy("framelens.cli.serve", "Answer over HTTP, for other services and for people."),
    "info": _Lazy("framelens.cli.info", "Show the model's card and figures."),
    "train": _Lazy("framelens_train.cli_train", "Train the table of candidates, tracked in MLflow."),
    "evaluate": _Lazy("framelens_train.cli_evaluate", "Measure a model by every protocol."),
    "runs": _Lazy("framelens_train.cli_train", "List the training runs, best first."),
    "promote": _Lazy("framelens_train.cli_train", "Make a training run's model the champion."),
    "corpus": _Lazy("framelens_train.cli_corpus", "Build, check, describe or import a corpus."),
}
_TRAINING_STACK = {
    *(
        "framelens_train",
        "joblib",
        "matplotlib",
        "mlflow",
        "pandas",
        "scipy",
        "sklearn",
        "skops",
    ),
    "zstandard",
}
_EXTRAS = {
    "train": _TRAINING_STACK,
    "serve": {
        "anyio",
        "fastapi",
        "httptools",
        "prometheus_client",
        "pydantic",
        "starlette",
        "uvicorn",
        "uvloop",
    },
    "dumps": {"fastwarc", "resiliparse"},
    "spark": {"pyspark"},
}
"""Import packages that an extra brings and the base install lacks."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported; a `UserError` names the extra that it needs."""
        if cmd_name not in COMMANDS:
            return None
        try:
            if COMMANDS[cmd_name].module.startswith("framelens_train"):
                _require_training_stack()
            module = importlib.import_module(COMMANDS[cmd_name].module)
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        found = (value for value in vars(module).values() if isinstance(value, click.Command))
        return next(command for command in found if command.name == cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Runtime and training commands apart."""
        for title, training in (
            ("Commands", False),
            ("Training commands (pip install 'framelens[train]')", True),
        ):
            rows = [
                (name, command.summary)
                for name, command in COMMANDS.items()
                if command.module.startswith("framelens_train") == training
            ]
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="framelens", message="%(prog)s %(version)s")
def cli() -> None:
    """Is a news article framed the way state-controlled media frame the news?"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    arguments
        Without the program's name; None for those of the process.

    Returns
    -------
    int
        The exit code, as the module's docstring lists them.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # an article may hold what the terminal cannot show
    try:
        # not cli.main(), which turns a broken pipe into exit code 1 and writes a line of its own on Ctrl-C
        with cli.make_context("framelens", list(sys.argv[1:] if arguments is None else arguments)) as context:
            code: Any = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as finished:
        return finished.exit_code
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "framelens"
        return _fail(f"{error.format_message().rstrip('.')}; see `{path} --help`", error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except UserError as error:
        return _fail(str(error), 2)
    except ModuleNotFoundError as error:
        return _fail(str(_missing(error)), 2)
    except (click.Abort, KeyboardInterrupt) as interrupted:
        return _fail(str(interrupted) or "interrupted", 130)
    except BrokenPipeError:
        # what is still buffered must not fail again when Python closes the stream
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:  # a full disk, a folder without permission: nothing that a traceback would help
        if error.filename is None:
            raise
        return _fail(f"{error.filename}: {error.strerror}; choose a place that can be read and written", 2)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    click.echo(f"framelens: {' '.join(message.split())}", err=True)
    return code


def _require_training_stack() -> None:
    """Find the extra without importing it: no command may have begun its work when it turns out missing."""
    for name in sorted(_TRAINING_STACK):
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _missing(error: ModuleNotFoundError) -> Exception:
    package = (error.name or "").partition(".")[0]
    for extra, packages in _EXTRAS.items():
        if package in packages:
            return UserError(
                f"this command needs {error.name}, which is not installed: pip install 'framelens[{extra}]'"
            )
    return error
