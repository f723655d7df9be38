"""Run an experiment: python -m lab.run FILE [settings]

    python -m lab.run experiments/lstm_vs_transformer.py
    python -m lab.run experiments/lstm_vs_transformer.py --help
    python -m lab.run experiments/lstm_vs_transformer.py --dry-run
    python -m lab.run experiments/lstm_vs_transformer.py --dry-run --estimate
    python -m lab.run experiments/lstm_vs_transformer.py --status
    python -m lab.run experiments/lstm_vs_transformer.py --stale
    python -m lab.run experiments/lstm_vs_transformer.py \\
        --seeds 3 --horizons 7 30 --training.steps 200 --out DIR
    python -m lab.run experiments/lstm_vs_transformer.py \\
        source:table --source.path log.csv --source.user visitor

    python -m lab.run --list

--list shows every model, feature group, target, source, baseline and
experiment known by name; after FILE, those that the file registers too. FILE
is a Python file that registers one experiment. Every setting it declares can
be changed on the command line. What is finished is kept: the same command
again goes on where the last one stopped.
"""

import signal
import sys
import time
from pathlib import Path

from lab.core.entry_point import arguments_or_help, run_command
from lab.core.escape import terminal
from lab.core.shell import shell_command
from lab.core.stop_signals import GRACE_SECONDS, handle_stop_signals


def main() -> None:
    """Run what the command line says, and leave: 0 done, 1 a fault, 2 a mistake of the user's, 130 stopped."""
    arguments = arguments_or_help(__doc__)
    try:
        handle_stop_signals(Interrupt())
        sys.unraisablehook = ask_again
        code = run_command(lambda: _run(arguments[0], arguments[1:]))
    except KeyboardInterrupt:
        handle_stop_signals(signal.SIG_IGN)
        again = terminal(shell_command("lab.run", *arguments))
        print(f"\nStopped. Finished cells are kept; go on with:\n  {again}", file=sys.stderr)
        code = 130
    sys.exit(code)


def _run(file: str, arguments: list[str]) -> int:
    if "--list" in (file, *arguments):
        from lab.commands.part_list import list_parts

        print(terminal("\n".join(list_parts(None if file == "--list" else Path(file))).rstrip()))
        return 0

    from lab.commands.command_line import parse
    from lab.experiment.loading import load_experiment

    declared, about = load_experiment(Path(file))
    experiment, options = parse(declared, f"python -m lab.run {file}", about, arguments)

    from rich.console import Console

    from lab.results.store import Store
    from lab.running.backend import prepare_backend
    from lab.running.device_count import device_count_line, devices_for
    from lab.running.plan import print_line
    from lab.running.run_settings import RunSettings
    from lab.running.runner import Run

    store, console = Store(options.out / experiment.name), Console()
    store.check_length()
    devices = devices_for(store)
    prepare_backend(options.cache, devices)
    if line := device_count_line(store, devices):
        print_line(console, line)
    run = Run(
        experiment,
        RunSettings(
            *(options.out, options.cache, options.tracking, console),
            *(options.only, options.report, options.checkpoint_every),
        ),
        {"file": Path(file).name, "text": about},
    )
    if options.status:
        return run.show_status()
    if options.stale:
        return run.show_stale()
    if options.dry_run or options.estimate:
        run.show_plan(options.estimate)
        return 0
    return run.compute()


class Interrupt:
    """Answers a request to end, and not again at once, so that a key pressed twice does not spoil the leaving."""

    def __init__(self) -> None:
        self._answered = -GRACE_SECONDS

    def __call__(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if now - self._answered >= GRACE_SECONDS:
            self._answered = now
            raise KeyboardInterrupt


def ask_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Let a stop that fell where Python drops exceptions, as in a callback of its collector, fall anew soon after."""
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)


if __name__ == "__main__":
    main()
