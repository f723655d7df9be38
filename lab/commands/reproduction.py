"""The answer of `python -m lab.reproduce`: what differs here, and whether the cells of a pin come out again."""

import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, make_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from lab.commands.arguments import read_arguments
from lab.commands.command_line import field_docs
from lab.core.errors import InputError
from lab.core.escape import printable, terminal
from lab.core.shell import shell_command
from lab.experiment.experiment import Experiment
from lab.experiment.loading import load_experiment
from lab.experiment.settings import experiment_from_settings, flags_of_files
from lab.pins.chosen_cells import choose_cells, pinned_devices
from lab.pins.comparison import Level, check_seeds, judge_cell, judge_lines
from lab.pins.differences import code_differences, differences
from lab.pins.pin import check_files, measures_of, read_pin
from lab.running.backend import prepare_backend
from lab.running.pinned_run import compute_pinned_cells, prepare_pinned_run

Pin = Mapping[str, Any]
"""A pin, or a cell of one, as plain values."""


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


def reproduce(path: Path, arguments: list[str]) -> int:
    """Compute cells of a pin again and print how they compare; 0 where all matched, else 1."""
    pin = read_pin(path)
    file, arguments = _file_of_classes(arguments)
    declared = load_experiment(file)[0] if file else None
    experiment, options = _parse(experiment_from_settings(pin["experiment"], declared), path, arguments)
    chosen = choose_cells(pin["cells"], options.cells)
    moved = code_differences(pin, chosen, experiment)
    if options.level == "statistical":
        check_seeds(chosen, measures_of(pin))
    require_files(pin, experiment, path)
    prepare_backend(options.cache, pinned_devices(chosen))
    with tempfile.TemporaryDirectory() as temporary:
        run = prepare_pinned_run(pin, experiment, options.out or Path(temporary), options.cache)
        level = _introduce(pin, chosen, options.level, moved)
        return _print_verdicts(pin, chosen, level, compute_pinned_cells(run, chosen))


def _file_of_classes(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """The file named by --with, and the other arguments."""
    if "--with" not in arguments:
        return None, arguments
    at = arguments.index("--with")
    if at + 1 == len(arguments):
        raise InputError("--with: names no file; write --with FILE.")
    return Path(arguments[at + 1]), arguments[:at] + arguments[at + 2 :]


def _parse(experiment: Experiment, path: Path, arguments: list[str]) -> tuple[Experiment, Options]:
    source, docs = experiment.source, field_docs(Options)
    columns: list[Any] = [
        (f.name, Annotated[f.type, tyro.conf.arg(help=docs[f.name])], field(default=f.default)) for f in fields(Options)
    ]
    columns.append(("source", type(source), field(default_factory=lambda: source)))
    read = read_arguments(
        make_dataclass("Arguments", columns, kw_only=True), f"python -m lab.reproduce {path}", arguments
    )
    options = Options(**{f.name: getattr(read, f.name) for f in fields(Options)})
    return replace(experiment, source=read.source), options


def require_files(pin: Pin, experiment: Experiment, path: Path) -> None:
    """Raise InputError, with the line to run, where the pinned files are not here, or others in their place."""
    try:
        check_files(experiment.source, pin)
    except InputError as error:
        flags = flags_of_files(pin["experiment"]["source"]) or ["--source.path", "FOLDER"]
        line = shell_command("lab.reproduce", str(path), *flags)
        raise InputError(f"{error} A pin keeps the names of files alone; say where they lie:\n  {line}") from None


def _introduce(pin: Pin, chosen: Sequence[Pin], asked: Literal["auto"] | Level, moved: list[str]) -> Level:
    """Say what differs, and at which level is judged."""
    lines, bits = differences(pin)
    lines += moved
    level: Level = ("tolerance" if bits or moved else "bitwise") if asked == "auto" else asked
    _print_wrapped(f"{pin['experiment']['name']}: {len(chosen)} of {len(pin['cells'])} cells are computed again.")
    _print_wrapped("What differs here:" if lines else "Nothing differs here from where the pin was made.")
    for line in lines:
        _print_wrapped(f"  {line}")
    _print_wrapped(f"Judged at level {level}{', as it was asked' if asked != 'auto' else ''}.")
    return level


def _print_wrapped(line: str) -> None:
    print(textwrap.fill(printable(line), 80, subsequent_indent="    "), flush=True)


def _print_verdicts(
    pin: Mapping[str, Any], chosen: Sequence[Any], level: Level, got: Sequence[Mapping[str, Any]]
) -> int:
    """Print the table; 0 where all matched, else 1."""
    measures = measures_of(pin)
    rows = [_row("cell", "expected", "got", "verdict")]
    if level == "statistical":
        verdicts = judge_lines(chosen, got, measures)
    else:
        pairs = zip(chosen, got, strict=True)
        verdicts = [(cell["id"], judge_cell(level, cell, new, measures)) for cell, new in pairs]
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
