"""Which files a path names, and in which format they are by their endings."""

import glob
from pathlib import Path

from lab.core.errors import InputError
from lab.core.spelling import nearest

FORMATS = {
    ".csv": "text", ".tsv": "text", ".txt": "text", ".dat": "text", ".tab": "text",
    ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
}  # fmt: skip


def find_files(path: str | tuple[str, ...]) -> tuple[Path, ...]:
    """The files that a path, a folder or a glob pattern names, sorted; those of several, one after the other.

    Raises InputError when there are none.
    """
    if isinstance(path, tuple):
        return _of_one_format(", ".join(path), tuple(file for one in path for file in find_files(one)))
    place = Path(path).expanduser()
    if place.is_file():
        return (place,)
    if place.is_dir():
        found = [file for file in sorted(place.iterdir()) if file.is_file() and format_of(file) is not None]
        if not found:
            raise InputError(
                f"{path}: the folder holds no file ending in {', '.join(FORMATS)} (or one of these and .gz)."
            )
    else:
        found = [Path(file) for file in sorted(glob.glob(str(place), recursive=True)) if Path(file).is_file()]
    if not found:
        raise InputError(f"{path}: no such file{_nearest_file(place)}.")
    return _of_one_format(path, tuple(found))


def _of_one_format(path: str, files: tuple[Path, ...]) -> tuple[Path, ...]:
    if len({format_of(file) for file in files}) > 1:
        raise InputError(
            f"{path}: holds files of several formats ({', '.join(f.name for f in files[:4])}); name one kind."
        )
    return files


def format_of(path: Path) -> str | None:
    """`text`, `parquet` or `json` by the file's ending (less `.gz`), None for an unknown one."""
    name = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    return FORMATS.get(Path(name).suffix)


def _nearest_file(place: Path) -> str:
    # By stems: two names are not alike because both end in .csv.
    names = {p.stem: p.name for p in sorted(place.parent.iterdir())} if place.parent.is_dir() else {}
    near = nearest(place.stem, names)
    return f"; the nearest in that folder is {names[near]!r}" if near else ""
