"""How commands end: what asks a second time, while tables are written, adds nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import lab.core.stop_signals
from lab.core.entry_point import OUTPUT_CLOSED
from lab.core.escape import printable
from lab.core.stop_signals import ignore_stop_signals

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "lstm_vs_transformer.py"

POLARS = """
import os, signal, threading, time
heard = []
signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))  # before polars sets its own beneath it
import polars as pl
from lab.core.stop_signals import ignore_stop_signals

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
with ignore_stop_signals():
    sort_under_a_key()
heard.clear()
os.kill(os.getpid(), signal.SIGINT)
print(len(heard), "heard after it")
"""


def test_polars_answers_a_key_itself_but_for_who_ignores_stops() -> None:
    done = subprocess.run([sys.executable, "-c", POLARS], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("polars answers\n1 heard after it\n", "")


def test_who_asks_again_much_later_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.core.stop_signals, "GRACE_SECONDS", 0.05)
    with pytest.raises(KeyboardInterrupt), ignore_stop_signals():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_a_thread_that_hears_of_no_signal_changes_none() -> None:
    seen = []

    def work() -> None:
        with ignore_stop_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)] and seen[0] is not signal.SIG_IGN


def run(*arguments: str, **settings: Any) -> subprocess.Popen[Any]:
    return subprocess.Popen([sys.executable, "-m", *arguments], stderr=subprocess.PIPE, **settings)


@pytest.mark.parametrize(
    "arguments",
    ["lab.data --list", "lab.data", "lab.data table --help", "lab.run --list", "lab.across --help"],
)
def test_a_reader_who_leaves_ends_a_command_without_a_word(arguments: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with run(*arguments.split(), stdout=writing) as process:
        os.close(writing)
        assert (process.communicate()[1], process.returncode) == (b"", OUTPUT_CLOSED)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_the_output_is_one_sentence() -> None:
    with open("/dev/full", "w") as full, run("lab.data", "--list", stdout=full) as process:
        said = process.communicate()[1].decode()
    assert (said, process.returncode) == ("error: the output cannot be written (No space left on device).\n", 1)


def described(path: Path, *flags: str, encoding: str) -> str:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "LAB_CACHE": str(path.parent / "cache")}
    with run("lab.data", str(path), *flags, stdout=subprocess.PIPE, env=environment) as process:
        out, err = process.communicate()
    assert (err, process.returncode) == (b"", 0)
    return out.decode(encoding)


def test_a_terminal_of_ascii_alone_gets_escapes_and_bars_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item,time,café\n" + "".join(f"u,i,2020-01-0{k},c\n" for k in range(1, 9)))
    said = described(tmp_path / "log.csv", "--category", "café", encoding="ascii")
    assert r"category = 'caf\xe9'" in said and "||||||||" in said
    said = described(tmp_path / "log.csv", "--category", "café", encoding="utf-8")
    assert "category = 'café'" in said and "████████" in said


HOSTILE = "cat\x1bc\x07\u202e\x9b31m"


@pytest.mark.parametrize("command", ["lab.data", "lab.run"])
def test_names_do_nothing_to_a_terminal(tmp_path: Path, command: str) -> None:
    path = tmp_path / f"log{HOSTILE}.csv"
    path.write_text(f"user,item,time,{HOSTILE}\n" + "u,i,2020-01-01,c\nu,i,2020-01-02,c\n")
    column = ("--source.category", HOSTILE, "--source.price", HOSTILE)
    log = ("--source.path", str(path), *column)
    flags = (str(path), *column) if command == "lab.data" else (str(EXPERIMENT), "--dry-run", "source:table", *log)
    with run(command, *flags, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        out, err = (text.decode() for text in process.communicate())
    assert process.returncode == 2 and "column" in err
    assert not set("\x1b\x07\u202e\x9b") & set(out + err) and r"\x1bc\x07\u202e\x9b31m" in err


def test_what_a_terminal_would_act_on_is_escaped() -> None:
    assert printable("a\tb\nc") == r"a\tb\nc" and printable("naïve 日本 \U0001f600") == "naïve 日本 \U0001f600"
    assert printable("\ud800") == r"\ud800"
