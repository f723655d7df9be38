"""Two generations of a state: the newest that is whole is found, and what is not is told of."""

import os
from pathlib import Path

import pytest

from lab.core.errors import FaultError
from lab.results.checkpoint_files import CheckpointFiles
from lab.results.store import Store
from lab.running.resuming import group_by_checkpoint
from tests.results.made import record


def read_and_complaints(states: CheckpointFiles) -> tuple[dict[int, bytes], list[str]]:
    damage: list[FaultError] = []
    found = states.read_intact(damage.append)
    return found, [str(error) for error in damage]


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    states = CheckpointFiles(tmp_path / "cell", "unfinished")
    assert read_and_complaints(states) == ({}, [])
    for number in (1, 2, 9, 10):
        states.write(number, b"state %d" % number)
    assert read_and_complaints(states) == ({10: b"state 10", 9: b"state 9"}, [])
    assert len(os.listdir(tmp_path / "cell")) == 2
    states.clear()
    assert not os.listdir(tmp_path / "cell")


@pytest.mark.parametrize("damage", ["cut", "flip in the content", "flip in the digest", "empty"])
def test_a_damaged_one_is_told_of_and_makes_room(tmp_path: Path, damage: str) -> None:
    states = CheckpointFiles(tmp_path, "unfinished")
    for number in (3, 4):
        states.write(number, bytes(1000))
    path = tmp_path / "unfinished.000004"
    content = bytearray(path.read_bytes())
    place = {"flip in the content": 500, "flip in the digest": 5}.get(damage)
    if place:
        content[place] ^= 16
    path.write_bytes(content if place else content[:-1] if damage == "cut" else b"")
    assert read_and_complaints(states) == ({3: bytes(1000)}, [f"{path}: is damaged."])
    assert states.numbers() == [3]
    with pytest.raises(FaultError, match="cannot be read"):
        states.read(4)


def test_a_finished_cell_has_none_and_a_failed_one_keeps_its_own(tmp_path: Path) -> None:
    store, name = Store(tmp_path), record().id
    store.checkpoints(name).write(5, b"state")
    store.write(record(status="failed", reason="out of memory"))
    assert store.checkpoints(name).numbers() == [5]
    store.write(record())
    assert os.listdir(store.folder(name)) == ["cell.json"]


@pytest.mark.parametrize(
    ("places", "groups"),
    [
        ([[], [], []], [(0, [0, 1, 2])]),
        ([[5, 4], [5, 4]], [(5, [0, 1])]),
        ([[5, 4], [4, 3], []], [(4, [0, 1]), (0, [2])]),  # killed between the two: both from 4
        ([[9, 4], [6, 4], [6, 4]], [(6, [1, 2]), (9, [0])]),
        ([], []),
    ],
)
def test_cells_go_on_together_from_a_place_they_share(places: list[list[int]], groups: list) -> None:
    assert group_by_checkpoint(places) == groups
