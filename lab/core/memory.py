"""How much memory is free here, and what does not fit into it: refused in one line before any of it is taken.

Sizes that a person sets are looked at where they are first put to use, by an estimate of the bytes that they need.
"""

import os
import resource
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted

GB = 1e9

SMALLEST = 1e-9
"""Of a number that is not whole, what is taken for 0."""


@dataclass(frozen=True)
class Size:
    """A number that was set, and that more or less memory goes with."""

    name: str
    """As a person sets it: `training.row_length`."""
    value: float
    usual: float
    """What is set where nobody sets anything: of several sizes, the one farthest from it is to blame."""
    whole: bool = True
    """Whether it is a whole number."""


@not_fingerprinted
def require_memory(sizes: Sequence[Size], need: Callable[..., float], room: float | None = None) -> None:
    """Raise InputError where what the sizes need does not fit.

    `need` takes a value for each size, in their order, and gives bytes; it rises with each of them. `room` is what
    there is, in bytes; by default what is free on this machine.
    """
    room = available_memory() if room is None else room
    wanted = need(*(size.value for size in sizes))
    if wanted <= room:
        return
    size = max(sizes, key=lambda one: one.value / one.usual)

    def fits(value: float) -> bool:
        return need(*(value if one is size else one.value for one in sizes)) <= room

    text = f"{size.name}: {_value_text(size.value)} takes about {gigabytes_text(wanted)} of memory"
    text += f", and {gigabytes_text(room)} are free"
    most = largest_fitting(size, fits)
    if most > 0:
        raise InputError(f"{text}; use at most {_value_text(most)}.")
    others = ", ".join(f"{one.name} ({_value_text(one.value)})" for one in sizes if one is not size)
    raise InputError(f"{text}; make others smaller too: {others}.")


def largest_fitting(size: Size, fits: Callable[[float], bool]) -> float:
    """The largest value of a size that fits, rounded down to two digits; 0 where none does."""
    low, high = 0.0, size.value
    while high - low > max(low / 1000, 1 if size.whole else SMALLEST):
        middle = float(int((low + high) / 2)) if size.whole else (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    digits = max(len(str(int(low))) - 2, 0)
    return float(int(low) // 10**digits * 10**digits) if low >= 1 else low


def gigabytes_text(count: float) -> str:
    """`2.5 GB`."""
    return f"{count / GB:,.1f} GB" if count < 1e15 else f"{count / GB:.0e} GB"


def _value_text(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) and value < 1e15 else f"{value:g}"


def available_memory(root: Path = Path("/")) -> float:
    """Bytes that this process can still take: of the machine, of its control group (a container's) and its own limit.

    `root` is where /proc and /sys lie. Infinite where the system says nothing.
    """
    return min([*_free_on_machine(root), *_free_in_control_groups(root), *_free_in_process_limit(root), float("inf")])


def _free_on_machine(root: Path) -> Iterator[float]:
    lines = _lines(root / "proc/meminfo")
    known = dict(line.split(":", 1) for line in lines if ":" in line)
    if "MemAvailable" in known:
        yield float(known["MemAvailable"].split()[0]) * 1024
    elif not lines and "SC_PHYS_PAGES" in os.sysconf_names:  # macOS
        yield float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _free_in_control_groups(root: Path) -> Iterator[float]:
    """What each control group above this process leaves it, by version 2 and by version 1."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from _free_in_group(root / "sys/fs/cgroup", path, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            place = root / "sys/fs/cgroup/memory"
            yield from _free_in_group(place, path, "memory.limit_in_bytes", "memory.usage_in_bytes")


def _free_in_group(place: Path, path: str, limit: str, used: str) -> Iterator[float]:
    parts = Path(path.lstrip("/")).parts
    # In a container the path may be the host's, and the group's own files lie at the top.
    for depth in range(len(parts) + 1):
        folder = place.joinpath(*parts[:depth])
        most, taken = (_number(folder / name) for name in (limit, used))
        if most is not None and taken is not None:
            cached = next((line.split()[1] for line in _lines(folder / "memory.stat") if _is_page_cache(line)), "0")
            yield most - taken + float(cached)


def _is_page_cache(line: str) -> bool:
    """Pages of files, which the system gives up as soon as anybody needs them."""
    return line.split()[0] in ("inactive_file", "total_inactive_file")


def _free_in_process_limit(root: Path) -> Iterator[float]:
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = _lines(root / "proc/self/statm")
    if most != resource.RLIM_INFINITY and pages:
        yield float(most - int(pages[0].split()[0]) * os.sysconf("SC_PAGE_SIZE"))


def _number(path: Path) -> float | None:
    lines = _lines(path)
    return float(lines[0]) if lines and lines[0].isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
