"""What rows take of memory: a shard of the log while it is laid out, and rows on their way to the devices."""

from collections.abc import Iterable

from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.memory import Size, require_memory
from lab.data.rows.layout import PackedRows
from lab.data.timeline import SHARD_EVENTS, Timeline
from lab.dataset.dataset import Dataset
from lab.running.assembly import Assembly
from lab.training.devices import Layout
from lab.training.feeding import is_resident
from lab.training.program import Program
from lab.training.settings import Training

EVENT_BYTES = 600
"""What an event of a shard takes at most while all splits are laid out, as measured with every feature group."""
PICK_BYTES = 16
"""Of each place of a batch: which row stands there, as it is drawn and on the device."""
DISPATCHES = 4
"""Dispatches of rows from the host that are held at once: two that wait, one in the making, one in use."""

GIB = 2**30


@not_fingerprinted
def require_shard(timeline: Timeline, events: int, room: float | None = None) -> None:
    """Raise InputError where a shard of a log of so many events does not fit memory, before any of it is laid out."""
    size = Size("timeline.shard_events", timeline.shard_events, SHARD_EVENTS)
    require_memory([size], lambda most: min(most, events) * EVENT_BYTES, room)


@not_fingerprinted
def require_feeds(ready: Iterable[Assembly], data: Dataset) -> None:
    """`require_feed` for each program of a fold."""
    for one in ready:
        require_feed(one.program, data.splits["train"].packed, len(data.rest) > 0)


@not_fingerprinted
def require_feed(program: Program, rows: PackedRows, sharded: bool, room: float | None = None) -> None:
    """Raise InputError where the rows that training holds at once do not fit memory.

    That is all of them where they lie on the devices (at most `training.resident_gib`), else those of the steps between
    two looks. `sharded`: whether more shards follow, so that rows come from the host in any case.
    """
    training, layout = program.learner.training, program.layout
    picks = layout.cells_at_once * program.batch
    if sharded or not is_resident(rows, rows.count, training):
        _require_steps(program, picks * rows.row_bytes * DISPATCHES, room)
        return
    if layout.on_cpu:
        # Each device has a copy of its own, beside the one that the host has laid out.
        _require_whole(training, rows.count * rows.row_bytes, 1 + layout.lanes, room)
    else:
        _require_whole(training, rows.count * rows.row_bytes, 1, _free_on(layout) if room is None else room)
    _require_steps(program, picks * PICK_BYTES, room)


def _free_on(layout: Layout) -> float:
    """Bytes of the fullest device, infinite where it says nothing."""
    stats = [device.memory_stats() or {} for device in layout.devices]
    return min(one.get("bytes_limit", float("inf")) - one.get("bytes_in_use", 0) for one in stats)


def _require_whole(training: Training, whole: float, copies: int, room: float | None) -> None:
    """Rows lie on the devices where they are no larger than the setting: less of it, and they come from the host."""
    size = Size("training.resident_gib", training.resident_gib, Training.resident_gib, whole=False)
    require_memory([size], lambda gib: copies * whole if whole <= gib * GIB else 0.0, room)


def _require_steps(program: Program, each: float, room: float | None) -> None:
    """`each`: bytes of a step's rows, or of their numbers."""
    size = Size("training.evaluate_every", program.steps, Training.evaluate_every)
    require_memory([size], lambda steps: steps * each, room)
