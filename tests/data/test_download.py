"""Downloads, from a real server on loopback: whole and checked, or nothing under the name and one clear sentence."""

import gzip
import hashlib
import io
import re
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from lab.commands.describe_log import main
from lab.core.errors import FaultError, InputError
from lab.data.sources import MovieLens
from lab.data.sources.download import Download, _trouble, fetch

BODY = bytes(k * k % 251 for k in range(300_000))
MD5 = f"md5:{hashlib.md5(BODY).hexdigest()}"
PAGE = "https://publisher.example/log"


@dataclass
class Behaviour:
    """How the server answers; `asked` is what came."""

    body: bytes = BODY
    tag: str | None = '"one"'
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    """After how many bytes of its body each of the first answers breaks off."""
    status: int = 200
    kind: str = "application/octet-stream"
    length: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)


class Server:
    def __init__(self) -> None:
        self.how = Behaviour()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/file"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        how = self.how
        how.asked.append(dict(request.headers.items()))
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        same = request.headers.get("If-Range") == how.tag
        start = int(asked[1]) if asked and same and how.ranges else 0
        if start and start >= len(how.body):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(how.body)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        body = how.body[start:]
        request.send_response(how.status if not start else 206)
        request.send_header("Content-Type", how.kind)
        if how.length:
            request.send_header("Content-Length", str(len(body)))
        if how.tag:
            request.send_header("ETag", how.tag)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(how.body) - 1}/{len(how.body)}")
        request.end_headers()
        request.wfile.write(body[: how.cuts.pop(0)] if how.cuts else body)

    def starts(self) -> list[str | None]:
        """The ranges asked for, in order."""
        return [headers.get("Range") for headers in self.how.asked]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


def refused(download: Download, folder: Path) -> str:
    with pytest.raises(FaultError) as said:
        fetch(download, folder, PAGE, tries=3, pause=0)
    assert not (folder / download.file).exists()
    assert not any((folder / name).exists() for name in download.members)
    message = str(said.value)
    assert message.endswith(".") and "\n" not in message
    return message


def files_left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_says_how_far_it_is(server: Server, tmp_path: Path, capfd) -> None:
    download = Download(server.url, "log.bin", MD5)
    folder = tmp_path / "data" / "log"
    assert download.needed(folder)
    fetch(download, folder, PAGE)
    assert (folder / "log.bin").read_bytes() == BODY
    assert files_left(folder) == ["log.bin"]
    assert not download.needed(folder)
    out, err = capfd.readouterr()
    assert out == "" and "log.bin: done after" in err
    fetch(download, folder, PAGE)
    assert len(server.how.asked) == 1


def test_a_wrong_checksum_keeps_nothing(server: Server, tmp_path: Path) -> None:
    message = refused(Download(server.url, "log.bin", "md5:" + "0" * 32), tmp_path)
    assert "has not the md5 000" in message and "its publisher has changed it" in message and PAGE in message
    assert files_left(tmp_path) == []


def test_a_cut_connection_goes_on_from_there(server: Server, tmp_path: Path) -> None:
    server.how.cuts = [100_000, 50_000, 0]
    fetch(Download(server.url, "log.bin", MD5), tmp_path, PAGE, pause=0)
    assert (tmp_path / "log.bin").read_bytes() == BODY
    assert server.starts() == [None, "bytes=100000-", "bytes=150000-", "bytes=150000-"]
    assert server.how.asked[1]["If-Range"] == '"one"'
    assert files_left(tmp_path) == ["log.bin"]


def test_a_later_run_goes_on_where_a_dead_one_stopped(server: Server, tmp_path: Path) -> None:
    server.how.cuts = [100_000, 0, 0]
    download = Download(server.url, "log.bin", MD5)
    message = refused(download, tmp_path)
    assert message.endswith("the connection broke off after 100,000 bytes; the same command goes on from there.")
    assert (tmp_path / "log.bin.part").read_bytes() == BODY[:100_000]
    fetch(download, tmp_path, PAGE)
    assert (tmp_path / "log.bin").read_bytes() == BODY
    assert server.starts()[-1] == "bytes=100000-"


def test_a_run_killed_before_the_last_rename_asks_for_nothing_twice(server: Server, tmp_path: Path) -> None:
    (tmp_path / "log.bin.part").write_bytes(BODY)
    (tmp_path / "log.bin.part.of").write_text('"one"')
    fetch(Download(server.url, "log.bin", MD5), tmp_path, PAGE)
    assert (tmp_path / "log.bin").read_bytes() == BODY
    assert server.starts() == [f"bytes={len(BODY)}-"]


