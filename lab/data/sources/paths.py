"""Which files a path names, and in which format they are by their endings."""

import glob
import os
import re
import stat
from codecs import BOM_UTF8
from pathlib import Path
from urllib.parse import unquote

from lab.core.errors import InputError
from lab.core.spelling import nearest
from lab.data.sources.compressed import DAMAGED, ENDINGS, first_bytes, open_bytes, plain_name

FORMATS = {
    ".csv": "text", ".tsv": "text", ".txt": "text", ".dat": "text", ".tab": "text",
    ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
}  # fmt: skip

_REMOTE = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
_PARTITION = re.compile(r"^[A-Za-z_][^=]*=.*$")
_ABSENT = "__HIVE_DEFAULT_PARTITION__"


def find_files(path: str | tuple[str, ...]) -> tuple[Path, ...]:
    """The files that a path, a folder or a glob pattern names, sorted; those of several, one after the other.

    A name that is there is meant as it is written, whatever brackets and stars are in it. Of a folder and of a pattern,
    hidden files, files whose names begin with `_` and empty ones are left out. Raises InputError when there are none.
    """
    if isinstance(path, tuple):
        return _of_one_format(", ".join(path), tuple(file for one in path for file in find_files(one)))
    _refuse_remote(path)
    place = Path(path).expanduser()
    try:
        if place.is_file():
            return (place,)
        if place.is_dir():
            return _of_one_format(path, _in_folder(path, place))
        _refuse_odd(path, place)
        found = _matching(place)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
    if not found:
        raise InputError(f"{path}: no such file{_nearest_file(place)}.")
    return _of_one_format(path, _filled(found))


def partitions_of(file: Path) -> tuple[tuple[str, str | None], ...]:
    """What the folders around a file say of all its rows, as Hive writes it: `date=2023-01-01/part-0.parquet`."""
    pairs = []
    for folder in file.parents:
        if not _PARTITION.match(folder.name):
            break
        name, value = folder.name.split("=", 1)
        pairs.append((unquote(name), None if value == _ABSENT else unquote(value)))
    return tuple(reversed(pairs))


def format_of(path: Path) -> str | None:
    """`text`, `parquet` or `json` by the file's ending (less `.gz` and the like), None for an unknown one."""
    return FORMATS.get(Path(plain_name(path)).suffix)


def kind_of(file: Path) -> str:
    """The format of a file: Parquet by its first bytes, JSON by its ending or where an object begins, else text."""
    if first_bytes(file, 4) == b"PAR1":
        return "parquet"
    found = format_of(file)
    if found in ("parquet", "json"):
        return found
    try:
        with open_bytes(file) as stream:
            head = stream.read(64).removeprefix(BOM_UTF8).lstrip()
    except DAMAGED:
        return "text"  # said where it is read
    return "json" if re.match(rb"\[\s*\{|\{\s*\"", head) else "text"


def _in_folder(path: str, place: Path) -> tuple[Path, ...]:
    found = _logs_of(place)
    if not found:
        *most, last = FORMATS
        said = f"{', '.join(most)} or {last} (or in these and {', '.join(ENDINGS)})"
        raise InputError(f"{path}: the folder holds no file ending in {said}.")
    return _filled(found)


def _logs_of(place: Path) -> list[Path]:
    """The logs in a folder, or in its folders that are named `key=value`."""
    inside = [one for one in sorted(place.iterdir()) if not _set_apart(one)]
    files = [file for file in inside if file.is_file()]
    # Parts without an ending, as Hadoop and Hive write them, count where there are no others.
    found = [file for file in files if format_of(file) is not None] or [file for file in files if not file.suffix]
    folders = [folder for folder in inside if folder.is_dir() and _PARTITION.match(folder.name)]
    return found or [file for folder in folders for file in _logs_of(folder)]


def _set_apart(file: Path) -> bool:
    """Whether a file is no part of a log by its name: hidden ones, and `_SUCCESS` and its like."""
    return file.name.startswith((".", "_"))


def _filled(files: list[Path]) -> tuple[Path, ...]:
    """The files that hold anything; all of them where none does."""
    return tuple(file for file in files if file.stat().st_size > 0) or tuple(files)


def _matching(place: Path) -> list[Path]:
    """The files that a pattern names: with its brackets as plain characters, or, where there are none, as a set."""
    head = next(folder for folder in place.parents if folder.exists())
    rest = str(place.relative_to(head))
    for pattern in (rest.replace("[", "[[]"), rest):
        found = sorted(glob.glob(os.path.join(glob.escape(str(head)), pattern), recursive=True))
        files = [Path(file) for file in found if Path(file).is_file()]
        if files:
            return [file for file in files if not _set_apart(file)] or files
    return []


def _refuse_remote(path: str) -> None:
    remote = _REMOTE.match(path)
    if remote is not None:
        name = remote[1].lower()
        cure = {
            "file": "write the path alone",
            "s3": "copy it here first (aws s3 cp), and name the copy",
            "gs": "copy it here first (gcloud storage cp), and name the copy",
        }.get(name, "download it first, and name the file")
        raise InputError(f"{path}: is an address, and a file is wanted; {cure}.")


def _refuse_odd(path: str, place: Path) -> None:
    """Raise InputError for what is there and is neither a file nor a folder."""
    try:
        mode = place.lstat().st_mode
    except OSError:
        return
    if stat.S_ISLNK(mode) and not place.exists():
        raise InputError(f"{path}: is a link to {os.readlink(place)}, which is not there; mend the link.")
    mode = place.stat().st_mode
    kinds = {
        "a named pipe": stat.S_ISFIFO(mode), "a socket": stat.S_ISSOCK(mode),
        "a device": stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
    }  # fmt: skip
    kind = next((kind for kind, found in kinds.items() if found), "no file")
    raise InputError(f"{path}: is {kind}, and a log is read more than once; write it to a file, and name that.")


def _of_one_format(path: str, files: tuple[Path, ...]) -> tuple[Path, ...]:
    if len({format_of(file) for file in files}) > 1:
        raise InputError(
            f"{path}: holds files of several formats ({', '.join(f.name for f in files[:4])}); name one kind."
        )
    return files


def _nearest_file(place: Path) -> str:
    # By stems: two names are not alike because both end in .csv.
    names = {p.stem: p.name for p in sorted(place.parent.iterdir())} if place.parent.is_dir() else {}
    near = nearest(place.stem, names)
    return f"; the nearest in that folder is {names[near]!r}" if near else ""
