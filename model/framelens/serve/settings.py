"""What a server is told: where to listen, what to refuse, how long to wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from framelens.errors import UserError

TOKEN = "FRAMELENS_TOKEN"
"""Environment variable with the bearer token. Never an option: the list of processes shows those to all."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one server.

    Attributes
    ----------
    host, port
        Where to listen; port 0 lets the system choose.
    model
        A model's folder or MLflow address; None for the champion.
    workers
        Processes, each with a model of its own.
    token
        What clients must send as ``Authorization: Bearer ...``; None lets everybody in.
    max_body_bytes
        Longest request body, bytes.
    max_batch
        Most texts in one batch.
    max_text_chars, max_title_chars
        Longest text and title, characters (code points).
    request_seconds
        Time for a request's body to arrive, and again for its answer to be found.
    stop_seconds
        Time that requests in flight have to finish when the server is stopped.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str | None = None
    workers: int = 1
    token: str | None = field(default=None, repr=False)
    max_body_bytes: int = 8 << 20
    max_batch: int = 1000
    max_text_chars: int = 100_000
    max_title_chars: int = 1000
    request_seconds: float = 30.0
    stop_seconds: float = 30.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, int | float) and item.name != "port" and value <= 0:
                raise ValueError(f"{item.name} is {value}; it must be above 0")


def token_from(environment: Mapping[str, str]) -> str | None:
    """The bearer token that the environment sets, None where it sets none.

    Raises
    ------
    UserError
        For a variable that is set but blank: a mistake that would otherwise let everybody in.
    """
    token = environment.get(TOKEN)
    if token is None:
        return None
    if not token.strip():
        raise UserError(f"{TOKEN} is set but empty; unset it to let everybody in, or set it to a secret")
    return token.strip()