@pytest.mark.parametrize(("ranges", "tag"), [(False, '"one"'), (True, None), (True, 'W/"weak"')])
def test_what_cannot_be_continued_begins_anew(server: Server, tmp_path: Path, ranges: bool, tag: str | None) -> None:
    server.how.cuts, server.how.ranges, server.how.tag = [100_000], ranges, tag
    fetch(Download(server.url, "log.bin", MD5), tmp_path, PAGE, pause=0)
    assert (tmp_path / "log.bin").read_bytes() == BODY


def test_another_file_at_the_address_is_never_mixed_with_the_old_one(server: Server, tmp_path: Path) -> None:
    (tmp_path / "log.bin.part").write_bytes(b"old" * 30_000)
    (tmp_path / "log.bin.part.of").write_text('"old"')
    fetch(Download(server.url, "log.bin"), tmp_path, PAGE)
    assert (tmp_path / "log.bin").read_bytes() == BODY


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "answers 403 Forbidden; the file may need a login by now, or your network may not be let in; see"),
        (404, "answers 404 Not Found; the file is not at this address any more; see"),
        (407, "answers 407 Proxy Authentication Required; your proxy wants a login, which HTTPS_PROXY may state; see"),
        (429, "answers 429 Too Many Requests; try again later; see"),
        (503, "answers 503 Service Unavailable; try again later; see"),
    ],
)
def test_an_answer_that_is_no_file(server: Server, tmp_path: Path, status: int, said: str) -> None:
    server.how.status = status
    message = refused(Download(server.url, "log.bin", MD5), tmp_path)
    assert said in message and server.url in message and PAGE in message
    assert len(server.how.asked) == 1 and files_left(tmp_path) == []


def test_a_login_page_is_no_log(server: Server, tmp_path: Path) -> None:
    server.how.body, server.how.kind = b"<html>please log in</html>", "text/html; charset=utf-8"
    assert "gives a web page and not the file" in refused(Download(server.url, "log.csv"), tmp_path)


def test_an_end_that_cannot_be_gone_on_from_is_told_so(server: Server, tmp_path: Path) -> None:
    server.how.cuts, server.how.tag = [100_000, 0, 0], None
    message = refused(Download(server.url, "log.bin", MD5), tmp_path)
    assert "the same command begins anew, since this server cannot go on." in message


def test_what_came_before_is_not_what_broke_off_now(server: Server, tmp_path: Path) -> None:
    (tmp_path / "log.bin.part").write_bytes(BODY[:100_000])
    (tmp_path / "log.bin.part.of").write_text('"one"')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/file"
        message = refused(Download(url, "log.bin", MD5), tmp_path)
    assert "127.0.0.1 cannot be reached; what is there already is kept; check the connection" in message
    assert (tmp_path / "log.bin.part").stat().st_size == 100_000


