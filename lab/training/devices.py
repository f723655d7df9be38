"""How work is laid over devices: `jax.pmap`, outermost, in this file alone.

Either every device trains cells of its own (`cells`), or all train the same cells on shares of each
batch, their gradients summed (`batch`). Arguments and results of a mapped function are of three kinds:

- `cell`: belongs to cells. Split over devices in `cells`, the same on all in `batch`.
- `batch`: belongs to rows of a batch. Leading axis over devices in both.
- `share`: the same on all devices.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lab.core.errors import InputError
from lab.core.words import plural
from lab.training.settings import Training

AXIS = "devices"
Kind = Literal["cell", "batch", "share"]


@dataclass(frozen=True)
class Layout:
    """Devices and what they share."""

    mode: Literal["cells", "batch"]
    devices: tuple[Any, ...]
    """This process's devices that take part (jax.Device)."""
    cells_per_device: int

    @property
    def on_cpu(self) -> bool:
        return self.devices[0].platform == "cpu"

    @property
    def lanes(self) -> int:
        """Leading axis of this process's `cell` arguments in `cells`, and of `batch` arguments."""
        return len(self.devices)

    @property
    def batch_shares(self) -> int:
        """Over how many devices, of all processes, a batch is split."""
        return self.lanes * jax.process_count() if self.mode == "batch" else 1

    @property
    def block(self) -> Kind:
        """The kind of a block of rows that is evaluated."""
        return "share" if self.mode == "cells" else "batch"

    @property
    def cells_at_once(self) -> int:
        return self.cells_per_device * (self.lanes if self.mode == "cells" else 1)

    def halved(self) -> "Layout":
        """For half as many cells at once; where each device of a CPU has one, on half of them. The same for one."""
        if self.cells_per_device > 1:
            return replace(self, cells_per_device=-(-self.cells_per_device // 2))
        # They share one memory; those of an accelerator have their own.
        fewer = self.on_cpu and self.mode == "cells"
        return replace(self, devices=self.devices[: -(-self.lanes // 2)]) if fewer else self

    @cached_property
    def _everywhere(self) -> NamedSharding:
        return NamedSharding(Mesh(np.array(self.devices), (AXIS,)), PartitionSpec())

    def share(self, tree: Any) -> Any:
        """Copy arrays to every device once, so that later calls move nothing."""
        return jax.tree.map(lambda leaf: jax.device_put(leaf, self._everywhere), tree)

    def total(self, tree: Any) -> Any:
        """Inside a mapped function: sums over the devices that share a batch."""
        return jax.lax.psum(tree, AXIS) if self.mode == "batch" else tree

    def place(self) -> Any:
        """Inside a mapped function: which share of a batch this device has."""
        return jax.lax.axis_index(AXIS) if self.mode == "batch" else jnp.zeros((), jnp.int32)

    def over_cells(self, one: Callable[..., Any]) -> Callable[..., Any]:
        """A function of one cell's arguments as one of stacked cells: vmap on accelerators, lax.map on CPU."""
        if not self.on_cpu:
            return jax.vmap(one)
        return lambda *stacked: jax.lax.map(lambda arguments: one(*arguments), stacked)

    def pmap(self, function: Callable[..., Any], takes: Sequence[Kind], gives: Any, donate: tuple[int, ...] = ()):
        """Map over devices; `takes` and `gives` say the kind of each argument and result."""
        # Of several processes, each trains cells of its own, or all train the same ones.
        chosen = self.devices if jax.process_count() == 1 or self.mode == "cells" else None
        return jax.pmap(
            function,
            axis_name=AXIS,
            in_axes=tuple(self._axis(kind) for kind in takes),
            out_axes=jax.tree.map(self._axis, gives),
            donate_argnums=donate,
            devices=chosen,
        )

    def _axis(self, kind: Kind) -> int | None:
        return {"cell": 0 if self.mode == "cells" else None, "batch": 0, "share": None}[kind]

    def lay_cells(self, tree: Any) -> Any:
        """Stacked cells [S, ...] as a `cell` argument: [devices, S / devices, ...] in `cells`."""
        if self.mode == "batch":
            return tree
        return jax.tree.map(lambda a: a.reshape(self.lanes, -1, *a.shape[1:]), tree)

    def take_cells(self, tree: Any) -> Any:
        """A `cell` result on the host, its cells on one leading axis again."""
        host = fetch(tree)
        if self.mode == "batch":
            return host
        return jax.tree.map(lambda a: np.asarray(a).reshape(-1, *a.shape[2:]), host)

    def share_cells(self, tree: Any) -> Any:
        """A `cell` argument moved to its devices once."""
        if self.mode == "batch":
            return self.share(tree)
        mesh = Mesh(np.array(self.devices), (AXIS,))
        return jax.tree.map(lambda leaf: jax.device_put(leaf, NamedSharding(mesh, PartitionSpec(AXIS))), tree)

    def lay_block(self, block: Any) -> Any:
        """A block of rows [b, ...] on the devices: on all of them, or a share of it on each."""
        if self.mode == "cells":
            return self.share(block)
        first = jax.process_index() * self.lanes
        shares = jax.tree.map(lambda a: a.reshape(self.batch_shares, -1, *a.shape[1:]), block)
        return jax.tree.map(lambda a: a[first : first + self.lanes], shares)

    def take_answers(self, answers: Any) -> Any:
        """Answers [lanes, S, b, ...] on the host as [cells, rows of the block, ...]."""

        def take(host: np.ndarray) -> np.ndarray:
            if self.mode == "cells":
                return host.reshape(-1, *host.shape[2:])
            return np.moveaxis(host, 0, 1).reshape(host.shape[1], -1, *host.shape[3:])

        return jax.tree.map(take, fetch(answers))

    def lay_order(self, order: np.ndarray) -> np.ndarray:
        """Rows of each step, [S, N, B], as a `batch` argument: a device's cells, or its share of every batch."""
        if self.mode == "cells":
            return order.reshape(self.lanes, -1, *order.shape[1:])
        cells, steps, batch = order.shape
        mine = order.reshape(cells, steps, jax.process_count(), self.lanes, batch // self.batch_shares)
        return np.ascontiguousarray(np.moveaxis(mine[:, :, jax.process_index()], 2, 0))


def plan_layout(training: Training, cells: int, bytes_per_cell: int) -> Layout:
    """Decide what the devices share, and how many cells each trains side by side."""
    devices = tuple(jax.local_devices())
    if _splits_batch(training, devices, cells):
        return Layout("batch", devices, _side_by_side(training, devices, cells, bytes_per_cell))
    share = -(-cells // len(devices))
    return Layout("cells", devices, _side_by_side(training, devices, share, bytes_per_cell))


def _splits_batch(training: Training, devices: tuple[Any, ...], cells: int) -> bool:
    """Whether the devices share each batch. Raises InputError where they were told to and it does not divide."""
    count = len(devices) * jax.process_count()
    pieces = count * training.accumulate
    divides = training.batch % pieces == 0
    if training.split == "batch" and not divides:
        raise InputError(
            f"training.batch: {plural(training.batch, 'row')} in {plural(training.accumulate, 'piece')} do not "
            f"divide over {plural(count, 'device')}; use a multiple of {pieces}, or training.split=cells."
        )
    wanted = training.split == "auto" and devices[0].platform != "cpu" and cells < count
    return training.split == "batch" or (wanted and divides)


def _side_by_side(training: Training, devices: tuple[Any, ...], most: int, bytes_per_cell: int) -> int:
    if training.cells_at_once is not None:
        return max(min(training.cells_at_once, most), 1)
    if devices[0].platform == "cpu":
        # Cells of one program run one after the other there: a longer queue only delays the first result.
        return 1
    stats = devices[0].memory_stats() or {}
    room = 0.6 * stats.get("bytes_limit", 8 << 30)
    return int(np.clip(room // max(bytes_per_cell, 1), 1, max(most, 1)))


def fetch(tree: Any) -> Any:
    """Arrays brought to the host. Waits first: copying what failed, out of memory say, can end the process."""
    return jax.device_get(jax.block_until_ready(tree))


def default_devices() -> int:
    """CPU devices to train on where nothing else is asked for: one for each core, but as many as XLA_FLAGS names.

    Two at least: one alone would be given another program, whose last bits are its own.
    """
    named = re.search(r"--xla_force_host_platform_device_count=(\d+)", os.environ.get("XLA_FLAGS", ""))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(named[1]) if named else max(cores, 2)


def use_devices(count: int) -> None:
    """Give the CPU backend so many devices, before JAX starts; no effect where an accelerator is used.

    Last bits of sums follow from the number of devices and of the threads they share, and not from how many cores there
    are to run them: XLA cuts sums by it. So it is one number, whatever the machine.
    """
    os.environ["PJRT_NPROC"] = str(count)
    jax.config.update("jax_num_cpu_devices", count)


def cpu_devices() -> int:
    """How many CPU devices this process trains on; 0 where it is an accelerator."""
    return jax.local_device_count() if jax.default_backend() == "cpu" else 0


def zeros_like_cells(cells: Any, *shape: int) -> jnp.ndarray:
    """float32 zeros with the cells' leading axes."""
    return jnp.zeros((*cells.seed.shape, *shape), jnp.float32)
