"""A W&B server on loopback: as much of it as wandb 0.31 speaks with while it creates, resumes and syncs runs.

with Server() as server:
    ...                           # with WANDB_BASE_URL = server.url
    server.runs["abc"].history    # what it has of a run by then

Its answers follow the shape of the queries; what they mean is known from W&B's public client. It keeps history as W&B
does: a chunk is laid at an offset, so that what is sent twice is there once.
"""

import base64
import json
import re
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "k" * 40
ENTITY = "someone"

Json = dict[str, Any]


@dataclass
class StoredRun:
    """A run as the server knows it."""

    name: str
    project: str
    fields: Json = field(default_factory=dict)
    config: Json = field(default_factory=dict)
    lines: dict[str, dict[int, str]] = field(default_factory=dict)
    """Of each streamed file, its lines by number."""
    files: dict[str, bytes] = field(default_factory=dict)
    joined: int = 0
    """How often a client asked for the run and was told that it is there."""
    exits: list[int] = field(default_factory=list)
    used: list[str] = field(default_factory=list)

    @property
    def history(self) -> list[Json]:
        return [json.loads(line) for _, line in sorted(self.lines.get("wandb-history.jsonl", {}).items())]

    @property
    def summary(self) -> Json:
        return json.loads(next(iter(self.lines.get("wandb-summary.json", {0: "{}"}).values())))

    @property
    def metrics(self) -> list[Json]:
        """The metrics that were defined: 1 is the name, 2 the pattern, 5 the number of the step metric, from 1."""
        return self.config.get("_wandb", {}).get("value", {}).get("m", [])


@dataclass
class Fault:
    """What goes wrong with a request; `matches` is tried against its path and body."""

    matches: str
    status: int = 500
    hangs: bool = False


