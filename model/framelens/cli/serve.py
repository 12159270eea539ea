"""`framelens serve`: predictions for other services, over HTTP."""

from __future__ import annotations

import os

import click

from framelens.serve.settings import Settings, token_from

_DEFAULT = Settings()


@click.command("serve", context_settings={"show_default": True})
@click.option("--host", default=_DEFAULT.host, help="Address to listen on; 0.0.0.0 for every one.")
@click.option("--port", default=_DEFAULT.port, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--model", help="A model's folder or MLflow address; the champion if not given.")
@click.option("--workers", default=_DEFAULT.workers, type=click.IntRange(1), help="Processes.")
@click.option(
    "--max-body", default=_DEFAULT.max_body_bytes, type=click.IntRange(1), help="Longest body, bytes."
)
@click.option(
    "--max-batch", default=_DEFAULT.max_batch, type=click.IntRange(1), help="Most texts of a batch."
)
@click.option(
    "--max-text", default=_DEFAULT.max_text_chars, type=click.IntRange(1), help="Longest text, characters."
)
@click.option(
    "--timeout",
    default=_DEFAULT.request_seconds,
    type=click.FloatRange(0, min_open=True),
    help="Seconds for a body to arrive, and for an answer.",
)
@click.option(
    "--log-level",
    default="info",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Requests are logged at info.",
)
def serve_command(
    host: str,
    port: int,
    model: str | None,
    workers: int,
    max_body: int,
    max_batch: int,
    max_text: int,
    timeout: float,
    log_level: str,
) -> None:
    """Serve predictions over HTTP until SIGTERM or Ctrl-C; requests in flight are finished.

    The environment variable FRAMELENS_TOKEN sets a bearer token that clients must send. Logs go to standard
    error, one JSON object a line, without the texts.
    """
    settings = Settings(
        host=host,
        port=port,
        model=model,
        workers=workers,
        token=token_from(os.environ),
        max_body_bytes=max_body,
        max_batch=max_batch,
        max_text_chars=max_text,
        request_seconds=timeout,
    )
    from framelens.serve.server import run

    run(settings, log_level=log_level.upper())
