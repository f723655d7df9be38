"""The process that mirrors cells to Weights & Biases: `python -m lab.tracking.mirror ROOT MODE PROJECT ABOUT [ENTITY]`.

Reads names of stored cells from standard input, a line each, until it ends; `.summary` stands for the tables of
the whole experiment. ABOUT is JSON: the group of its runs, and the dataset they use. Cells that the ledger knows are
passed over. Writes to standard output what a person should know, and everything else to standard error.
"""

import json
import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.results.claims import Claims
from lab.results.store import Store
from lab.tracking.ledger import SUMMARY, Ledger
from lab.tracking.wandb_run import Mode, Runs
from lab.tracking.workspace import can_lay_out, lay_out

UNHARMED = "The results are complete without it, and the same command mirrors what is missing."

REQUEST = "10"
"""Seconds that W&B has for one of its requests, where WANDB_HTTP_TIMEOUT does not say."""


def main() -> int:
    """Mirror until the input ends. An exit code other than 0 means that W&B failed for good."""
    root, mode, project, about, *entity = sys.argv[1:]
    os.nice(10)  # training comes first
    report = os.fdopen(os.dup(1), "w", buffering=1)  # W&B may end this process in a way of its own
    os.dup2(2, 1)  # whatever a library prints goes to the log
    _prepare()
    store, known = Store(Path(root)), json.loads(about)
    place = {"project": project, "entity": entity[0] if entity else None, "group": known["group"]}
    runs = Runs(store, Ledger(store.root, known["group"]), place, known.get("dataset", {}))
    mirror = Mirror(runs, report)
    try:
        mirror.modes = _modes(mode)
        mirror.all(map(str.strip, sys.stdin))
    except Exception as error:  # of any kind: a mirror may break, the run beside it goes on
        print(f"{_first_line(error)}; mirrored before it: {mirror.done.total()}. {UNHARMED}", file=report)
        raise
    mirror.conclude()
    return 0


class Mirror:
    """Writes the runs of cells, online while that works, and keeps count."""

    def __init__(self, runs: Runs, report: Any) -> None:
        self._runs, self._report = runs, report
        self.modes: list[Mode] = ["offline"]
        """How to talk to W&B, and how else when that fails."""
        self.done = Counter[Mode]()
        self._left = 0

    def all(self, names: Iterable[str]) -> None:
        """Mirror cells, each by one process: several may share a folder, and each finds what is missing."""
        with Claims(self._runs.store.root / "wandb") as claims:
            for name in names:
                try:
                    if claims.take(name) and self._runs.ledger.lacks(name):
                        self._one(name)
                finally:
                    claims.release([name])

    def conclude(self) -> None:
        """Say what became of the runs, and how to send those that were not."""
        root = self._runs.store.root
        if count := self.done["online"]:
            print(f"{_runs(count)} mirrored online.", file=self._report)
        if count := self.done["offline"]:
            print(
                f"{_runs(count)} kept offline; to send them: wandb sync {shlex.quote(str(root))}/wandb/offline-run-*",
                file=self._report,
            )
        if self._left:
            print(f"{_runs(self._left)} begun online; the same command, online, ends what is there.", file=self._report)

    def _one(self, name: str) -> None:
        """Mirror a cell or the tables; once W&B cannot be reached, this one and the rest are kept offline."""
        if self.modes[0] == "online" and self._goes_online(name):
            return
        if self._runs.ledger.began(name):
            # Sent from an offline copy, its history would follow what is there of it already.
            self._left += 1
        else:
            self._runs.write(name, "offline")
            self._note(name, "offline")

    def _goes_online(self, name: str) -> bool:
        try:
            self._runs.write(name, "online")
        except Exception as error:
            print(f"{_refusal(error)}; from here on runs are kept offline.", file=self._report)
            self.modes.remove("online")
            _restart()
            return False
        self._note(name, "online")
        if name == SUMMARY:
            self._lay_out()
        return True

    def _lay_out(self) -> None:
        """Give the group a workspace, once. A server that does not let it be made has all the runs nonetheless."""
        place, ledger = self._runs.place, self._runs.ledger
        measures = next((one.measures for one in self._runs.store.records() if one.measures), None)
        if measures is None or not can_lay_out() or ledger.has_workspace():
            return
        try:
            address = lay_out(place["entity"], place["project"], place["group"], measures)
        except Exception as error:
            print(f"no workspace could be laid out ({_first_line(error)}).", file=self._report)
        else:
            ledger.note_workspace()
            print(f"workspace: {address}", file=self._report)

    def _note(self, name: str, mode: Mode) -> None:
        self._runs.ledger.note(name)
        self.done[mode] += 1


def _prepare() -> None:
    """Say to W&B by its environment what no setting of a run says."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # what it counts of its own use, over the user's network
    os.environ.setdefault("WANDB_HTTP_TIMEOUT", REQUEST)


def _modes(mode: str) -> list[Mode]:
    import wandb

    if mode == "auto":
        mode = "online" if wandb.login(prompt=False, verify=False) else "offline"
    return ["online", "offline"] if mode == "online" else ["offline"]


def _restart() -> None:
    """End W&B's service: it holds the run that failed, and would refuse the same id."""
    import wandb

    try:
        wandb.teardown()
    except (Exception, SystemExit) as error:  # a service that died takes who asks with it
        print(f"the service ended with {error!r}", file=sys.stderr)


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _refusal(error: Exception) -> str:
    """What became of a run that was to go online, and what to do where the key is at fault."""
    import wandb
    from wandb.sdk.mailbox import HandleAbandonedError

    if isinstance(error, HandleAbandonedError | ConnectionError):
        return "W&B's service on this machine ended before its run did"
    said = f"{wandb.setup().settings.base_url}: {_first_line(error)}"
    return f"{said} (is the key right? wandb login --relogin)" if re.search(r"\b40[13]\b", said) else said


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
