"""What differs here from where a pin was made: the machine, its packages, and the code that cells can reach."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.core.errors import InputError
from lab.core.nested import flatten
from lab.experiment.cell_record import place_of
from lab.experiment.cells import grid
from lab.experiment.experiment import Experiment
from lab.pins.comparison import moved_settings
from lab.pins.environment import describe_code, describe_machine
from lab.results.stale_cells import moved_modules


def differences(pin: Mapping[str, Any]) -> tuple[list[str], bool]:
    """What differs here, a line each, and whether any of it can move a bit."""
    here = {"code": describe_code(), "machine": describe_machine()}
    mute = {"code.commit", "code.dirty", "code.version", "code.lock_sha256", "machine.memory_bytes"}
    mute |= {"machine.cores"}  # bits follow from the devices, of which there are as many as pinned
    pinned = flatten({name: {k: v for k, v in pin[name].items() if k != "modules"} for name in here})
    found = {name: (pinned.get(name), now) for name, now in flatten(here).items() if pinned.get(name) != now}
    found |= {name: (was, None) for name, was in pinned.items() if name not in flatten(here)}
    lines = [f"{name}: {_short(was)} in the pin, {_short(now)} here" for name, (was, now) in found.items()]
    return lines, any(name not in mute for name in found)


def code_differences(pin: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]], experiment: Experiment) -> list[str]:
    """What differs in the code that the chosen cells can reach, a line for each module.

    Raises InputError where a cell is not the pinned one: another level would not make it so.
    """
    cells = grid(experiment, pin["data"]["fingerprint"], experiment.target.truth(experiment.source) is not None)
    here = {place_of(record): record for record in (cell.record("missing") for cell in cells)}
    modules: dict[str, None] = {}
    for one in chosen:
        now = here.get(place_of(one))
        if now is None or one["fingerprints"].get("data") != pin["data"]["fingerprint"]:
            raise InputError(f"cells: {one['id']} is no cell of the pinned experiment; the pin contradicts itself.")
        if moved := moved_settings(one["config"], now.config):
            raise InputError(f"cells: {one['id']} is another cell here: {'; '.join(moved)}. It cannot come out again.")
        if one["fingerprints"]["code"] != now.fingerprints["code"]:
            known = pin["code"]["modules"].get(one["fingerprints"]["code"], {})
            modules.update(dict.fromkeys(moved_modules(now.modules, known) or ["what its modules import"]))
    return [f"code of {name}: another than the pin's" for name in modules]


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."
