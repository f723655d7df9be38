"""The file in which W&B keeps a run: what it would send, record by record."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK, HEADER, MAGIC = 32_768, 7, 7
"""Bytes of a block, of a piece's header, and before the first block's first piece."""

WHOLE, LAST = 1, 4
"""Kinds of pieces that end a record; 2 begins one, 3 goes on with it."""


def records(path: Path) -> Iterator[Any]:
    """W&B's protocol buffers, up to the end of the file or to where it breaks off.

    The format is that of LevelDB's log: blocks of 32 KiB with pieces of records, each after a header of checksum
    (4 bytes), length (2) and kind (1).
    """
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]  # made at run time

    content, place, whole = path.read_bytes(), MAGIC, b""
    while place + HEADER <= len(content):
        if (room := BLOCK - place % BLOCK) < HEADER:  # a header is never split: the block's end is padding
            place += room
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        place += HEADER + length
        if place > len(content):
            return
        whole += content[place - length : place]
        if kind in (WHOLE, LAST):
            yield Record.FromString(whole)
            whole = b""


def is_ended(path: Path) -> bool:
    """Whether a run is kept to its end. W&B says nothing where the disk is full, and keeps what went in before."""
    return any(record.HasField("exit") for record in records(path))
