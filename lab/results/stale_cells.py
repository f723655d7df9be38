"""Cells on disk that stand where others are asked for: of other settings, data, code or packages than those."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lab.core.errors import InputError
from lab.core.files import canonical_json
from lab.core.nested import flatten
from lab.experiment.cell_record import CellRecord, line_of, place_of
from lab.results.store import Store

_OF_PLACE = ("fold", "seed")
"""Settings by which the cells of one line differ."""
_OF_ALL = ("data", "packages")
"""Fingerprints that all cells of a table share; their code differs where some use a class of the user's own."""
_ABSENT = object()


def moved_parts(planned: CellRecord, other: CellRecord) -> tuple[str, ...]:
    """The fingerprints, then the settings, in which two cells of one line differ; none where they go together."""
    prints = [_difference_name(name, planned, other) for name in _differing(planned.fingerprints, other.fingerprints)]
    settings = _differing(flatten(planned.config), flatten(other.config))
    return (*prints, *(name for name in settings if name not in _OF_PLACE))


def _difference_name(fingerprint: str, planned: CellRecord, other: CellRecord) -> str:
    """`data`, or `code of lab.models.gru and 2 more` where it is known which code it was."""
    modules = moved_modules(planned.modules, other.modules) if fingerprint == "code" and other.modules else []
    more = f" and {len(modules) - 1} more" if len(modules) > 1 else ""
    return f"{fingerprint} of {modules[0]}{more}" if modules else fingerprint


def moved_modules(planned: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The modules whose code differs between two cells, by their names today; one that was only renamed is none."""
    told = [name for name, digest in planned.items() if digest not in other.values()]
    return told or [name for name, digest in other.items() if digest not in planned.values()]


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name, _ABSENT) != other.get(name, _ABSENT)]


def with_stale(store: Store, planned: Sequence[CellRecord]) -> list[CellRecord]:
    """What is planned, and after it the stale cells at places of which nothing is kept, marked by what moved.

    Of each line those of one generation, whose settings and fingerprints are all the same: the nearest to what is
    asked for, of several such the newest.
    """
    kept = {record.id: record for record in store.readable()}
    open_ = {place_of(one): one for one in planned if one.id not in kept}
    lines: dict[tuple, dict[bytes, list[CellRecord]]] = {}
    for record in kept.values():
        if place_of(record) in open_:
            lines.setdefault(line_of(record), {}).setdefault(_generation(record), []).append(record)

    def rank(cells: Sequence[CellRecord]) -> tuple:
        names = moved_parts(open_[place_of(cells[0])], cells[0])
        return len(names), -max(stamp[1] for one in cells if (stamp := store.stamp(one.id))), names

    nearest = [min(generations.values(), key=rank) for generations in lines.values()]
    return [
        *planned,
        *(replace(one, stale=moved_parts(open_[place_of(one)], one)) for cells in nearest for one in cells),
    ]


def outdated_checkpoints(store: Store, planned: Sequence[CellRecord]) -> list[str]:
    """Cells kept in the middle of their training that are named as planned ones are, and are of another identity."""
    ids = {one.id for one in planned}
    names = {_without_digest(one) for one in ids}
    return [one for one in store.cells_in_training() if one not in ids and _without_digest(one) in names]


def _without_digest(cell: str) -> str:
    return cell.rpartition("-")[0]


def _generation(record: CellRecord) -> bytes:
    settings = {name: value for name, value in record.config.items() if name not in _OF_PLACE}
    return canonical_json([dict(record.fingerprints), settings])


def refuse_mixed(lines: Iterable[Sequence[CellRecord]]) -> None:
    """Raise InputError where the finished cells of a line, or the data or packages of two lines, are not the same."""
    lines = [[cell for cell in line if cell.status in ("done", "diverged")] for line in lines]
    for first, *others in filter(None, lines):
        for other in others:
            _refuse(first, other, moved_parts(first, other))
    fresh = [line[0] for line in lines if line and not line[0].stale]
    for other in fresh[1:]:
        _refuse(fresh[0], other, [name for name in moved_parts(fresh[0], other) if name in _OF_ALL])


def _refuse(one: CellRecord, other: CellRecord, names: Sequence[str]) -> None:
    if names:
        raise InputError(
            f"cells {one.id} and {other.id} differ in {', '.join(names)}; one of them is stale, and one table of "
            "both would be of neither. `python -m lab.run FILE --stale` shows them apart; "
            "a run computes the stale ones anew."
        )
