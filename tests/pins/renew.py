"""Make the committed pin anew, as after a change of what a pin holds: python -m tests.pins.renew"""

import json
import tempfile
from pathlib import Path

from rich.console import Console

from lab.experiment.settings import experiment_from_settings
from lab.running.backend import prepare_backend
from lab.running.run_settings import RunSettings
from lab.running.runner import Run
from lab.tracking.tracker import Tracking

PIN = Path(__file__).with_name("tiny.json")


def main() -> None:
    old = json.loads(PIN.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        prepare_backend(root)
        place = RunSettings(root / "results", root, Tracking(mode="off"), Console(quiet=True), report=False)
        run = Run(experiment_from_settings(old["experiment"]), place, old["about"])
        run.compute()
        PIN.write_bytes((run.store.root / "pin.json").read_bytes())


if __name__ == "__main__":
    main()
