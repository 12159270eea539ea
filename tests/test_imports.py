"""What an import does: nothing but define names, and in the runtime nothing of the training stack."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUNTIME = ROOT / "model" / "framelens"
TRAINING = ROOT / "train" / "framelens_train"

# What the base install brings, and may be imported when a module of the runtime is.
LIGHT = {"click", "framelens", "numpy"}
# What the base install brings, and is imported only where it is used: each costs a tenth of a second or more.
ON_USE = {"numba", "orjson", "pyarrow", "rich", "safetensors"}
# Modules whose business it is, imported on use themselves.
EXCEPTIONS = {
    "features/compiled.py": {"llvmlite", "numba"},
    "cli/render.py": {"rich"},
    "scoring/readers/html.py": {"resiliparse"},
    "scoring/readers/warc.py": {"fastwarc"},
    "scoring/spark.py": {"pyspark"},
    # the server needs its extra; `framelens serve` imports it when it runs
    "serve/app.py": {"fastapi", "orjson", "starlette"},
    "serve/bodies.py": {"orjson", "starlette"},
    "serve/guard.py": {"starlette"},
    "serve/logs.py": {"orjson"},
    "serve/metrics.py": {"prometheus_client"},
    "serve/problems.py": {"orjson", "starlette"},
    "serve/schemas.py": {"pydantic"},
    "serve/server.py": {"fastapi", "uvicorn"},
}
# What these do to warnings, loggers and environment is theirs: they come before the comparison.
THIRD_PARTY = ["numba", "pyarrow", "rich.console", "click", "safetensors.numpy", "orjson"]
THIRD_PARTY += ["fastapi.openapi.utils", "prometheus_client.multiprocess", "uvicorn.supervisors"]
TRAINING_STACK = ["pandas", "scipy.sparse", "sklearn", "mlflow.pyfunc"]
PROBE = """
import importlib, json, logging, os, random, sys, warnings
names, third_party = json.loads(sys.argv[1])
for name in third_party:
    importlib.import_module(name)
import numpy
random.seed(1)
numpy.random.seed(1)
def state():
    ours = {n: v for n, v in logging.Logger.manager.loggerDict.items() if n.startswith("framelens")}
    root = logging.getLogger()
    return {
        "files": sorted(os.listdir()),
        "folder": os.getcwd(),
        "random": hash(random.getstate()),
        "numpy": hash(numpy.random.get_state()[1].tobytes()),
        "environment": dict(os.environ),
        "root logger": (root.level, len(root.handlers)),
        "our loggers": {n: str(v.handlers) for n, v in ours.items() if getattr(v, "handlers", None)},
        "filters": [str(f) for f in warnings.filters],
        "hook": str(sys.excepthook),
    }
before = state()
with warnings.catch_warnings():
    warnings.simplefilter("error")
    for name in names:
        importlib.import_module(name)
after = state()
changed = {key: [before[key], after[key]] for key in before if before[key] != after[key]}
print(json.dumps(changed, default=str))
"""


def modules_of(package: Path) -> list[str]:
    """Every module of a package, by its dotted name."""
    return sorted(
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in package.rglob("*.py")
    )


def imports(tree: ast.Module, *, whole: bool) -> set[str]:
    """First parts of what is imported: by the module itself, or by anything in it.

    What stands under ``if TYPE_CHECKING`` is never run and does not count.
    """
    nodes: list[ast.AST] = list(tree.body)
    found = set()
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
        if whole or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes.extend(ast.iter_child_nodes(node))
    return found


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@pytest.mark.parametrize("path", sorted(RUNTIME.rglob("*.py")), ids=lambda p: str(p.relative_to(RUNTIME)))
def test_the_runtime_imports_only_what_the_base_install_brings(path: Path) -> None:
    name = path.relative_to(RUNTIME).as_posix()
    third_party = imports(parsed(path), whole=False) - set(sys.stdlib_module_names)
    assert third_party <= LIGHT | EXCEPTIONS.get(name, set())
    anywhere = imports(parsed(path), whole=True) - set(sys.stdlib_module_names)
    optional = {"pandas", "framelens_train"} if name in ("predictor.py", "scoring/spark.py") else set()
    assert anywhere <= LIGHT | ON_USE | optional | EXCEPTIONS.get(name, set())


@pytest.mark.parametrize("path", sorted(ROOT.glob("t*/**/*.py")) + sorted(RUNTIME.rglob("*.py")), ids=str)
def test_no_module_has_a_second_name(path: Path) -> None:
    """`import model.framelens` works under `python -m pytest` and makes a second copy of every class."""
    for node in ast.walk(parsed(path)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
        assert not [n for n in names if n.split(".")[0] in ("model", "train", "tests")]


@pytest.mark.parametrize("package", [RUNTIME, TRAINING], ids=lambda p: str(p.name))
def test_importing_every_module_changes_nothing(package: Path, tmp_path: Path) -> None:
    third_party = THIRD_PARTY + (TRAINING_STACK if package == TRAINING else [])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE, json.dumps([modules_of(package), third_party])],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout) == {}


def test_importing_the_package_is_light() -> None:
    code = "import sys, framelens; print(sorted({'numpy', 'numba', 'pyarrow', 'click'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