def test_a_host_that_says_nothing(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.data.sources.download.TIMEOUT", (5, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/file"
        message = refused(Download(url, "log.bin", MD5), tmp_path)
    assert "127.0.0.1 does not answer; try again later, or get the file by hand: see" in message


def test_a_proxy_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("NO_PROXY", "")
        message = refused(Download("http://publisher.example/log", "log.bin", MD5), tmp_path)
    assert "the proxy on the way to publisher.example cannot be used; check HTTP_PROXY, HTTPS_PROXY" in message


def test_a_connection_that_is_not_secure(server: Server, tmp_path: Path) -> None:
    message = refused(Download(server.url.replace("http:", "https:"), "log.bin", MD5), tmp_path)
    assert "127.0.0.1 makes no secure connection; try again later" in message and "certificate" not in message
    unknown = requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate")
    said = _trouble("https://publisher.example/log", unknown, 0, False, PAGE)
    assert said.startswith("the certificate of publisher.example cannot be verified; see that this machine's clock")


def test_a_host_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/file"
        message = refused(Download(url, "log.bin", MD5), tmp_path)
    assert message.startswith(f"{url}: 127.0.0.1 cannot be reached; check the connection") and PAGE in message
    assert files_left(tmp_path) == []


def test_without_a_checksum_it_is_sound_by_its_own_and_remembered(server: Server, tmp_path: Path) -> None:
    whole = gzip.compress(BODY)
    server.how.body, server.how.length = whole[:-9], False
    download = Download(server.url, "log.csv.gz")
    assert "what came is cut short or damaged; nothing of it is kept; try again" in refused(download, tmp_path)
    server.how.body = b"user,item,time\n"
    assert "what came is no gzip file, as if the address had another use by now" in refused(download, tmp_path)
    server.how.body = whole
    fetch(download, tmp_path, PAGE)
    note = tmp_path / "log.csv.gz.sha256"
    assert note.read_text() == f"{hashlib.sha256(whole).hexdigest()}  log.csv.gz\n"

    (tmp_path / "log.csv.gz").unlink()
    server.how.body = gzip.compress(BODY[::-1])
    assert f"gives another file than before; remove {note}" in refused(download, tmp_path)
    server.how.body = whole
    fetch(download, tmp_path, PAGE)
    assert (tmp_path / "log.csv.gz").read_bytes() == whole


def archive(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, content in members.items():
            packed.writestr(f"ml/{name}.csv", content)
    return stream.getvalue()


def test_members_are_unpacked_whole_or_not_at_all(server: Server, tmp_path: Path) -> None:
    server.how.body = archive(ratings=BODY, movies=b"1,a\n", readme=b"hello")
    wanted = {"ml/ratings.csv": f"sha256:{hashlib.sha256(BODY).hexdigest()}", "ml/movies.csv": None}
    fetch(Download(server.url, "ml.zip", members=wanted), tmp_path, PAGE)
    assert files_left(tmp_path) == ["ml", "ml.zip", "ml.zip.sha256"]
    assert files_left(tmp_path / "ml") == ["movies.csv", "ratings.csv"]
    assert (tmp_path / "ml" / "ratings.csv").read_bytes() == BODY
    # A member that is lost comes back without another request, and the archive may go when all are there.
    (tmp_path / "ml" / "movies.csv").unlink()
    assert Download(server.url, "ml.zip", members=wanted).needed(tmp_path)
    fetch(Download(server.url, "ml.zip", members=wanted), tmp_path, PAGE)
    assert len(server.how.asked) == 1
    (tmp_path / "ml.zip").unlink()
    assert not Download(server.url, "ml.zip", members=wanted).needed(tmp_path)


def test_an_archive_that_is_not_as_it_should_be_gives_no_member(server: Server, tmp_path: Path) -> None:
    wrong = Download(server.url, "ml.zip", members={"ml/movies.csv": None, "ml/ratings.csv": "sha256:" + "0" * 64})
    server.how.body = archive(ratings=BODY, movies=b"1,a\n")
    with pytest.raises(FaultError, match=r"its ml/ratings\.csv has not the sha256 000"):
        fetch(wrong, tmp_path, PAGE)
    assert files_left(tmp_path) == []
    with pytest.raises(FaultError, match=r"the archive holds no ml/tags\.csv"):
        fetch(Download(server.url, "ml.zip", members={"ml/tags.csv": None}), tmp_path, PAGE)
    damaged = bytearray(archive(ratings=BODY))
    damaged[1000] ^= 1
    server.how.body = bytes(damaged)
    assert "the archive is damaged" in refused(
        Download(server.url, "other.zip", members={"ml/ratings.csv": None}), tmp_path
    )
    server.how.body = bytes(damaged[:1000])
    assert "what came is cut short or damaged" in refused(
        Download(server.url, "cut.zip", members={"ml/ratings.csv": None}), tmp_path
    )
    assert files_left(tmp_path) == ["ml.zip"]


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FaultError, match=f"{tmp_path}/file.* cannot be written .*--source.path"):
        fetch(Download(server.url, "log.bin", MD5), tmp_path / "file" / "log", PAGE)


def test_a_source_fetches_what_it_lacks_when_asked_and_only_then(server: Server, tmp_path: Path, capfd) -> None:
    class Near(MovieLens):
        def downloads(self) -> tuple[Download, ...]:
            return tuple(replace(one, url=server.url, checksum=None) for one in super().downloads())

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("ml-1m/ratings.dat", "1::1193::5::978300760\n")
        packed.writestr("ml-1m/movies.dat", "1193::One Flew (1975)::Drama\n")
        packed.writestr("ml-1m/users.dat", "1::F::1::10::48067\n")
    server.how.body = stream.getvalue()
    with pytest.raises(InputError, match=r"holds no ml-1m/ratings\.dat; fetch it with --source\.download"):
        Near(path=str(tmp_path)).scan()
    assert server.how.asked == [] and files_left(tmp_path) == []
    asked = Near(path=str(tmp_path), download=True)
    assert asked.scan().frame.collect()["category"].to_list() == ["Drama"]
    assert files_left(tmp_path / "ml-1m") == ["movies.dat", "ratings.dat"]
    assert Near(path=str(tmp_path)).scan().frame.collect().equals(asked.scan().frame.collect())
    assert len(server.how.asked) == 1
    # Named by its file, it is that file and nothing is fetched.
    ratings = str(tmp_path / "ml-1m" / "ratings.dat")
    assert main(["movie-lens", "--path", ratings, "--download", "--cache", str(tmp_path / "cache")]) == 0
    assert len(server.how.asked) == 1
