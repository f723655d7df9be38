"""Public files over HTTP, fetched when asked for: resumed where they broke off, checked, whole or not at all.

`pooch` compares the checksum, gives a file its name only then, and unpacks; what it lacks is here: a downloader that
keeps what has come as `NAME.part` and asks for the rest. A file whose publisher states no checksum is checked for its
length and its own CRC (gzip, zip), and its sha256 is noted beside it, so that the next download tells of a change.
"""

import fcntl
import gzip
import http
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from lab.core.errors import FaultError
from lab.core.files import make_folder, os_errors_as_faults, write_whole

CHUNK = 1 << 20
TIMEOUT = (20, 60)
"""Seconds to connect, and to wait for the next bytes."""
TRIES = 5
"""Attempts in a row that bring no byte before a download is given up; none is repeated before the first byte."""
PAUSE = 1.0
"""Seconds before the second attempt; doubled for each further one."""


@dataclass(frozen=True)
class Download:
    """A file that its publisher gives without a login."""

    url: str
    file: str
    """What it is called in the log's folder."""
    checksum: str | None = None
    """`md5:...` or `sha256:...`, None where none is known."""
    members: Mapping[str, str | None] = field(default_factory=dict)
    """What is unpacked of an archive, each with its checksum where one is known."""
    instead: tuple[str, ...] = ()
    """Files that hold the same and make it needless."""

    def needed(self, folder: Path) -> bool:
        """Whether the folder lacks what it gives: a file under its name is whole, so that its name tells."""
        if any((folder / name).is_file() for name in self.instead):
            return False
        return not all((folder / name).is_file() for name in self.members or (self.file,))


