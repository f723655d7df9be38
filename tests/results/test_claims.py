"""Of all processes that share a results folder, one alone holds a cell; what the dead held is taken over."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.results.claims import Claims

ROOT = Path(__file__).parents[2]
CELL = "lstm.full-7"


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Claims, Claims]]:
    with Claims(tmp_path) as one, Claims(tmp_path) as other:
        yield one, other


def test_a_cell_is_held_once_until_it_is_given_back(two: tuple[Claims, Claims]) -> None:
    one, other = two
    assert one.free(CELL) and one.take(CELL) and one.holds(CELL)
    assert not other.free(CELL) and not other.take(CELL) and not other.holds(CELL)
    assert not one.take(CELL), "nor by its owner a second time"
    assert other.take("lstm.full"), "a name that begins alike is another's"
    one.release([CELL])
    assert not one.holds(CELL) and other.take(CELL)


def test_what_is_held_at_the_end_is_given_back(tmp_path: Path) -> None:
    with Claims(tmp_path) as one:
        assert one.take(CELL)
    with Claims(tmp_path) as other:
        assert other.take(CELL)


RACING = """
import sys
from pathlib import Path
from lab.results.claims import Claims

with Claims(Path(sys.argv[1])) as claims:
    sys.stdin.read(1)
    print(*[n for n in range(300) if claims.take(str(n))], flush=True)
    sys.stdin.read()
"""


def racer(root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RACING, str(root)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})


def race(racers: list[subprocess.Popen[str]]) -> list[int]:
    """What they got, end to end, once all are at the start."""
    for one in racers:
        assert one.stdin is not None
        one.stdin.write("!")
        one.stdin.flush()
    return [int(n) for one in racers if one.stdout for n in one.stdout.readline().split()]


def test_racing_processes_share_and_inherit_without_overlap(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first = [stack.enter_context(racer(tmp_path)) for _ in range(3)]
        assert sorted(race(first)) == list(range(300))
        for one in first:
            one.send_signal(signal.SIGKILL)
            one.wait()
        second = [stack.enter_context(racer(tmp_path)) for _ in range(3)]
        assert sorted(race(second)) == list(range(300))
        for one in second:
            one.communicate()
    assert not list((tmp_path / "claims").iterdir())


def abroad(root: Path, beat: int) -> None:
    """A sign of life from an owner on another host."""
    owner = {"host": "elsewhere", "pid": 1, "started": "1", "token": "theirs", "beat": f"{beat:012d}"}
    (root / "claims").mkdir(exist_ok=True)
    (root / "claims" / f"{CELL}.1").write_text(json.dumps(owner))


def test_another_host_is_dead_only_after_a_lease_without_a_sign_of_life(tmp_path: Path) -> None:
    abroad(tmp_path, 0)
    with Claims(tmp_path, lease=1000) as patient, Claims(tmp_path, lease=0) as impatient:
        assert not patient.take(CELL) and not patient.take(CELL)
        assert not impatient.take(CELL), "seen for the first time"
        abroad(tmp_path, 1)
        assert not impatient.take(CELL), "it has moved"
        assert impatient.take(CELL) and impatient.holds(CELL)
        assert not patient.take(CELL)


def test_who_was_taken_for_dead_finds_so_and_leaves_the_new_owner_alone(tmp_path: Path) -> None:
    with Claims(tmp_path, beat=1000) as paused:
        assert paused.take(CELL)
        claim = tmp_path / "claims" / f"{CELL}.1"
        claim.write_bytes(claim.read_bytes().replace(b'"host": "', b'"host": "not-'))
        with Claims(tmp_path, lease=0) as heir:
            assert not heir.take(CELL) and heir.take(CELL)
            assert not paused.holds(CELL)
            paused.release([CELL])
            assert heir.holds(CELL)


def test_an_owner_shows_that_it_lives(tmp_path: Path) -> None:
    with Claims(tmp_path, beat=0.01) as one:
        assert one.take(CELL)
        claim = tmp_path / "claims" / f"{CELL}.1"
        first = claim.read_bytes()
        while claim.read_bytes() == first:
            pass
        assert one.holds(CELL)


def test_a_process_number_given_anew_does_not_keep_a_claim(tmp_path: Path) -> None:
    with Claims(tmp_path) as one, Claims(tmp_path) as other:
        assert one.take(CELL)
        claim = tmp_path / "claims" / f"{CELL}.1"
        owner = json.loads(claim.read_bytes())
        claim.write_text(json.dumps(owner | {"started": str(int(owner["started"]) - 1)}))
        assert other.take(CELL)
