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
from typing import NamedTuple

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


class Dot(NamedTuple):
    """A product of two arrays, as both lie in memory."""

    kind: str
    """What the elements are, such as f32."""
    left: tuple[int, ...]
    right: tuple[int, ...]
    over: tuple[tuple[int, ...], tuple[int, ...]]
    """The axes of both that are summed over."""
    batch: tuple[tuple[int, ...], tuple[int, ...]]
    """The axes of both that are gone through side by side."""

    @property
    def flops(self) -> int:
        """Floating-point operations."""
        own = [size for axis, size in enumerate(self.right) if axis not in self.over[1] + self.batch[1]]
        return 2 * math.prod(self.left) * math.prod(own)


@dataclass(frozen=True)
class Work:
    """What an instruction does in all its runs."""

    scope: str
    products: float
    """Floating-point operations in matrix products."""
    others: float
    """Other floating-point operations: one an element, whatever it takes."""
    bytes: float
    times: int
    """How often it runs."""
    dots: tuple[Dot, ...]
    """Its matrix products, of one run."""


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
            yield _work_of_scope(here, list(fused.values()), fused, _bytes_moved(one, inside, fused), times)
        elif one.opcode not in FREE and not one.opcode.endswith("-done"):
            yield _work_of_scope(here, [one], inside, _moved_alone(one, inside), times)


def _work_of_scope(scope: str, ran: list[Instruction], inside: Computation, moved: int, times: int) -> Work:
    """What instructions that run as one do."""
    dots = tuple(_dot(one, inside) for one in ran if one.opcode == "dot")
    others = sum(_others(one, inside) for one in ran)
    return Work(scope, times * sum(dot.flops for dot in dots), times * others, times * moved, times, dots)


def _dot(one: Instruction, inside: Computation) -> Dot:
    kinds = [inside[name].kind for name in one.operands]
    (kind, left), (_, right) = (_arrays(kind)[0] for kind in kinds)
    orders = [_order(kind, len(size)) for kind, size in zip(kinds, (left, right), strict=True)]

    def axes(of: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        named = (re.search(rf"{side}_{of}_dims=\{{([\d,]+)\}}", one.rest) for side in ("lhs", "rhs"))
        first, second = (
            tuple(order.index(int(axis)) for axis in found[1].split(",")) if found else ()
            for found, order in zip(named, orders, strict=True)
        )
        return first, second

    sizes = [tuple(size[axis] for axis in order) for size, order in zip((left, right), orders, strict=True)]
    return Dot(kind, sizes[0], sizes[1], axes("contracting"), axes("batch"))


def _order(kind: str, rank: int) -> list[int]:
    """Axes from the one whose steps in memory are longest to the one whose elements lie side by side."""
    found = re.search(r"\]\{([\d,]+)", kind)
    return [int(axis) for axis in reversed(found[1].split(","))] if found else list(range(rank))


def _others(one: Instruction, inside: Computation) -> int:
    """Floating-point operations outside of matrix products."""
    if one.opcode == "dot" or one.opcode in MOVES or not one.floating:
        return 0
    return inside[one.operands[0]].elements if one.opcode.startswith("reduce") else one.elements


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


def _bytes_moved(one: Instruction, inside: Computation, fused: Computation) -> int:
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
