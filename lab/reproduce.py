"""Reproduce a run from its pin: python -m lab.reproduce PIN [settings]

    python -m lab.reproduce results/lstm_vs_transformer/pin.json --cells 2
    python -m lab.reproduce PIN --source.path FOLDER/log.csv
    python -m lab.reproduce PIN --with FILE

A pin keeps the names of files alone: --source.path says where the log lies, and
--with names the experiment's file, where it has classes of the user's own.

Checks the data first, then says what differs here from where the pin was made,
and so at which level it judges: bitwise, tolerance or statistical (docs/pin.md).
Exit code 0: all matched; 1: something did not; 2: a mistake of the user's.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lab.core.entry_point import arguments_or_help, run_command
from lab.core.errors import InputError
from lab.core.escape import printable, terminal

if TYPE_CHECKING:
    from lab.experiment.experiment import Experiment
    from lab.running.runner import Run


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to reproduce."""

    cells: int | None = None
    """How many cells to compute again, spread over the lines of the table. Default: all."""
    level: Literal["auto", "bitwise", "tolerance", "statistical"] = "auto"
    """How to judge. auto: bitwise where nothing differs that can move a bit, else tolerance."""
    out: Path | None = None
    """Folder to keep what is computed in, and to go on from. Default: a temporary one."""
    cache: Path | None = None
    """Folder where prepared logs are kept. Default: $LAB_CACHE, or the user's cache folder."""

    def __post_init__(self) -> None:
        if self.cells is not None and self.cells < 1:
            raise InputError(f"cells: {self.cells} reproduces nothing; use 1 or more.")


def main() -> None:
    """Reproduce what the command line names, and leave."""
    arguments = arguments_or_help(__doc__)
    try:
        code = run_command(lambda: _reproduce(Path(arguments[0]), arguments[1:]))
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        code = 130
    sys.exit(code)


def _reproduce(path: Path, arguments: list[str]) -> int:
    from lab.experiment.loading import load_experiment
    from lab.experiment.settings import experiment_from_settings
    from lab.pins.comparison import check_seeds
    from lab.pins.pin import measures_of, read_pin
    from lab.running.backend import prepare_backend

    pin = read_pin(path)
    file, arguments = _with(arguments)
    declared = load_experiment(file)[0] if file else None
    experiment, options = _parse(experiment_from_settings(pin["experiment"], declared), path, arguments)
    chosen = choose(pin["cells"], options.cells)
    moved = _moved(pin, chosen, experiment)
    if options.level == "statistical":
        check_seeds(chosen, measures_of(pin))
    require_files(pin, experiment, path)
    prepare_backend(options.cache, pinned_devices(chosen))
    with tempfile.TemporaryDirectory() as temporary:
        run = _prepared(pin, experiment, options, Path(temporary))
        level = _introduce(pin, chosen, options.level, moved)
        return _judge(pin, chosen, level, _computed(run, chosen))


