"""The container's files, and its very commands in a clean virtual environment.

What an engine would do is done by hand: only the copied files are there to build from, the image's folders
cannot be written to, and the process has no privileges.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML, which MLflow brings, is missing: pip install -e '.[dev]'")

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "container"
TOKEN = "open sesame"
# Invented.
ARTICLE = (
    "The council said on Tuesday that the ferry would run again in spring, which its captain doubted. " * 6
)


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, continued lines joined, in order."""
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (name, rest.strip()) for name, _, rest in (x.partition(" ") for x in joined.splitlines() if x.strip())
    ]


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage."""
    found: list[list[tuple[str, str]]] = []
    for name, rest in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found


def last(name: str) -> str:
    """What the final stage says under this name."""
    return [rest for given, rest in stages()[-1] if given == name][-1]


def environment(stage: list[tuple[str, str]]) -> dict[str, str]:
    """The variables that a stage sets."""
    pairs = [pair for name, rest in stage if name == "ENV" for pair in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)


# -- as files -------------------------------------------------------------------------------------------


def test_the_image_is_small_pinned_and_without_root() -> None:
    assert {rest.split()[0] for name, rest in instructions() if name == "FROM"} == {"python:3.12-slim"}
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last("USER")), (
        "a numeric user can be verified as not being root"
    )
    assert "ADD" not in {name for name, _ in instructions()}
    (install,) = [rest for name, rest in instructions() if name == "RUN"]
    assert "--no-cache-dir" in install
    assert "--constraint docs/container/constraints.txt" in install
    assert isinstance(json.loads(last("CMD")), list)  # a shell between would keep signals from the server
    assert "urllib" in last("HEALTHCHECK")


def test_the_dockerfiles_linter_finds_nothing() -> None:
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if linter is None:
        pytest.skip("hadolint is missing: pip install -e '.[dev]'")
    done = subprocess.run([linter, str(FOLDER / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_only_what_is_needed_is_copied_and_the_ignore_file_lets_it_pass() -> None:
    allowed = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line[:1] == "!"
    ]
    for name, rest in instructions():
        if name == "COPY" and "--from" not in rest:
            *sources, _ = [word for word in rest.split() if not word.startswith("--")]
            for source in sources:
                assert (ROOT / source).exists(), source
                assert source != "."
                assert any(source == name or source.startswith(f"{name}/") for name in allowed), source


def test_compose_takes_every_privilege_away() -> None:
    service = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))["services"]["framelens"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["environment"]["FRAMELENS_TOKEN"].startswith("${FRAMELENS_TOKEN:?")
    assert (FOLDER / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).samefile(FOLDER / "Dockerfile")


# -- as commands ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Image:
    """What stands for the image: its folders below one of ours, everything but ``tmp`` unwritable."""

    root: Path

    def moved(self, text: str) -> str:
        """The text with the image's paths below our folder."""
        return re.sub(r"(?<![\w.])/(srv/framelens|tmp|src)\b", rf"{self.root}/\1", text)

    def variables(self, stage: list[tuple[str, str]]) -> dict[str, str]:
        """The environment of a stage, and of ours only the way to the interpreter."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        given = {name: self.moved(value).replace("$PATH", path) for name, value in environment(stage).items()}
        return {"PATH": path, "HOME": f"{self.root}/tmp", "TMPDIR": f"{self.root}/tmp"} | given


def build(root: Path) -> Image:
    """Do by hand what the Dockerfile says."""
    image, (first, _) = Image(root), stages()
    for name in ("tmp", "src", "srv"):
        (root / name).mkdir()
    for name, rest in first:
        if name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                to = root / "src" / target
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    to.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, to)
        elif name == "RUN":
            done = subprocess.run(
                ["sh", "-c", image.moved(rest)], cwd=root / "src", env=_index() | image.variables(first),
                capture_output=True, text=True, check=False, timeout=300,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(root / "src")
    return image


def _index() -> dict[str, str]:
    """What tells pip where packages are."""
    home = {"HOME": os.environ["HOME"]} if "HOME" in os.environ else {}
    return home | {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


def lock(folder: Path, *, locked: bool) -> None:
    """Take away from everything in a folder that it may be written to, or give it back."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode & ~0o222 if locked else mode | 0o200)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Image]:
    if not pytestconfig.getoption("--image"):
        pytest.skip("a minute of installing: python -m pytest --image tests/serve/test_container.py")
    probe = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    folder = tmp_path_factory.mktemp("image")
    if subprocess.run([*probe, str(folder / "probe"), "h11"], capture_output=True, check=False).returncode:
        pytest.skip("pip reaches no package index, and the image's packages come from one")
    root = folder / "root"
    root.mkdir()
    image = build(root)
    lock(root / "srv", locked=True)
    yield image
    lock(root / "srv", locked=False)