def fetch(download: Download, folder: Path, page: str, tries: int = TRIES, pause: float = PAUSE) -> None:
    """Put what a download gives into a folder. `page` is where a person may look instead.

    Raises FaultError when it cannot be had, or is not what its checksum says; then nothing of it has its name, and
    what may still be continued is kept as `NAME.part`.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    target, note = folder / download.file, folder / f"{download.file}.sha256"
    known = download.checksum or _noted(note)
    # Pooch types a downloader's arguments by other names than those that it is called with.
    downloader: Any = _Resuming(target, page, known is None, tries, pause)
    with os_errors_as_faults(folder, "--source.path", f"fetching {download.file}"):
        make_folder(folder)
        try:
            pooch.retrieve(
                download.url,
                known_hash=known,
                fname=download.file,
                path=folder,
                downloader=downloader,
                processor=_Unpacking(download, folder, page) if download.members else None,
            )
        except ValueError:
            raise FaultError(_other(download, note, page)) from None
        if known is None:
            write_whole(note, f"{pooch.file_hash(str(target))}  {download.file}\n".encode(), "--source.path")


def _noted(note: Path) -> str | None:
    """The checksum of the file as it first came."""
    return f"sha256:{note.read_text().split()[0]}" if note.is_file() else None


def _other(download: Download, note: Path, page: str) -> str:
    if download.checksum:
        kind, _, value = download.checksum.partition(":")
        return (
            f"{download.url}: what came has not the {kind} {value}: it was damaged on its way, or its publisher has "
            f"changed it; nothing of it is kept; if a second try says the same, see {page}."
        )
    return f"{download.url}: gives another file than before; remove {note} to accept it; nothing of it is kept."


@dataclass(frozen=True)
class _Resuming:
    """Downloader of pooch: gets a URL into `TARGET.part`, going on where that ends, and hands it over whole.

    With `unknown`, no checksum will be compared, and the file must be sound by its own account.
    """

    target: Path
    page: str
    unknown: bool
    tries: int
    pause: float

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        part = self.target.with_name(f"{self.target.name}.part")
        with open(part, "ab") as stream, _alone(stream, part):
            try:
                self._complete(url, stream, part)
            finally:
                stream.flush()
                os.fsync(stream.fileno())
                if not stream.tell():
                    part.unlink()
                    _validator(part).unlink(missing_ok=True)
            if self.unknown:
                _check_sound(part, url, self.page)
            os.replace(part, output_file)
            _validator(part).unlink(missing_ok=True)

    def _complete(self, url: str, stream: IO[bytes], part: Path) -> None:
        """Ask until all is there, waiting longer after each answer that brought nothing."""
        import requests
        import urllib3

        before = first = stream.tell()
        fruitless = 0
        while True:
            try:
                return self._continue(url, stream, part)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                fruitless = 1 if stream.tell() != before else fruitless + 1
                before = stream.tell()
                if fruitless >= self.tries or before == first:
                    again = bool(before and _validator(part).is_file() and _validator(part).read_text())
                    came = before if before != first else 0
                    raise FaultError(f"{url}: {_trouble(url, error, came, again, self.page)}.") from None
                time.sleep(self.pause * 2 ** (fruitless - 1))

    def _continue(self, url: str, stream: IO[bytes], part: Path) -> None:
        """One request: the rest of the file where the server still has the same one, else all of it."""
        import requests

        validator = _validator(part).read_text() if _validator(part).is_file() else ""
        headers = {"Accept-Encoding": "identity"}
        if stream.tell() and validator:
            headers |= {"Range": f"bytes={stream.tell()}-", "If-Range": validator}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and "Range" in headers:
                if response.headers.get("Content-Range") == f"bytes */{stream.tell()}":
                    return
                _empty(stream)
                return self._continue(url, stream, part)
            _check_answer(response, url, self.page)
            if not response.headers.get("Content-Range", "").startswith(f"bytes {stream.tell()}-"):
                _empty(stream)
            _validator(part).write_text(_identity(response.headers))
            _receive(response, stream, part)


def _empty(stream: IO[bytes]) -> None:
    stream.truncate(0)
    stream.seek(0)


def _receive(response: Any, stream: IO[bytes], part: Path) -> None:
    """Write the body as it comes, telling how far it is. Raises urllib3's IncompleteRead where it ends early."""
    from rich.console import Console

    from lab.core.progress import Progress

    had, length = stream.tell(), int(response.headers.get("Content-Length", 0))
    free = shutil.disk_usage(part.parent).free
    if length > free:
        raise FaultError(
            f"{part}: needs {_size(length)} more and the disk has {_size(free)} free; make room, or name a folder on "
            f"another disk with --source.path."
        )
    with Progress(length, part.stem, Console(stderr=True)) if length else nullcontext() as progress:
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            stream.write(chunk)
            if progress is not None:
                progress.advance(len(chunk), f"{_size(stream.tell())} of {_size(had + length)}")


def _check_answer(response: Any, url: str, page: str) -> None:
    code = response.status_code
    if code >= 400:
        status = f"{code} {response.reason}".strip()
        raise FaultError(f"{url}: the server answers {status}; {_refusal(code)}; see {page}.")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise FaultError(
            f"{url}: gives a web page and not the file; the file may need a login by now, or your network asks for one "
            f"(open any page in a browser to see); see {page}."
        )


def _refusal(code: int) -> str:
    """What a status (HTTP, from 400 on) may mean for whoever wants a file."""
    if code == http.HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return "your proxy wants a login, which HTTPS_PROXY may state"
    if code >= 500 or code in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.REQUEST_TIMEOUT):
        return "try again later"
    if code in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE):
        return "the file is not at this address any more"
    return "the file may need a login by now, or your network may not be let in"


