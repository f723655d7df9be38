"""What a compiled program computes and moves, counted from its text, each loop as often as it runs.

XLA's own cost analysis counts the body of a loop once, however often it runs, and a recurrent layer is a loop. Here a
loop's body counts as many times as its text says; of two branches the dearer one does. An instruction reads its
operands and writes its result, from caches or from memory; of an array that is only sliced or updated in place,
the slice counts. What a GPU starts and ends apart counts where it starts; a library's call moves its operands and its
result, and what it computes is not told.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "f16": 2, "bf16": 2, "s64": 8, "u64": 8, "f64": 8}
"""Of an element; 4 of any other kind."""
FREE = {"parameter", "constant", "get-tuple-element", "tuple", "bitcast", "after-all", "partition-id", "iota"}
"""What moves nothing by itself."""
MOVES = FREE | {"broadcast", "copy", "reshape", "transpose", "slice", "dynamic-slice", "dynamic-update-slice", "gather"}
MOVES |= {"concatenate", "reverse", "pad", "select", "convert", "compare", "and", "or", "not"}
"""What computes nothing that counts as floating-point arithmetic."""
SLICES = {"dynamic-slice", "slice", "gather"}


@dataclass(frozen=True)
class Instruction:
    """One line of a computation."""

    name: str
    kind: str
    """Its result's type, as text."""
    opcode: str
    operands: tuple[str, ...]
    rest: str
    """Attributes, as text."""

    @cached_property
    def bytes(self) -> int:
        return sum(math.prod(dims) * BYTES.get(kind, 4) for kind, dims in _arrays(self.kind))

    @cached_property
    def elements(self) -> int:
        return sum(math.prod(dims) for _, dims in _arrays(self.kind))

    @property
    def floating(self) -> bool:
        return self.kind.startswith(("f", "bf"))

    def called(self, what: str) -> list[str]:
        """Names of the computations that an attribute names."""
        found = re.search(what + r"=(\{[^}]*\}|%[\w.\-]+)", self.rest)
        return re.findall(r"%([\w.\-]+)", found[1]) if found else []

    @property
    def trips(self) -> int:
        found = re.search(r'"known_trip_count":\{"n":"(\d+)"', self.rest)
        if found is None:
            raise ValueError(f"{self.name}: how often this loop runs is not known before it does")
        return int(found[1])

    @property
    def scope(self) -> str:
        """Where in the program's source it comes from."""
        found = re.search(r'op_name="([^"]*)"', self.rest)
        return found[1] if found else ""


@dataclass(frozen=True)
class Work:
    """What an instruction does in all its runs."""

    scope: str
    products: float
    """Floating-point operations in matrix products."""
    others: float
    """Other floating-point operations: one an element, whatever it takes."""
    bytes: float


Computation = dict[str, Instruction]


def work(text: str) -> list[Work]:
    """All that a compiled program does, in no order."""
    computations, entry = parse(text)
    return list(_walk(computations, entry, 1, ""))


def parse(text: str) -> tuple[dict[str, Computation], str]:
    """Its computations, and the name of the one that begins."""
    computations: dict[str, Computation] = {}
    entry, current = "", {}
    for line in text.splitlines():
        opened = re.match(r"(ENTRY )?%([\w.\-]+) \(.*\{$", line)
        if opened:
            current = computations.setdefault(opened[2], {})
            entry = opened[2] if opened[1] else entry
        elif found := re.match(r"\s+(?:ROOT )?%([\w.\-]+) = (.*)$", line):
            current[found[1]] = _instruction(found[1], found[2])
    return computations, entry


def _instruction(name: str, text: str) -> Instruction:
    kind, text = (text[: (end := _closing(text))], text[end + 1 :]) if text[0] == "(" else text.split(" ", 1)
    opcode, text = text.split("(", 1)
    end = _closing("(" + text) - 1
    return Instruction(name, kind, opcode, tuple(re.findall(r"%([\w.\-]+)", text[:end])), text[end:])


