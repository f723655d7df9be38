"""Requests to end: Ctrl-C, and the signal by which another program asks a process to end."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What asks a run to end: Ctrl-C, and the polite request of another program."""

GRACE_SECONDS = 10.0
"""Seconds after a first request to end in which more of them add nothing: tables are being written."""


def handle_stop_signals(answer: Callable[[int, object], None] | signal.Handlers) -> None:
    """Have requests to end answered so, but for those that whoever started the process has it ignore."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as where a shell runs it in the background
            signal.signal(number, answer)


@contextmanager
def ignore_stop_signals() -> Iterator[None]:
    """Ignores requests to end while what is there is put in order, though not for longer than `GRACE_SECONDS`.

    Ignored by the system, not by a handler in Python: polars answers Ctrl-C itself, whatever the handler does.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone hears of signals
        yield
        return
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def hear(*_: object) -> None:
        for number, answer in before.items():
            signal.signal(number, answer)

    handle_stop_signals(signal.SIG_IGN)
    alarm = signal.signal(signal.SIGALRM, hear)
    signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        hear()
