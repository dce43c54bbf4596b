"""onnxruntime-web, which draws in the browser: the release that a page is made for, from a content network or in its folder.

Its script, its glue code and its WebAssembly must be of one release, so `runtime.json` has the digest of each file.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan.errors import UserError
from gan.utils.formatting import first_line

PACKAGE = "onnxruntime-web"
PINS = Path(__file__).parent / "runtime.json"  # made by `make runtime`
PINNED: dict[str, Any] = json.loads(PINS.read_text(encoding="utf-8"))
VERSION: str = PINNED["version"]
KINDS = {  # what a browser loads for each: the script, its glue code, the WebAssembly
    "wasm": ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm"),
}
FILES = tuple(name for names in KINDS.values() for name in names)
ROLES = ("script", "glue", "wasm")
CDN = f"https://cdn.jsdelivr.net/npm/{PACKAGE}@{VERSION}/dist/"
FETCH_SECONDS = 600


def facts(vendored: Mapping[str, bytes] | None) -> dict[str, dict[str, dict[str, Any]]]:
    """For each kind and role what the page's runtime.js wants: `url`, `bytes` that come, `wire` (packed), and `integrity`.

    Of files in the page's own folder, if `vendored`, else from the content network.
    """

    def one(name: str) -> dict[str, Any]:
        pinned, path = PINNED["files"][name], _place(name)
        if vendored is not None:
            return {"url": path, "bytes": len(vendored[path]), "wire": len(vendored[path])}
        integrity = f"sha384-{pinned['sha384']}"
        return {"url": CDN + name, "bytes": pinned["bytes"], "wire": pinned["packed"], "integrity": integrity}

    return {kind: {role: one(name) for role, name in zip(ROLES, names)} for kind, names in KINDS.items()}


def vendor(package: Path | None = None) -> dict[str, bytes]:
    """Path in the page's folder → content of the runtime's files, the WebAssembly packed.

    They are taken from `package`, a folder of the npm package; by default from `node_modules` here or above, else npm fetches
    it. Raises UserError where there is none, or one of another release.
    """
    if package is None and (found := _installed()) is None:
        with tempfile.TemporaryDirectory() as folder:
            return _read(_fetched(Path(folder)))
    return _read(package or found or Path())


def _place(name: str) -> str:
    return f"ort-{VERSION}/{name}" + (".gz" if name.endswith(".wasm") else "")


def _installed() -> Path | None:
    """The package in the `node_modules` of this folder or of one above, if it is of the pinned release."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        package = folder / "node_modules" / PACKAGE
        try:
            if json.loads((package / "package.json").read_text(encoding="utf-8")).get("version") == VERSION:
                return package
        except (OSError, ValueError, AttributeError):
            continue
    return None


def _fetched(folder: Path) -> Path:
    """The package, fetched and unpacked by npm into `folder`. Raises UserError."""
    npm = shutil.which("npm")
    command = f"npm install {PACKAGE}@{VERSION}"
    if npm is None:
        raise UserError(
            f"--vendor needs npm, which is not here; install Node.js, or run {command} elsewhere and name its folder."
        )
    words = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--prefer-offline"]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"npm did not fetch {PACKAGE} {VERSION} ({type(error).__name__}); try {command} yourself.") from None
    archives = list(folder.glob("*.tgz"))
    if done.returncode or not archives:
        said = first_line(done.stderr)
        raise UserError(f"npm did not fetch {PACKAGE} {VERSION} ({said}); see to the network, or try {command} yourself.")
    with tarfile.open(archives[0]) as archive:
        for name in FILES:
            archive.extract(f"package/dist/{name}", folder, filter="data")
    return folder / "package"


def _read(package: Path) -> dict[str, bytes]:
    """The files of a package as they lie in the page's folder. Raises UserError for files that are not the pinned ones."""
    files = {}
    for name in FILES:
        try:
            content = (package / "dist" / name).read_bytes()
        except OSError as error:
            raise UserError(
                f"{error.filename} cannot be read ({error.strerror}); name the folder of {PACKAGE} {VERSION}."
            ) from None
        if digest(content) != PINNED["files"][name]["sha384"]:
            raise UserError(f"{package / 'dist' / name} is not that of {PACKAGE} {VERSION}; install that release.")
        files[_place(name)] = packed(content) if name.endswith(".wasm") else content
    return files


def packed(content: bytes) -> bytes:
    """The same bytes for the same content."""
    return gzip.compress(content, 9, mtime=0)


def digest(content: bytes) -> str:
    """SHA-384 in base64, as browsers check it (Subresource Integrity)."""
    return base64.b64encode(hashlib.sha384(content).digest()).decode()


def pin(package: Path) -> str:
    """The content of runtime.json for another release of the package, whose folder it is."""
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    files = {}
    for name in FILES:
        content = (package / "dist" / name).read_bytes()
        files[name] = {"bytes": len(content), "packed": len(packed(content)), "sha384": digest(content)}
    return json.dumps({"version": version, "files": files}, indent=2) + "\n"
