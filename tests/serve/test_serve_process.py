"""The real program: it starts offline in a read-only home, serves, and stops without dropping a request."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from framelens.cli import main
from framelens.predictor import Model
from framelens.serve import server

# No name is looked up and no connection made, from the first line on; listening on loopback is not asked for.
PROGRAM = """
import sys
def refuse(event, arguments):
    asked = event == "socket.getaddrinfo" and arguments[0] != "127.0.0.1"
    if asked or event in ("socket.connect", "socket.sendto", "socket.gethostbyname"):
        raise RuntimeError(f"the network was asked for: {event} {arguments}")
sys.addaudithook(refuse)
if __name__ == "__main__":
    from framelens.cli import main
    sys.exit(main())
"""


class Running:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.address = self.wait_for("listening")["address"]

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(json.loads(line))

    def wait_for(self, event: str) -> dict[str, Any]:
        """The first line of the log with this event."""
        for _ in range(3000):
            for line in list(self.lines):
                if line["event"] == event:
                    return line
            assert self._reader.is_alive(), self.lines
            time.sleep(0.02)
        raise AssertionError(f"no {event!r} in {self.lines}")

    def wait_until_ready(self) -> None:
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.address}/readyz").status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"never ready: {self.lines}")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """The exit code after a signal."""
        self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        self._reader.join()
        return code


@pytest.fixture
def serve(model_folder: Path, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start `framelens serve` with a home that cannot be written to."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    started: list[Running] = []

    def start(*options: str, **environment: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, program, "serve", "--port", "0", "--model", model_folder, *options],
            env={**os.environ, "HOME": "/dev/null/home", "TMPDIR": str(tmp_path), **environment},
            cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(Running(process))
        return started[-1]

    yield start
    for running in started:
        running.close()


def test_a_request_in_flight_is_finished_and_the_exit_is_clean(
    serve: Callable[..., Running], model: Model, article: str
) -> None:
    server = serve()
    assert server.address.startswith("http://127.0.0.1:")
    server.wait_until_ready()
    body = json.dumps({"text": article}).encode()
    connection = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=30)
    connection.putrequest("POST", "/v1/predict")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body[:40])
    time.sleep(0.2)  # the head and a part of the body arrive
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("Shutting down")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{server.address}/healthz")
    connection.send(body[40:])
    response = connection.getresponse()
    assert response.status == 200
    assert json.loads(response.read())["label"] == model.predict(article).label
    assert server.process.wait(timeout=60) == 0
    assert [line["status"] for line in server.lines if line["event"] == "request"][-1] == 200


def test_sixteen_connections_get_single_answers(
    serve: Callable[..., Running], model: Model, article: str
) -> None:
    server = serve()
    server.wait_until_ready()
    texts = [f"{article} {article[:i]}" for i in range(160)]

    def ask(some: list[str]) -> list[float]:
        with httpx.Client(base_url=server.address) as client:
            return [client.post("/v1/predict", json={"text": text}).json()["score"] for text in some]

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(ask, [texts[i::16] for i in range(16)]))
    for i, scores in enumerate(found):
        assert scores == pytest.approx([model.predict(text).score for text in texts[i::16]], abs=1e-9)


def test_workers_share_a_port_and_their_counters(serve: Callable[..., Running], article: str) -> None:
    server = serve("--workers", "2", FRAMELENS_TOKEN="abc")
    assert (server.lines[0]["workers"], server.lines[0]["token"]) == (2, True)
    server.wait_until_ready()
    headers = {"Authorization": "Bearer abc"}

    def ask(_: int) -> int:
        with httpx.Client(base_url=server.address, headers=headers) as client:
            return client.post("/v1/predict", json={"text": article}).status_code

    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(ask, range(48)))
    served = codes.count(200)
    assert served >= 24  # the other worker may still be getting ready
    assert set(codes) <= {200, 503}
    assert httpx.get(f"{server.address}/metrics").status_code == 401
    found = httpx.get(f"{server.address}/metrics", headers=headers).text
    assert f'framelens_requests_total{{route="/v1/predict",status="200"}} {served}.0\n' in found
    assert server.stop() == 0
    pids = {line["event"] for line in server.lines if line["event"].startswith("Finished server process")}
    assert len(pids) == 2


def test_schemathesis_finds_nothing(serve: Callable[..., Running], tmp_path: Path) -> None:
    server = serve("--max-text", "300", "--max-batch", "5", "--log-level", "info", FRAMELENS_TOKEN="abc")
    server.wait_until_ready()
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{server.address}/openapi.json",
         "--header", "Authorization: Bearer abc", "--checks", "all", "--max-examples", "20", "--seed", "1",
         "--suppress-health-check", "all", "--generation-database", "none", "--no-color"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 selected / 8 total" in done.stdout
    assert not [line for line in server.lines if line["level"] == "error"]


def test_what_the_readme_shows_works(serve: Callable[..., Running], tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    server = serve()
    server.wait_until_ready()
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    section = text.split("## Use it from your service")[1].split("\n## ")[0]
    blocks = dict(re.findall(r"```(bash\ncurl|json|python)(.*?)```", section, re.S))
    shown = blocks["bash\ncurl"].replace("http://127.0.0.1:8000", server.address)
    curl = subprocess.run(["bash", "-c", f"curl{shown}"], capture_output=True, check=True)
    answer, printed = json.loads(curl.stdout), json.loads(blocks["json"])
    assert {key: type(value) for key, value in answer.items()} == {k: type(v) for k, v in printed.items()}
    code = blocks["python"].replace("http://127.0.0.1:8000", server.address)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(run.stdout.splitlines()) == 2
    assert "abstain" in run.stdout


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_from_its_first_line_on(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    ready = []

    def announced(*_: object) -> None:
        os.kill(os.getpid(), how)
        ready.append(how)

    monkeypatch.setattr(server, "_announce", announced)
    before = signal.getsignal(how)
    assert main(["serve", "--port", "0", "--model", str(model_folder)]) == 0
    assert ready == [how]
    assert signal.getsignal(how) is before


def test_ctrl_c_stops_it_too(serve: Callable[..., Running]) -> None:
    running = serve()
    running.wait_until_ready()
    assert running.stop(signal.SIGINT) == 0


def test_what_the_user_can_mend_is_one_line(
    model_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, serve: Any
) -> None:
    def refused(*options: str) -> str:
        assert main(["serve", *options]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        return err

    port = serve().address.rpartition(":")[2]
    model = ("--model", str(model_folder))
    assert f"cannot listen on 127.0.0.1 port {port}" in refused("--port", port, *model)
    assert "cannot listen on 192.0.2.1" in refused("--host", "192.0.2.1", *model)
    assert "does not exist" in refused("--model", str(model_folder / "nothing"))
    assert "70000" in refused("--port", "70000")
    monkeypatch.setenv("FRAMELENS_TOKEN", "")
    assert "FRAMELENS_TOKEN is set but empty" in refused(*model)
    monkeypatch.delenv("FRAMELENS_TOKEN")
    monkeypatch.setitem(sys.modules, "framelens.serve.server", None)
    monkeypatch.delitem(sys.modules, "framelens.serve.server")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'framelens[serve]'" in refused(*model)
