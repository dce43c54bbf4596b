"""A dataset of the Hugging Face Hub, pictures with labels in Parquet files → a folder with a sub-folder a class.

The files are read with pyarrow. The library `datasets` would do the same with pandas, aiohttp, dill and multiprocess beside
pyarrow, and may run code that a dataset brings; nothing of a dataset is run here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.config import MAX_CLASSES
from gan.data.decode import MAX_BYTES
from gan.data.zip_archive import MAX_FILES, MAX_TOTAL
from gan.errors import UserError
from gan.utils import hub_client
from gan.utils.names import composed, is_ignored

if TYPE_CHECKING:
    import pyarrow.parquet as pq

PREFIX = "hf://datasets/"
ADDRESS = "https://huggingface.co/datasets/"
CONVERTED = "refs/convert/parquet"  # where the Hub itself keeps most public datasets as Parquet
LABELS = ("label", "labels", "class", "category", "species")  # columns taken for labels where the dataset does not say
DOWNLOAD_SECONDS = 3600.0  # for one file

_TRAINING = re.compile(r"(^|/)(partial-)?train([-._/]|\d)")
_ROWS = 16  # pictures of a file that are in memory at once

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Dataset:
    """Files of one commit on the Hub."""

    repo: str
    commit: str
    files: tuple[str, ...]

    @property
    def key(self) -> str:
        """What tells its content from any other."""
        return "\n".join([self.repo, self.commit, *self.files])


def is_dataset(name: str) -> bool:
    """Whether `name` means a dataset on the Hub."""
    return name.startswith((PREFIX, ADDRESS))


def title(name: str) -> str:
    """What the dataset called `name` is called in file names: that of its repository, and of the folder in it."""
    repo, _, within = _parts(name)
    return "-".join([repo.split("/")[1], *filter(None, within.split("/"))])


def find(name: str) -> Dataset:
    """Ask the Hub for `hf://datasets/owner/name[@revision][/folder]`: its Parquet files below that folder.

    Files of a training split are taken where there are any, else all. Where the commit has no Parquet file, those that the
    Hub made of it are. Raises UserError; hub_client.Unreachable where a copy may stand in.
    """
    _check_installed()
    repo, revision, within = _parts(name)
    commit, files = _listed(repo, revision or "main")
    if not files and not revision:
        try:
            commit, files = _listed(repo, CONVERTED)
        except hub_client.Unreachable:
            raise
        except UserError:  # there is no such branch
            pass
    chosen = _chosen(files, within, f"{PREFIX}{repo}")
    total = sum(files[file] for file in chosen)
    if total > MAX_TOTAL:
        raise UserError(
            f"{repo} has {total >> 30:,} GiB of pictures, and at most {MAX_TOTAL >> 30} are fetched; "
            f"name a folder in it, as in {PREFIX}{repo}/{chosen[0]}."
        )
    return Dataset(repo, commit, tuple(chosen))


def prepare(dataset: Dataset, into: Path, progress: Progress | None = None) -> None:
    """Fetch the files into the Hub's own cache and write their pictures below `into`, as CLASS/NUMBER.

    Pictures are written as they are and not decoded; a row without one, or without a label, is passed over. `progress` is
    called with (rows done, rows in all). Raises UserError for files without pictures, with more than MAX_FILES rows or
    MAX_TOTAL bytes, or MAX_CLASSES labels; OSError when the disk is full.
    """
    import pyarrow
    import pyarrow.parquet as pq
    from huggingface_hub import hf_hub_download

    def fetch(file: str, again: bool = False) -> Path:
        get = lambda: hf_hub_download(  # noqa: E731
            dataset.repo, file, repo_type="dataset", revision=dataset.commit, etag_timeout=hub_client.ANSWER_SECONDS,
            force_download=again,
        )  # fmt: skip
        path = Path(hub_client.bounded(get, DOWNLOAD_SECONDS, f"the download of {file} of {dataset.repo}"))
        try:
            pq.ParquetFile(path, pre_buffer=False).close()  # what is cut short in the cache lacks its end, and says so
        except (pyarrow.ArrowException, OSError):
            return path if again else fetch(file, again=True)
        return path

    paths, written, done = [fetch(file) for file in dataset.files], 0, 0
    folders: dict[str, Path] = {}
    try:
        tables = [pq.ParquetFile(path, pre_buffer=False) for path in paths]
        rows = sum(table.metadata.num_rows for table in tables)
        if rows > MAX_FILES:
            raise UserError(f"{dataset.repo} has {rows:,} rows, and at most {MAX_FILES:,} are taken; name a folder in it.")
        for picture, label in (pair for table in tables for pair in _pairs(table, dataset.repo)):
            done += 1
            if progress:
                progress(done, rows)
            if picture is None or label is None or len(picture) > MAX_BYTES:
                continue
            written += len(picture)
            if written > MAX_TOTAL:
                raise UserError(f"{dataset.repo} unpacks to over {MAX_TOTAL >> 30} GiB; name a folder in it.")
            folder = _folder(into, label, folders, dataset.repo)
            (folder / f"{done:06d}").write_bytes(picture)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk is full, say; pyarrow's own have no number
        said = (str(error).strip().splitlines() or ["no reason given"])[0][:120].rstrip(".")
        raise UserError(f"a Parquet file of {dataset.repo} cannot be read ({said}); name another dataset.") from None
    if not written:
        raise UserError(f"{dataset.repo} holds no picture with a label; name another dataset, or another folder in it.")


# ------------------------------------------------------------------------------------------------------- on the Hub


def _parts(name: str) -> tuple[str, str, str]:
    """Repository, revision ("" for none) and folder in it. Raises UserError."""
    rest = name.removeprefix(PREFIX).removeprefix(ADDRESS).strip("/")
    owner, _, rest = rest.partition("/")
    first, _, within = rest.partition("/")
    short, _, revision = first.partition("@")
    hub_client.check_name(f"{owner}/{short}", revision)
    return f"{owner}/{short}", revision, within


def _check_installed() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise UserError("datasets of the Hub are read with pyarrow; run pip install -r requirements-dev.txt.") from None


def _listed(repo: str, revision: str) -> tuple[str, dict[str, int]]:
    """The commit that `revision` is at, and its Parquet files with their bytes. Raises UserError."""
    from huggingface_hub import HfApi

    def ask() -> Any:
        return HfApi().dataset_info(repo, revision=revision, files_metadata=True, timeout=hub_client.ANSWER_SECONDS)

    found = hub_client.bounded(ask, hub_client.LOAD_SECONDS, f"the list of files of {repo}")
    files = {file.rfilename: file.size or 0 for file in found.siblings or () if file.rfilename.endswith(".parquet")}
    return found.sha, files


def _chosen(files: Mapping[str, int], within: str, name: str) -> list[str]:
    """The files to read: those below `within`, of a training split where there is one. Raises UserError."""
    inside = sorted(file for file in files if not within or file == within or file.startswith(f"{within}/"))
    if not inside:
        have = "it has none at all" if not files else f"its files are {', '.join(sorted(files)[:5])}"
        raise UserError(
            f"{name + '/' + within if within else name} has no Parquet files ({have}); name a dataset of pictures with labels."
        )
    chosen = [file for file in inside if _TRAINING.search(file)] or inside
    if not within:
        tops = sorted({file.split("/")[0] for file in chosen if "/" in file})
        if len(tops) > 1:
            raise UserError(f"{name} has several parts ({', '.join(tops[:8])}); name one, as in {name}/{tops[0]}.")
    return chosen


# --------------------------------------------------------------------------------------------------------- in a file


def _pairs(table: pq.ParquetFile, repo: str) -> Iterator[tuple[bytes | None, str | None]]:
    """(picture, class) of each row, None for what is missing; every class is "photos" without a column of labels."""
    schema = table.schema_arrow
    said = _features(schema.metadata or {})
    picture, label = _picture_column(schema, said, repo), _label_column(schema, said)
    names = said.get(label, {}).get("names") if label else None
    columns = [picture] + [label] * bool(label)
    for batch in table.iter_batches(_ROWS, columns=columns):
        values = batch.to_pydict()
        labels = values[label] if label else ["photos"] * len(values[picture])
        for value, of in zip(values[picture], labels):
            content = value.get("bytes") if isinstance(value, dict) else value
            yield content if isinstance(content, bytes) and content else None, _named(of, names)


def _features(metadata: Mapping[bytes, bytes]) -> dict[str, dict[str, Any]]:
    """What the library `datasets` wrote about the columns; empty where another program made the file."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {name: value for name, value in features.items() if isinstance(value, dict)}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _picture_column(schema: Any, said: Mapping[str, Mapping[str, Any]], repo: str) -> str:
    import pyarrow.types as types

    def holds_bytes(kind: Any) -> bool:
        if types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0 and holds_bytes(kind.field("bytes").type)
        return types.is_binary(kind) or types.is_large_binary(kind)

    able = [field.name for field in schema if holds_bytes(field.type)]
    columns = [name for name in able if said.get(name, {}).get("_type") == "Image"] or able
    if not columns:
        raise UserError(
            f"{repo} has no column of pictures (its columns are {', '.join(schema.names[:8])}); name a dataset that has one."
        )
    return columns[0]