def _trouble(url: str, error: Exception, had: int, again: bool, page: str) -> str:
    """Why a file is not here, and what to do.

    `had` are the bytes that are there, 0 where none of them came just now; `again` says whether a next run can go on
    from what is there.
    """
    import requests
    import urllib3

    host, by_hand = urlsplit(url).hostname, f"or get the file by hand: see {page}"
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            return f"{host} makes no secure connection; try again later, {by_hand}"
        return (
            f"the certificate of {host} cannot be verified; see that this machine's clock is right, and where a proxy "
            f"stands between, name its certificate in REQUESTS_CA_BUNDLE; {by_hand}"
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy on the way to {host} cannot be used; check HTTP_PROXY, HTTPS_PROXY and NO_PROXY, {by_hand}"
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return f"{host} sends from address to address without end; the file may need a login by now: see {page}"
    kept = "; what is there already is kept" if again and not had else ""
    silent = isinstance(error, requests.exceptions.ReadTimeout | urllib3.exceptions.ReadTimeoutError)
    if silent and not had:
        return f"{host} does not answer{kept}; try again later, {by_hand}"
    if not had and error.args and isinstance(error.args[0], urllib3.exceptions.MaxRetryError):
        return f"{host} cannot be reached{kept}; check the connection, {by_hand}"
    rest = "goes on from there" if again else "begins anew, since this server cannot go on"
    where = f"after {_size(had)}" if had else "before the end"
    return f"the connection broke off {where}; the same command {rest}"


def _check_sound(part: Path, url: str, page: str) -> None:
    """Refuse, and remove, a compressed file that is damaged by its own account."""
    try:
        if ".gz.part" in part.name:
            with gzip.open(part) as stream:
                while stream.read(CHUNK):
                    pass
        elif ".zip.part" in part.name and not zipfile.is_zipfile(part):
            raise zipfile.BadZipFile
    except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile):
        with part.open("rb") as stream:
            kind = stream.read(4).startswith((b"\x1f\x8b", b"PK"))
        wanted = "gzip file" if ".gz.part" in part.name else "zip archive"
        damaged, other = "is cut short or damaged", f"is no {wanted}, as if the address had another use by now"
        what = f"{damaged}; nothing of it is kept; try again, or" if kind else f"{other}; nothing of it is kept;"
        part.unlink()
        _validator(part).unlink(missing_ok=True)
        raise FaultError(f"{url}: what came {what} see {page}.") from None


def _validator(part: Path) -> Path:
    """Where the identity of a half-fetched file is kept."""
    return part.with_name(f"{part.name}.of")


def _identity(headers: Mapping[str, str]) -> str:
    """What `If-Range` may name: a strong entity tag, else the time of the last change, else nothing."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


@dataclass(frozen=True)
class _Unpacking:
    """Processor of pooch: unpacks members aside, and gives them their names when all are whole."""

    download: Download
    folder: Path
    page: str

    def __call__(self, fname: str, action: str, pooch_: Any) -> None:
        import pooch

        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".unpacking-") as aside:
            try:
                pooch.Unzip(list(self.download.members), Path(aside).name)(fname, "download", pooch_)
            except (zipfile.BadZipFile, zlib.error, EOFError):
                Path(fname).unlink()
                raise FaultError(
                    f"{self.download.url}: the archive is damaged; it is removed; try again, or see {self.page}."
                ) from None
            for name, checksum in self.download.members.items():
                self._check(Path(aside) / name, name, checksum)
            for name in self.download.members:
                make_folder((self.folder / name).parent)
                os.replace(Path(aside) / name, self.folder / name)

    def _check(self, member: Path, name: str, checksum: str | None) -> None:
        import pooch

        if not member.is_file():
            raise FaultError(f"{self.folder / self.download.file}: the archive holds no {name}; see {self.page}.")
        kind, _, value = (checksum or "").partition(":")
        if checksum and pooch.file_hash(str(member), kind) != value:
            (self.folder / self.download.file).unlink()
            raise FaultError(
                f"{self.download.url}: its {name} has not the {kind} {value}, as if its publisher had changed it; "
                f"nothing of it is kept; see {self.page}."
            )


@contextmanager
def _alone(stream: IO[bytes], part: Path) -> Iterator[None]:
    """Of two runs that fetch one file, the second is told; a dead run's lock is free."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FaultError(f"{part}: another run is fetching this file; wait for it and run again.") from None
    yield


def _size(count: float) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB" if count >= 1e6 else f"{count:,} bytes"
