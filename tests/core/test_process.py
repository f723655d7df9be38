"""How commands end: what asks a second time, while tables are written, adds nothing."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import lab.core.process
from lab.core.process import deaf

POLARS = """
import os, signal, threading, time
heard = []
signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))  # before polars sets its own beneath it
import polars as pl
from lab.core.process import deaf

frame = pl.select(pl.int_range(3_000_000).shuffle(seed=0).alias("a"))

def sort_under_a_key():
    killer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    killer.start()
    while killer.is_alive():
        frame.lazy().sort("a").collect()

try:
    sort_under_a_key()
except KeyboardInterrupt:
    print("polars answers")
with deaf():
    sort_under_a_key()
heard.clear()
os.kill(os.getpid(), signal.SIGINT)
print(len(heard), "heard after it")
"""


def test_polars_answers_a_key_itself_but_for_who_is_deaf() -> None:
    done = subprocess.run([sys.executable, "-c", POLARS], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("polars answers\n1 heard after it\n", "")


def test_who_asks_again_much_later_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.core.process, "SOON", 0.05)
    with pytest.raises(KeyboardInterrupt), deaf():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_a_thread_that_hears_of_no_signal_changes_none() -> None:
    seen = []

    def work() -> None:
        with deaf():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)] and seen[0] is not signal.SIG_IGN