def unprivileged() -> list[str]:
    """What a command is put behind so that not even root may write where nobody may."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may write anywhere, and there is no setpriv to take that away")
    return ["setpriv", "--bounding-set=-all", "--no-new-privs"]


@dataclass
class Container:
    """A running container's stand-in."""

    image: Image
    process: subprocess.Popen[bytes]
    port: str
    log: Path

    def ask(self, path: str, body: object = None, token: str = TOKEN) -> tuple[int, str]:
        """Status and text of the answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def healthy(self) -> bool:
        """Whether the Dockerfile's own check says so."""
        _, _, command = last("HEALTHCHECK").partition("CMD ")
        words = [word.replace("8000", self.port) for word in json.loads(command)]
        variables = self.image.variables(stages()[-1])
        program = shutil.which(words[0], path=variables["PATH"])
        assert program == f"{self.image.root}/srv/framelens/bin/python"
        return not subprocess.run(
            [program, *words[1:]], env=variables, capture_output=True, check=False
        ).returncode


@pytest.fixture
def container(image: Image, tmp_path: Path) -> Iterator[Container]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [word.replace("8000", port).replace("0.0.0.0", "127.0.0.1") for word in json.loads(last("CMD"))]
    variables = image.variables(stages()[-1]) | {"FRAMELENS_TOKEN": TOKEN}
    command[0] = shutil.which(command[0], path=variables["PATH"]) or command[0]
    shutil.rmtree(image.root / "tmp")
    (image.root / "tmp").mkdir()
    log = tmp_path / "log"
    with log.open("wb") as errors, subprocess.Popen(
        [*unprivileged(), *command], cwd=image.root / "srv", env=variables, stderr=errors, stdout=errors
    ) as process:  # fmt: skip
        container = Container(image, process, port, log)
        try:
            for _ in range(600):
                assert process.poll() is None, log.read_text()
                with contextlib.suppress(OSError):
                    if container.ask("/readyz")[0] == 200:
                        break
                time.sleep(0.1)
            yield container
        finally:
            process.kill()


def test_the_image_serves_where_nothing_may_be_written(container: Container) -> None:
    status, text = container.ask("/v1/predict", {"text": ARTICLE})
    assert (status, json.loads(text)["words"]) == (200, 102)
    assert container.ask("/v1/predict", {"text": ARTICLE}, token="another")[0] == 401
    assert "<title>FrameLens" in container.ask("/")[1]
    assert container.healthy()
    writing = [*unprivileged(), "sh", "-c", f"echo > {container.image.root}/srv/framelens/new"]
    assert subprocess.run(writing, capture_output=True, check=False).returncode != 0
    container.process.send_signal(signal.SIGTERM)
    assert container.process.wait(timeout=20) == 0
    assert not container.healthy()
    assert "cannot be cached" not in container.log.read_text()


def test_the_kernel_was_compiled_when_the_image_was_built(container: Container) -> None:
    root = container.image.root
    assert container.ask("/v1/predict", {"text": ARTICLE})[0] == 200
    assert container.ask("/v1/predict/batch", {"texts": [ARTICLE] * 40})[0] == 200
    assert list((root / "srv/framelens/kernels").rglob("*.kept"))
    assert not list((root / "tmp").rglob("*.kept"))
    assert "cannot be cached" not in container.log.read_text()


def test_every_package_of_the_image_is_pinned(image: Image) -> None:
    lines = (FOLDER / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.strip() for line in lines if not line.startswith("#")}
    python = str(image.root / "srv/framelens/bin/python")
    done = subprocess.run([python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True)
    installed = {line for line in done.stdout.split("\n") if line and not line.startswith("framelens")}
    assert installed <= pinned, "renew it as its first lines say"
