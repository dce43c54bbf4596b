"""A small Hugging Face Hub on the loopback interface: as much of its API as the real client needs, and its failures.

`HubServer` is a context manager. `put` stores a repository, `fault` chooses what goes wrong, `requests` tells what was asked.
Spaces are repositories called `spaces/owner/name`, as in their addresses, and datasets `datasets/owner/name`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

STATUS_FAULTS: dict[str, tuple[int, dict[str, str]]] = {
    "401": (401, {"X-Error-Message": "Invalid credentials in Authorization header"}),
    "403": (403, {"X-Error-Message": "You do not have the rights to do this."}),
    "gated": (403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted."}),
    "429": (429, {}),
    "500": (500, {}),
    "503": (503, {}),
    "not a hub": (200, {}),
}


class Repo:
    """Commits of one repository: commit → path → content, and branches."""

    def __init__(self, private: bool = False) -> None:
        self.private = private
        self.commits: dict[str, dict[str, bytes]] = {}
        self.refs: dict[str, str] = {}
        self.variables: dict[str, str] = {}  # of a Space
        self.sdk = self.hardware = ""  # of a Space

    def commit(self, files: dict[str, bytes], branch: str = "main", removed: Sequence[str] = ()) -> str:
        """Add, replace or remove files on a branch. Returns the commit, 40 hex digits."""
        before = {
            path: content for path, content in self.commits.get(self.refs.get(branch, ""), {}).items() if path not in removed
        }
        whole = {**before, **files}
        name = hashlib.sha1(repr((len(self.commits), sorted(whole.items()))).encode()).hexdigest()
        self.commits[name], self.refs[branch] = whole, name
        return name


class HubServer:
    """The server; `fault` is None, a key of STATUS_FAULTS, or "hang", "cut", "slow" or "huge" (all but "hang" for weights)."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}  # what was uploaded through LFS, by SHA-256
        self.fault: str | None = None
        self.upload_mode = "regular"  # or "lfs", for safetensors
        self.hardware = {"cpu-basic"}  # that the account may have for a Gradio Space
        self.requests: list[str] = []
        self.released = threading.Event()  # set at the end, so that nothing hangs longer than the test
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def put(self, name: str, files: dict[str, bytes]) -> str:
        """Store files in a repository, which is created where needed. Returns the commit."""
        return self.repos.setdefault(name, Repo()).commit(files)

    def __enter__(self) -> HubServer:
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.http.shutdown()
        self.http.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, data: Any, status: int = 200) -> None:
        self.answer(status, json.dumps(data).encode(), {"Content-Type": "application/json"})

    def do_HEAD(self) -> None:
        self.handle_any()

    do_GET = do_POST = do_PUT = do_HEAD

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        fault = self.hub.fault
        if path == "/api/agent-harnesses":  # the client asks once a day who is using it
            return self.json({"standardEnvVars": [], "harnesses": {}})
        if fault == "hang":
            self.hub.released.wait(30)
            self.close_connection = True
            return None
        if fault in STATUS_FAULTS:
            status, headers = STATUS_FAULTS[fault]
            return self.answer(status, b"", headers)
        if path.startswith("/api/"):
            return self.api(path.split("/")[2:], body)
        if path.endswith(".git/info/lfs/objects/batch"):
            return self.lfs_batch(json.loads(body))
        if path.startswith("/lfs/"):
            self.hub.objects[path.removeprefix("/lfs/")] = body
            return self.answer(200)
        return self.resolve(path)

    # ------------------------------------------------------------------------------------------------------ reading

    def resolve(self, path: str) -> None:
        kind = "datasets/" if path.startswith("/datasets/") else ""
        owner, name, _, rest = path.removeprefix(f"/{kind}").lstrip("/").split("/", 3)
        repo = self.hub.repos.get(f"{kind}{owner}/{name}")
        if repo is None:  # the Hub hides from strangers whether a repository exists
            known = "Authorization" in self.headers
            return self.answer(404 if known else 401, b"", {"X-Error-Code": "RepoNotFound"} if known else {})
        revision, _, filename = rest.partition("/")
        if revision not in repo.commits and revision not in repo.refs:  # the name of a branch may have slashes
            revision, _, filename = rest.rpartition("/")
        commit = repo.refs.get(revision, revision)
        if commit not in repo.commits:
            return self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        content = repo.commits[commit].get(filename)
        if content is None:
            return self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        fault = self.hub.fault if filename.endswith(".safetensors") else None
        if fault == "huge":
            headers["X-Linked-Size"] = str(3 << 30)
        asked = self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        part = content[start:]
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if fault not in ("cut", "slow") or self.command == "HEAD":
            return self.answer(206 if asked else 200, part, {**headers, "Content-Length": str(len(part))})
        self.send_response(206 if asked else 200)
        for key, value in {**headers, "Content-Length": str(len(part))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.close_connection = True
        if fault == "cut":  # half of the file, and nothing more of it at any later attempt
            self.wfile.write(part[: max(0, len(content) // 2 - start)])
        for at in range(0, len(part) if fault == "slow" else 0, 64):
            self.wfile.write(part[at : at + 64])
            if self.hub.released.wait(0.1):
                break
        return None

    def info(self, name: str, revision: str) -> None:
        """What a model or a dataset has: its commit, its files and their sizes."""
        repo = self.hub.repos.get(name)
        if repo is None or repo.private and "Authorization" not in self.headers:
            return self.answer(404 if "Authorization" in self.headers else 401, b"", {"X-Error-Code": "RepoNotFound"})
        commit = repo.refs.get(revision or "main", revision)
        if commit not in repo.commits:
            return self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        files = [{"rfilename": path, "size": len(content)} for path, content in repo.commits[commit].items()]
        shown = name.removeprefix("datasets/")
        return self.json({"id": shown, "sha": commit, "private": repo.private, "siblings": files, "tags": []})

    # ------------------------------------------------------------------------------------------------------ writing

    def api(self, parts: list[str], body: bytes) -> None:
        if parts == ["validate-yaml"]:
            return self.json({"errors": [], "warnings": []})
        if parts[0] == "datasets" and self.command == "GET":
            return self.info("/".join(parts[:3]), "/".join(parts[4:]))
        if parts[0] == "models" and self.command == "GET":
            return self.info("/".join(parts[1:3]), "/".join(parts[4:]))
        if "Authorization" not in self.headers:
            return self.answer(401, b"", {"X-Error-Message": "Invalid credentials in Authorization header"})
        if parts == ["repos", "create"]:
            asked = json.loads(body)
            space = asked.get("type") == "space"
            if space and asked.get("sdk") == "gradio" and asked.get("hardware", "cpu-basic") not in self.hub.hardware:
                return self.answer(402, b"", {"X-Error-Message": "Creating this Space needs a paid plan."})
            name = f"{'spaces/' if space else ''}{asked['organization']}/{asked['name']}"
            if name in self.hub.repos:
                return self.json({"error": "You already created this model repo", "url": f"{self.hub.url}/{name}"}, 409)
            self.hub.repos[name] = Repo(private=asked.get("visibility") == "private" or asked.get("private") is True)
            self.hub.repos[name].commit({})
            self.hub.repos[name].sdk, self.hub.repos[name].hardware = asked.get("sdk", ""), asked.get("hardware", "")
            return self.json({"url": f"{self.hub.url}/{name}", "name": name})
        name, action = "/".join(parts[1:3]), parts[3] if len(parts) > 3 else ""
        name = f"spaces/{name}" if parts[0] == "spaces" else name
        repo = self.hub.repos.get(name)
        if repo is None:
            return self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        if not action or action == "revision":
            files = [{"rfilename": path} for path in repo.commits[repo.refs["main"]]]
            return self.json({"id": name, "sha": repo.refs["main"], "private": repo.private, "siblings": files, "tags": []})
        if action == "variables":
            asked = json.loads(body)
            repo.variables[asked["key"]] = asked["value"]
            return self.json({key: {"key": key, "value": value} for key, value in repo.variables.items()})
        if action == "preupload":
            files = [item["path"] for item in json.loads(body)["files"]]
            large = [path for path in files if path.endswith(".safetensors") and self.hub.upload_mode == "lfs"]
            modes = [{"path": path, "uploadMode": "lfs" if path in large else "regular"} for path in files]
            return self.json({"files": [{**mode, "shouldIgnore": False} for mode in modes]})
        return self.commit(name, repo, [json.loads(line) for line in body.splitlines()])

    def commit(self, name: str, repo: Repo, lines: list[dict[str, Any]]) -> None:
        files: dict[str, bytes] = {}
        removed = [line["value"]["path"] for line in lines if line["key"] == "deletedFile"]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
        done = repo.commit(files, removed=removed)
        self.json({"success": True, "commitUrl": f"{self.hub.url}/{name}/commit/{done}", "commitOid": done, "hookOutput": ""})

    def lfs_batch(self, asked: dict[str, Any]) -> None:
        objects = [{**item, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{item['oid']}"}}} for item in asked["objects"]]
        self.json({"transfer": "basic", "objects": objects})
