"""The checks of what changed, in about a minute: python -m tests.affected [REVISION]

Runs ruff, the order of the rooms, pyright on changed files, and the tests that reach a changed module of lab/ by their
imports, the nearest first, as many as fit the time. Changed is what differs from REVISION (default: the commit that
main and this branch share; on main the last commit) or is new. Says which test files were left to `make test`.
"""

import ast
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 85.0
"""For all of it; `make test` runs everything."""
PROCESSES = 2


def main() -> None:
    begun = time.monotonic()
    revision = sys.argv[1] if len(sys.argv) > 1 else _shared_commit()
    changed = _changed(revision)
    if not changed:
        print("Nothing changed.")
        return
    print(f"{len(changed)} files changed since {revision[:12]}.")
    python = [name for name in changed if name.endswith(".py")]
    codes = [
        _run(sys.executable, "-m", "ruff", "check", "."),
        _run(sys.executable, "-m", "ruff", "format", "--check", "-q", "."),
        _run(Path(sys.executable).with_name("lint-imports"), "--no-logo"),
        _run(sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *python) if python else 0,
    ]
    files = affected(changed)
    codes.append(_test(files, SECONDS - (time.monotonic() - begun)))
    print(f"{time.monotonic() - begun:.0f} s.")
    sys.exit(max(codes))


def affected(changed: Iterable[str]) -> list[str]:
    """The test files that reach a changed module, or are changed, those with the fewest imports between them first."""
    changed = set(changed)
    graph = grimp.build_graph("lab")
    modules = {module for name in changed if (module := _module(name)) in graph.modules}
    near = _distances(graph, modules)
    found: dict[str, int] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        name = str(path.relative_to(ROOT))
        reached = [near[one] for one in _imports(path, graph) if one in near]
        if name in changed:
            found[name] = -1
        elif reached:
            found[name] = min(reached)
    return sorted(found, key=lambda name: (found[name], name))


def _distances(graph: grimp.ImportGraph, modules: Iterable[str]) -> dict[str, int]:
    """How many imports lie between each module and the nearest changed one."""
    near, edge, steps = dict.fromkeys(modules, 0), set(modules), 0
    while edge:
        steps += 1
        edge = {above for one in edge for above in graph.find_modules_that_directly_import(one)} - near.keys()
        near |= dict.fromkeys(edge, steps)
    return near


def _imports(path: Path, graph: grimp.ImportGraph) -> set[str]:
    """The modules of lab that a test file names: in imports, and as `lab.x` in the commands that it runs."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found & graph.modules


def _module(name: str) -> str:
    return name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def _test(files: list[str], seconds: float) -> int:
    """Run the test files in processes side by side; stop at the time, and say what was left."""
    if not files:
        print("No test reaches what changed.")
        return 0
    how = (sys.executable, "-m", "pytest", "-q", "-n", "0", "--budget", f"{max(seconds, 1):.0f}")
    parts = [files[first::PROCESSES] for first in range(PROCESSES)]
    running = [subprocess.Popen([*how, *part], cwd=ROOT) for part in parts if part]
    return max(one.wait() for one in running)


def _shared_commit() -> str:
    head = _git("rev-parse", "HEAD")
    shared = _git("merge-base", "HEAD", "main")
    return shared or head


def _changed(revision: str) -> list[str]:
    names = [*_git("diff", "--name-only", revision).split(), *_git("ls-files", "-o", "--exclude-standard").split()]
    return sorted({name for name in names if (ROOT / name).is_file()})


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _run(*command: str | Path) -> int:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr)
    return done.returncode


if __name__ == "__main__":
    main()
