"""Trains small cells in a process of its own: `worker.py DEVICES OUT CACHE [PROCESS PORT]`.

With a process number it is one of two under jax.distributed, which share each batch.
"""

import sys
from pathlib import Path

import jax
import numpy as np


def main() -> None:
    devices, out, cache, *process = sys.argv[1:]
    jax.config.update("jax_num_cpu_devices", int(devices))
    if process:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"127.0.0.1:{process[1]}", 2, int(process[0]))
    from tests.training.small import Bench, small_dataset, small_experiment

    data = small_dataset(small_experiment(), Path(cache))
    found = {}
    for split in ["batch"] if process else ["cells", "batch"]:
        bench = Bench.of(small_experiment(split=split, batch=8, dropout=0, cells_at_once=1), Path(cache), data)
        cells = [bench.arrays(), bench.arrays(seed=1, features="full", days=14)]
        chunks = [cells] if bench.assembly.program.layout.cells_at_once > 1 else [[cell] for cell in cells]
        trained = [one for chunk in chunks for one in bench.train(*chunk)]
        found[f"{split} params"] = np.stack([one.params for one in trained])
        found[f"{split} valid"] = np.array([[look.valid_loss for look in one.curve] for one in trained])
    np.savez(out, **found)


if __name__ == "__main__":
    main()