def _closing(text: str) -> int:
    """The place behind the bracket that closes the first one."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return place + 1
    raise ValueError(f"no end of {text[:80]}")


def _arrays(kind: str) -> list[tuple[str, tuple[int, ...]]]:
    found = re.findall(r"([a-z]+\d*)\[([\d,]*)\]", kind)
    return [(name, tuple(int(size) for size in dims.split(",") if size)) for name, dims in found]


def _walk(computations: dict[str, Computation], name: str, times: int, scope: str) -> Iterator[Work]:
    inside = computations[name]
    for one in inside.values():
        here = one.scope or scope
        if one.opcode == "while":
            for part in one.called("body") + one.called("condition"):
                yield from _walk(computations, part, times * one.trips, here)
        elif one.opcode == "conditional":
            named = one.called("branch_computations") or one.called("true_computation") + one.called(
                "false_computation"
            )
            branches = [list(_walk(computations, part, times, here)) for part in named]
            yield from max(branches, key=lambda branch: sum(w.products + w.bytes for w in branch))
        elif one.opcode == "call":
            yield from _walk(computations, one.called("to_apply")[0], times, here)
        elif one.opcode in ("fusion", "fusion-start"):
            fused = computations[one.called("calls")[0]]
            products, others = (sum(counts) for counts in zip(*(_flops(i, fused) for i in fused.values()), strict=True))
            yield Work(here, times * products, times * others, times * _moved(one, inside, fused))
        elif one.opcode not in FREE and not one.opcode.endswith("-done"):
            products, others = _flops(one, inside)
            yield Work(here, times * products, times * others, times * _moved_alone(one, inside))


def _flops(one: Instruction, inside: Computation) -> tuple[int, int]:
    """Floating-point operations in a matrix product, and others."""
    if one.opcode == "dot":
        left = _arrays(inside[one.operands[0]].kind)[0][1]
        over = re.search(r"lhs_contracting_dims=\{([\d,]+)\}", one.rest)
        assert over is not None
        return 2 * one.elements * math.prod(left[int(axis)] for axis in over[1].split(",")), 0
    if one.opcode in MOVES or not one.floating:
        return 0, 0
    return 0, inside[one.operands[0]].elements if one.opcode.startswith("reduce") else one.elements


def _moved_alone(one: Instruction, inside: Computation) -> int:
    if one.opcode in SLICES:
        return 2 * one.bytes
    if one.opcode in ("dynamic-update-slice", "scatter"):
        return 2 * inside[one.operands[-1 if one.opcode == "scatter" else 1]].bytes
    if one.opcode == "custom-call" or one.opcode.endswith("-start"):
        # The first array is the result; others are room to work in, or name operands once more.
        kind, dims = next(iter(_arrays(one.kind)), ("token", (0,)))
        return math.prod(dims) * BYTES.get(kind, 4) + sum(inside[name].bytes for name in one.operands)
    return one.bytes + sum(inside[name].bytes for name in one.operands)


def _moved(one: Instruction, inside: Computation, fused: Computation) -> int:
    parameters = [i for i in fused.values() if i.opcode == "parameter"]
    read = sum(_read(parameter.name, fused) for parameter in parameters)
    return read + _written(next(reversed(fused.values())), fused)


def _read(name: str, fused: Computation) -> int:
    """Bytes of a parameter that a fused computation looks at."""
    total = 0
    for user in (i for i in fused.values() if name in i.operands):
        if user.opcode in SLICES and user.operands[0] == name:
            total += user.bytes
        elif user.opcode == "bitcast":
            total += _read(user.name, fused)
        elif not (user.opcode == "dynamic-update-slice" and user.operands[0] == name):
            return fused[name].bytes
    return min(total, fused[name].bytes)


def _written(root: Instruction, fused: Computation) -> int:
    if root.opcode == "dynamic-update-slice":
        return fused[root.operands[1]].bytes
    if root.opcode in ("bitcast", "tuple"):
        return sum(_written(fused[name], fused) for name in root.operands)
    return root.bytes