def _with(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """The file named by --with, and the other arguments."""
    if "--with" not in arguments:
        return None, arguments
    at = arguments.index("--with")
    if at + 1 == len(arguments):
        raise InputError("--with: names no file; write --with FILE.")
    return Path(arguments[at + 1]), arguments[:at] + arguments[at + 2 :]


def _parse(experiment: "Experiment", path: Path, arguments: list[str]) -> tuple["Experiment", Options]:
    from dataclasses import fields

    import tyro

    from lab.commands.arguments import read_arguments
    from lab.commands.command_line import field_docs

    source, told = experiment.source, field_docs(Options)
    columns: list[Any] = [
        (f.name, Annotated[f.type, tyro.conf.arg(help=told[f.name])], field(default=f.default)) for f in fields(Options)
    ]
    columns.append(("source", type(source), field(default_factory=lambda: source)))
    read = read_arguments(
        make_dataclass("Arguments", columns, kw_only=True), f"python -m lab.reproduce {path}", arguments
    )
    options = Options(**{f.name: getattr(read, f.name) for f in fields(Options)})
    return replace(experiment, source=read.source), options


def choose(cells: Sequence[Mapping[str, Any]], count: int | None) -> list[Mapping[str, Any]]:
    """Cells to compute again: all that were computed, or `count` of them, spread over the lines, trained ones first."""
    there = [cell for cell in cells if cell["status"] != "missing"]
    if not there:
        raise InputError("cells: the pin holds no cell that was computed; there is nothing to reproduce.")
    if count is None or count >= len(there):
        return there
    lines: dict[tuple, list[Mapping[str, Any]]] = {}
    for cell in sorted(there, key=lambda cell: cell["kind"] != "model"):
        key = cell["kind"], cell["model"], cell["features"], cell.get("variant", ""), cell["horizon"]
        lines.setdefault(key, []).append(cell)
    rows = list(lines.values())
    trained = [row for row in rows if row[0]["kind"] == "model"]
    pool = trained if count <= len(trained) else rows
    if count <= len(pool):
        return [pool[i * len(pool) // count][0] for i in range(count)]
    rounds = [row[i] for i in range(max(map(len, rows))) for row in rows if i < len(row)]
    return rounds[:count]


def pinned_devices(chosen: Sequence[Mapping[str, Any]]) -> int | None:
    """On how many CPU devices the cells were trained: so many here too, whatever the cores. None for no CPU's."""
    return max((one["devices"] for one in chosen), default=0) or None


def differences(pin: Mapping[str, Any]) -> tuple[list[str], bool]:
    """What differs here, a line each, and whether any of it can move a bit."""
    from lab.core.nested import flatten
    from lab.pins.environment import describe_code, describe_machine

    here = {"code": describe_code(), "machine": describe_machine()}
    mute = {"code.commit", "code.dirty", "code.version", "code.lock_sha256", "machine.memory_bytes"}
    mute |= {"machine.cores"}  # bits follow from the devices, of which there are as many as pinned
    pinned = flatten({name: {k: v for k, v in pin[name].items() if k != "modules"} for name in here})
    found = {name: (pinned.get(name), now) for name, now in flatten(here).items() if pinned.get(name) != now}
    found |= {name: (was, None) for name, was in pinned.items() if name not in flatten(here)}
    lines = [f"{name}: {_short(was)} in the pin, {_short(now)} here" for name, (was, now) in found.items()]
    return lines, any(name not in mute for name in found)


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."


def _moved(pin: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]], experiment: "Experiment") -> list[str]:
    """What differs in the code that the chosen cells can reach, a line for each module.

    Raises InputError where a cell is not the pinned one: another level would not make it so.
    """
    from lab.experiment.cell_record import place_of
    from lab.experiment.cells import grid
    from lab.pins.comparison import moved_settings
    from lab.results.stale_cells import moved_modules

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


def _introduce(pin: Mapping[str, Any], chosen: Sequence[Any], asked: str, moved: list[str]) -> str:
    """Say what differs, and at which level is judged."""
    from lab.pins.comparison import LEVELS

    lines, bits = differences(pin)
    lines += moved
    level = ("tolerance" if bits or moved else "bitwise") if asked == "auto" else asked
    assert level in LEVELS
    _say(f"{pin['experiment']['name']}: {len(chosen)} of {len(pin['cells'])} cells are computed again.")
    _say("What differs here:" if lines else "Nothing differs here from where the pin was made.")
    for line in lines:
        _say(f"  {line}")
    _say(f"Judged at level {level}{', as it was asked' if asked != 'auto' else ''}.")
    return level


def _say(line: str) -> None:
    import textwrap

    print(textwrap.fill(printable(line), 80, subsequent_indent="    "), flush=True)


def require_files(pin: Mapping[str, Any], experiment: "Experiment", path: Path) -> None:
    """Raise InputError, with the line to run, where the pinned files are not here, or others in their place."""
    from lab.core.shell import shell_command
    from lab.experiment.settings import flags_of_files
    from lab.pins.pin import check_files

    try:
        check_files(experiment.source, pin)
    except InputError as error:
        flags = flags_of_files(pin["experiment"]["source"]) or ["--source.path", "FOLDER"]
        line = shell_command("lab.reproduce", str(path), *flags)
        raise InputError(f"{error} A pin keeps the names of files alone; say where they lie:\n  {line}") from None


def _prepared(pin: Mapping[str, Any], experiment: "Experiment", options: Options, folder: Path) -> "Run":
    """The run, its log ready. Raises InputError where that is not the pinned one, whatever its files are."""
    from rich.console import Console

    from lab.running.runner import Run, RunSettings
    from lab.tracking.tracker import Tracking

    run = Run(experiment, RunSettings(options.out or folder, options.cache, Tracking(mode="off"), Console()))
    was, now = pin["data"]["fingerprint"], run.histories.fingerprint
    if was != now:
        raise InputError(f"source: the histories made of it have the fingerprint {now}, those of the pin {was}.")
    return run


def _computed(run: "Run", chosen: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The chosen cells computed here, each as a pin holds it."""
    from lab.experiment.cell_record import place_of
    from lab.pins.pin import pinned_cell

    mine = {place_of(cell.record("missing")): cell for cell in run.cells}
    cells = [mine[place_of(one)] for one in chosen]
    run.store.check_writable()
    with run.tracker() as tracker:
        run.compute_cells([cell for cell in cells if not run.store.finished(cell.id)], tracker)
    return [pinned_cell(run.store, run.store.read(cell.id)) for cell in cells]


def _judge(pin: Mapping[str, Any], chosen: Sequence[Any], level: str, got: Sequence[Mapping[str, Any]]) -> int:
    """Print the table; 0 where all matched, else 1."""
    from lab.pins.comparison import judge_cell, judge_lines
    from lab.pins.pin import measures_of

    measures = measures_of(pin)
    rows = [_row("cell", "expected", "got", "verdict")]
    if level == "statistical":
        verdicts = judge_lines(chosen, got, measures)
    else:
        pairs = zip(chosen, got, strict=True)
        verdicts = [(cell["id"], judge_cell(level, cell, new, measures)) for cell, new in pairs]  # type: ignore[arg-type]
    for name, verdict in verdicts:
        rows.append(_row(name, verdict.expected, verdict.got, level if verdict.matched else "differs"))
        if verdict.why and not verdict.matched:
            rows.append(f"  {verdict.why}"[:80])
    matched = sum(verdict.matched for _, verdict in verdicts)
    print(terminal("\n".join(rows)))
    print(f"{matched} of {len(verdicts)} matched at level {level}; shown: {measures.leading} on test, or what differs.")
    return int(matched < len(verdicts))


def _row(name: str, expected: str, got: str, verdict: str) -> str:
    name = name if len(name) <= 32 else f"{name[:16]}..{name[-14:]}"
    return f"{name:<32}  {expected[:17]:>17}  {got[:17]:>17}  {verdict}"


if __name__ == "__main__":
    main()