def _label_column(schema: Any, said: Mapping[str, Mapping[str, Any]]) -> str | None:
    import pyarrow.types as types

    classes = [name for name in schema.names if said.get(name, {}).get("_type") == "ClassLabel"]
    kinds = types.is_integer, types.is_string, types.is_large_string
    plain = [field.name for field in schema if field.name in LABELS and any(kind(field.type) for kind in kinds)]
    return min(classes or plain, key=lambda name: LABELS.index(name) if name in LABELS else len(LABELS), default=None)


def _named(value: Any, names: Sequence[Any] | None) -> str | None:
    """The class that a label stands for; None where it says nothing, as −1 does in test splits."""
    if isinstance(value, str):
        return value or None
    if not isinstance(value, int) or value < 0:
        return None
    if not isinstance(names, list):
        return str(value)
    return str(names[value]) if value < len(names) else None


def _folder(into: Path, label: str, folders: dict[str, Path], repo: str) -> Path:
    """The folder of a class, made when first asked for; labels are anybody's text, and folders are not."""
    label = composed(label)
    if label not in folders:
        if len(folders) == MAX_CLASSES:
            raise UserError(f"{repo} has over {MAX_CLASSES:,} different labels, which are no classes; name another dataset.")
        name = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", label).strip(". ")
        name = name.encode("utf-8", "replace")[:120].decode("utf-8", "ignore")
        if not name or is_ignored(name) or (into / name).exists():
            name = f"class {len(folders)} {name}".strip()
        folders[label] = into / name
        folders[label].mkdir()
    return folders[label]
