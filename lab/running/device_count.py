"""On how many CPU devices the cells of a results folder are trained, so that all of them come to the same bits."""

from collections import Counter

from lab.core.words import plural
from lab.results.claims import devices_in_use
from lab.results.store import Store
from lab.training.devices import default_devices


def devices_for(store: Store) -> int:
    """As many as its cells were trained on, or as those have who train there now; in a new folder the default.

    Their number moves last bits, so that a folder that was begun on another machine is gone on with as it was begun.
    """
    kept = Counter(record.devices for record in store.readable() if record.devices)
    found = kept or Counter(devices_in_use(store.root))
    return max(found, key=lambda devices: (found[devices], -devices), default=default_devices())


def device_count_line(store: Store, devices: int) -> str:
    """A line where that is another number than this machine would take by itself; empty where it is not."""
    own = default_devices()
    if devices == own:
        return ""
    return (
        f"{store.root}: begun on {plural(devices, 'CPU device')}, and gone on with on as many, since last bits differ "
        f"by their number; this machine would take {own}. Name another folder with --out to train on {own}."
    )