class Server:
    """Listens on loopback from `with` on; `fault` makes it fail."""

    def __init__(self) -> None:
        self.runs: dict[str, StoredRun] = {}
        self.artifacts: dict[str, Json] = {}
        self.views: list[Json] = []
        """The workspaces that were laid out."""
        self.asked: list[str] = []
        """The operations and paths that were asked for, in order."""
        self.fault: Fault | None = None
        self.noticed = threading.Event()
        """Set when the fault first strikes."""
        self._lock = threading.Lock()
        self.released = threading.Event()
        """Set when what hangs may go on."""
        self.failures: list[str] = []
        """Requests that this server cannot answer as W&B does, which a test must not pass over."""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "Server":
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()  # what hangs would keep its thread
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Status and JSON for a request."""
        fault = self.fault
        if fault and re.search(fault.matches, path + body.decode("utf-8", "replace")):
            self.noticed.set()
            if fault.hangs:
                self.released.wait()
            return fault.status, {"errors": [{"message": "the server is not well"}]}
        if path.startswith("/put/"):  # W&B's own are signed, and ask for no key
            return self._keep(path, body)
        if headers["Authorization"] != "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode():
            return 401, {"errors": [{"message": "invalid API key"}]}
        with self._lock:
            if path == "/graphql":
                return self._graphql(json.loads(body))
            if found := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", path):
                return self._stream(self.runs[found[1]], json.loads(body))
        self.failures.append(path)
        return 404, {}

    def _graphql(self, request: Json) -> tuple[int, Json]:
        found = re.search(r"\b(?:query|mutation)\s+(\w+)", request["query"])
        operation = found[1] if found else request["query"]
        self.asked.append(operation)
        answer: Callable[[Json], Json] | None = getattr(self, f"_on_{operation}", None)
        if answer is None:
            self.failures.append(request["query"])
            return 400, {"errors": [{"message": f"unknown operation {operation}"}]}
        return 200, {"data": answer(request.get("variables") or {})}

    def _stream(self, run: StoredRun, body: Json) -> tuple[int, Json]:
        self.asked.append("file_stream")
        for name, chunk in (body.get("files") or {}).items():
            lines = run.lines.setdefault(name, {})
            lines |= {chunk["offset"] + place: line for place, line in enumerate(chunk["content"])}
        if body.get("complete"):
            run.exits.append(body["exitcode"])
        return 200, {}

    def _keep(self, path: str, body: bytes) -> tuple[int, Json]:
        run, _, name = path.removeprefix("/put/").partition("/")
        if run in self.runs:
            self.runs[run].files[name] = body
        else:
            self.artifacts[run]["files"][name] = body
        return 200, {}

    def _on_Viewer(self, asked: Json) -> Json:
        teams = {"edges": []}
        user = {"id": "u", "entity": ENTITY, "username": ENTITY, "email": "", "flags": "{}", "teams": teams}
        return {"viewer": user}

    def _on_GetDefaultEntity(self, asked: Json) -> Json:
        return {"viewer": {"id": "u", "entity": ENTITY}}

    def _on_RunResumeStatus(self, asked: Json) -> Json:
        run = self.runs.get(asked["name"])
        if run is None:
            return {"model": None}
        run.joined += 1
        history = [line for _, line in sorted(run.lines.get("wandb-history.jsonl", {}).items())]
        bucket = {
            "id": f"id-{run.name}", "name": run.name, "displayName": run.fields["displayName"],
            "summaryMetrics": json.dumps(run.summary), "config": json.dumps(run.config),
            "historyLineCount": len(history), "eventsLineCount": 0, "logLineCount": 0,
            "historyTail": json.dumps(history[-1:]), "eventsTail": "[]",
            "tags": run.fields.get("tags") or [], "notes": None, "wandbConfig": json.dumps({"t": 1}),
        }  # fmt: skip
        return {"model": {"id": "p", "name": run.project, "entity": {"id": "e", "name": ENTITY}, "bucket": bucket}}

    def _on_UpsertBucket(self, asked: Json) -> Json:
        inserted = asked["name"] not in self.runs
        run = self.runs.setdefault(asked["name"], StoredRun(asked["name"], asked["project"]))
        run.fields |= {name: value for name, value in asked.items() if value is not None}
        run.config |= json.loads(asked["config"] or "{}")
        bucket = {
            "id": f"id-{run.name}", "name": run.name, "displayName": run.fields.get("displayName"),
            "description": None, "config": json.dumps(run.config), "sweepName": None,
            "project": {"id": "p", "name": run.project, "entity": {"id": "e", "name": ENTITY}},
            "historyLineCount": len(run.lines.get("wandb-history.jsonl", {})),
        }  # fmt: skip
        return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}

    def _on_CreateRunFiles(self, asked: Json) -> Json:
        files = [{"name": name, "uploadUrl": f"{self.url}/put/{asked['run']}/{name}"} for name in asked["files"]]
        return {"createRunFiles": {"runID": f"id-{asked['run']}", "uploadHeaders": [], "files": files}}

    def _on_MarkRunFilesUploaded(self, asked: Json) -> Json:
        return {"markRunFilesUploaded": {"success": True}}

    def _on_ServerFeaturesQuery(self, asked: Json) -> Json:
        return {"serverInfo": {"features": []}}

    def _on_ArtifactType(self, asked: Json) -> Json:
        name = asked["name"].partition(":")[0]
        kinds = [a["type"] for a in self.artifacts.values() if a["name"] == name]
        return {"project": {"artifact": {"artifactType": {"name": kinds[0]}} if kinds else None}}

    def _on_CreateArtifact(self, asked: Json) -> Json:
        """One that is there with the same content is the same artifact."""
        wanted = asked["input"]
        name = wanted["artifactCollectionName"]
        identity = f"{name}-{wanted['digest']}"
        fresh = {"name": name, "type": wanted["artifactTypeName"], "state": "PENDING", "files": {}}
        there = self.artifacts.setdefault(identity, fresh)
        latest = {"id": identity} if there["state"] == "COMMITTED" else None
        made = {"id": identity, "state": there["state"], "artifactSequence": {"latestArtifact": latest}}
        return {"createArtifact": {"artifact": made}}

    def _on_CreateArtifactManifest(self, asked: Json) -> Json:
        url = f"{self.url}/put/{asked['artifactID']}/{asked['name']}"
        file = {"id": "f", "uploadUrl": url, "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": asked["artifactID"], "file": file}}}

    def _on_UpdateArtifactManifest(self, asked: Json) -> Json:
        url = f"{self.url}/put/{asked['artifactManifestID']}/wandb_manifest.json"
        file = {"id": "f", "uploadUrl": url, "uploadHeaders": []}
        return {"updateArtifactManifest": {"artifactManifest": {"id": asked["artifactManifestID"], "file": file}}}

    def _on_CreateArtifactFiles(self, asked: Json) -> Json:
        nodes = [
            {
                "storagePath": file["name"], "uploadUrl": f"{self.url}/put/{file['artifactID']}/{file['name']}",
                "uploadHeaders": [], "uploadMultipartUrls": None, "artifact": {"id": file["artifactID"]},
            }
            for file in asked["input"]["artifactFiles"]
        ]  # fmt: skip
        return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}

    def _on_CommitArtifact(self, asked: Json) -> Json:
        self.artifacts[asked["artifactID"]]["state"] = "COMMITTED"
        return {"commitArtifact": {"artifact": {"id": asked["artifactID"], "digest": ""}}}

    def _on_UpsertView2(self, asked: Json) -> Json:
        self.views.append(asked)
        return {"upsertView": {"view": {"id": "v", "name": asked["name"]}, "inserted": True}}

    def _on_UseArtifact(self, asked: Json) -> Json:
        wanted = asked["input"]
        self.runs[wanted["runName"]].used.append(wanted["artifactID"])
        return {"useArtifact": {"artifact": {"id": wanted["artifactID"]}}}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                with suppress(ConnectionError):  # of a client that was killed, or waited for long enough
                    super().handle()

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try:
                    status, said = server.answer(self.path, self.headers, body)
                except Exception:
                    server.failures.append(traceback.format_exc())
                    status, said = 500, {}
                content = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
