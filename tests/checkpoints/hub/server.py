"""A server on this machine that speaks the Hub's API as far as downloads need it, and fails on demand.

Two origins, as on the real Hub: one for the API and small files, and one for the contents of large files, to which the first one
redirects.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.checkpoints.hub.uploads import Uploads

LARGE = 1000  # bytes; from there on a file is stored apart, under its sha256
PIECE = 1 << 14  # bytes sent at a time
TOKEN = "hf_secret_of_the_tests"  # the only one that opens private repositories


@dataclass(frozen=True)
class Request:
    """A request that was received."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


@dataclass
class Fault:
    """Something that goes wrong with requests whose path contains `where`, `times` times."""

    where: str
    status: int = 0  # answered instead of the file
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None  # bytes after which the line breaks
    flip: int | None = None  # place of a byte that arrives changed
    stall: int | None = None  # bytes after which nothing comes until `released`
    no_ranges: bool = False
    times: int = 1
    released: threading.Event = field(default_factory=threading.Event)


@dataclass
class Repository:
    """Commits with their files, and the names of commits."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False
    claims: dict[str, int] = field(default_factory=dict)  # sizes of files that the listing has wrong


class Hub:
    """The server; `endpoint` is for HF_ENDPOINT."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.says: bytes | None = None  # instead of every description of a repository
        self.uploads = Uploads(self, LARGE)
        self._lock = threading.Lock()
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler(self)) for _ in ("api", "contents")]
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.endpoint, self.contents = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def publish(self, repository: str, files: Mapping[str, bytes | Path], *, revision: str = "main") -> str:
        """A new commit, which `revision` stands for from now on."""
        held = {name: file if isinstance(file, bytes) else file.read_bytes() for name, file in files.items()}
        commit = hashlib.sha1(json.dumps({name: sum_of(data) for name, data in held.items()}).encode()).hexdigest()
        repo = self.repositories.setdefault(repository, Repository())
        repo.commits[commit], repo.names[revision] = held, commit
        return commit

    def fails(self, where: str, **how: object) -> Fault:
        """From now on something goes wrong."""
        fault = Fault(where, **how)  # type: ignore[arg-type]
        self.faults.append(fault)
        return fault

    def fault(self, path: str) -> Fault:
        """The fault for a request, which counts as one of its times."""
        with self._lock:
            for fault in self.faults:
                if fault.times and fault.where in path:
                    fault.times -= 1
                    return fault
        return Fault("", times=0)

    def asked(self, where: str = "") -> list[Request]:
        """Requests whose path contains `where`."""
        return [request for request in self.requests if where in request.path]

    @contextmanager
    def silence(self) -> Iterator[None]:
        """A block in which no request may be made."""
        before = len(self.requests)
        yield
        assert not self.requests[before:], "the network was used"

    def close(self) -> None:
        for fault in self.faults:
            fault.released.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()


def sum_of(data: bytes) -> str:
    """What the Hub calls a file's contents: sha256 of large ones, git's sha1 of small ones."""
    return hashlib.sha256(data).hexdigest() if len(data) >= LARGE else git_sum(data)


def git_sum(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    """Answers, for both origins."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append(Request(self.command, path, {name.lower(): text for name, text in self.headers.items()}))
            with suppress(BrokenPipeError, ConnectionResetError):
                self.answer(path)

        do_HEAD = do_GET  # noqa: N815  the names are http.server's

        def do_POST(self) -> None:
            path, body = urlsplit(self.path).path, self.rfile.read(int(self.headers["Content-Length"]))
            answer = (hub.uploads.put if self.command == "PUT" else hub.uploads.post)(path, body)
            if answer is None:
                self.refuse(404)
            else:
                self.send(json.dumps(answer).encode(), Fault(""), {"Content-Type": "application/json"})

        do_PUT = do_POST  # noqa: N815

        def answer(self, path: str) -> None:
            fault = hub.fault(path)
            if fault.status:
                self.refuse(fault.status, **fault.headers)
            elif found := re.fullmatch(r"/([0-9a-f]{64})", path):
                self.send(self.contents(found[1]), fault)
            elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
                self.describe(found[1], found[2] or "main")
            elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self.resolve(*found.groups(), fault)
            else:
                self.refuse(404)

        def describe(self, name: str, revision: str) -> None:
            if hub.says is not None:
                self.send(hub.says, Fault(""))
                return
            if (found := self.commit(name, revision)) is None:
                return
            commit, files = found
            siblings = []
            for file, data in files.items():
                size = hub.repositories[name].claims.get(file, len(data))
                about: dict[str, object] = {"rfilename": file, "size": size, "blobId": git_sum(data)}
                if len(data) >= LARGE:
                    about["lfs"] = {"sha256": sum_of(data), "size": size, "pointerSize": 134}
                siblings.append(about)
            text = json.dumps({"id": name, "modelId": name, "sha": commit, "siblings": siblings}).encode()
            self.send(text, Fault(""), {"Content-Type": "application/json"})

        def resolve(self, name: str, revision: str, file: str, fault: Fault) -> None:
            if (found := self.commit(name, revision)) is None:
                return
            commit, files = found
            if hub.repositories[name].gated and not self.trusted:
                self.refuse(403, **{"X-Error-Code": "GatedRepo"})
            elif file not in files:
                self.refuse(404, **{"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
            elif len(data := files[file]) < LARGE:
                self.send(data, fault, {"X-Repo-Commit": commit, "ETag": f'"{sum_of(data)}"'})
            else:
                headers = {"X-Repo-Commit": commit, "X-Linked-Etag": f'"{sum_of(data)}"', "X-Linked-Size": str(len(data))}
                self.refuse(302, Location=f"{hub.contents}/{sum_of(data)}?signature=secret", **headers)

        @property
        def trusted(self) -> bool:
            return self.headers.get("Authorization") == f"Bearer {TOKEN}"

        def commit(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
            """A commit and its files; refused where there are none, or none for this user."""
            repo = hub.repositories.get(name)
            if self.headers.get("Authorization") is not None and not self.trusted:
                self.refuse(401, **{"X-Error-Message": "Invalid credentials in Authorization header"})
            elif repo is None or (repo.private and not self.trusted):
                self.refuse(404 if self.trusted else 401, **{"X-Error-Code": "RepoNotFound"})
            elif (commit := repo.names.get(revision, revision)) not in repo.commits:
                self.refuse(404, **{"X-Error-Code": "RevisionNotFound"})
            else:
                return commit, repo.commits[commit]
            return None

        def contents(self, digest: str) -> bytes:
            for repo in hub.repositories.values():
                for files in repo.commits.values():
                    for data in files.values():
                        if sum_of(data) == digest:
                            return data
            raise AssertionError(f"nobody has {digest}")

        def refuse(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def send(self, data: bytes, fault: Fault, headers: Mapping[str, str] = {}) -> None:
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if not fault.no_ranges else None
            start = int(found[1]) if found else 0
            self.send_response(206 if found else 200)
            if found:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            if self.command == "HEAD":
                return
            if fault.flip is not None:
                data = data[: fault.flip] + bytes([data[fault.flip] ^ 1]) + data[fault.flip + 1 :]
            for place in range(start, len(data), PIECE):
                for limit in (fault.cut, fault.stall):
                    if limit is not None and place - start >= limit:
                        self.wfile.flush()
                        if limit == fault.stall:
                            fault.released.wait()
                        self.close_connection = True
                        return
                self.wfile.write(data[place : place + PIECE])

        def log_message(self, *given: object) -> None:
            """Silent."""

    return Handler
