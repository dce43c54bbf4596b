"""A dataset on the Hugging Face Hub (pictures with labels in Parquet files) → a folder with a sub-folder for each class.

The files are read with pyarrow. The library `datasets` is not used: it needs pandas, aiohttp, dill and multiprocess too, and
may run code from a dataset. No code from a dataset is run here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.config import MAX_CLASSES
from gan.data.decode import MAX_BYTES
from gan.data.zip_archive import MAX_FILES, MAX_TOTAL
from gan.errors import UserError
from gan.utils import hub_client
from gan.utils.formatting import first_line
from gan.utils.names import composed, is_ignored
from gan.utils.progress import Progress

if TYPE_CHECKING:
    import pyarrow.parquet as pq

PREFIX = "hf://datasets/"
ADDRESS = "https://huggingface.co/datasets/"
CONVERTED = "refs/convert/parquet"  # the branch in which the Hub keeps most public datasets as Parquet
LABELS = ("label", "labels", "class", "category", "species")  # columns of labels, where the dataset does not name one
DOWNLOAD_SECONDS = 3600.0  # limit for one file

_TRAINING = re.compile(r"(^|/)(partial-)?train([-._/]|\d)")
_BATCH_ROWS = 16  # rows that are in memory at once


@dataclass(frozen=True)
class Dataset:
    """The files to read of one commit on the Hub."""

    repo: str
    commit: str
    files: tuple[str, ...]

    @property
    def key(self) -> str:
        """Text that is different for every other content."""
        return "\n".join([self.repo, self.commit, *self.files])


def is_dataset(name: str) -> bool:
    """Whether `name` is the address of a dataset on the Hub."""
    return name.startswith((PREFIX, ADDRESS))


def short_name(name: str) -> str:
    """The dataset's name in file names: `repository` or `repository-folder`. Raises UserError for a bad address."""
    repo, _, within = _parse_address(name)
    return "-".join([repo.split("/")[1], *filter(None, within.split("/"))])


def find(name: str) -> Dataset:
    """Ask the Hub which Parquet files `hf://datasets/owner/name[@revision][/folder]` has.

    Files of a training split are chosen where there are any, else all files. Where the commit has no Parquet files, those that
    the Hub converted it to are chosen. Raises UserError, and hub_client.Unreachable where an earlier copy may be used instead.
    """
    _check_installed()
    repo, revision, within = _parse_address(name)
    commit, files = _parquet_files(repo, revision or "main")
    if not files and not revision:
        try:
            commit, files = _parquet_files(repo, CONVERTED)
        except hub_client.Unreachable:
            raise
        except UserError:  # there is no such branch
            pass
    chosen = _choose_files(files, within, f"{PREFIX}{repo}")
    total = sum(files[file] for file in chosen)
    if total > MAX_TOTAL:
        raise UserError(
            f"{repo} has {total >> 30:,} GiB of pictures, and at most {MAX_TOTAL >> 30} GiB are downloaded; "
            f"name a folder in it, as in {PREFIX}{repo}/{chosen[0]}."
        )
    return Dataset(repo, commit, tuple(chosen))


def download(dataset: Dataset, into: Path, progress: Progress | None = None) -> None:
    """Download the files into the Hub's own cache and write their pictures below `into`, as CLASS/NUMBER.

    The bytes of a picture are written without decoding. A row without a picture or without a label is skipped. `progress` is
    called with (rows done, rows in all). Raises UserError for files without pictures, for more than MAX_FILES rows, MAX_TOTAL
    bytes or MAX_CLASSES labels, and for damaged files; OSError when the disk is full.
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
            pq.ParquetFile(path, pre_buffer=False).close()  # fails for a file that is cut short in the cache
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
        for picture, label in (pair for table in tables for pair in _pictures_and_classes(table, dataset.repo)):
            done += 1
            if progress:
                progress(done, rows)
            if picture is None or label is None or len(picture) > MAX_BYTES:
                continue
            written += len(picture)
            if written > MAX_TOTAL:
                raise UserError(f"{dataset.repo} unpacks to over {MAX_TOTAL >> 30} GiB; name a folder in it.")
            folder = _class_folder(into, label, folders, dataset.repo)
            (folder / f"{done:06d}").write_bytes(picture)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # from the system, for example a full disk; pyarrow's own errors have no number
        raise UserError(
            f"a Parquet file of {dataset.repo} cannot be read ({first_line(error)}); name another dataset."
        ) from None
    if not written:
        raise UserError(f"{dataset.repo} has no picture with a label; name another dataset, or another folder in it.")


# ------------------------------------------------------------------------------------------------------- on the Hub


def _parse_address(name: str) -> tuple[str, str, str]:
    """An address → repository, revision ("" for none) and folder in it ("" for none). Raises UserError."""
    rest = name.removeprefix(PREFIX).removeprefix(ADDRESS).strip("/")
    owner, _, rest = rest.partition("/")
    first, _, within = rest.partition("/")
    short, _, revision = first.partition("@")
    hub_client.check_name(f"{owner}/{short}", revision)
    return f"{owner}/{short}", revision, within


def _check_installed() -> None:
    """Raise UserError where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise UserError("datasets of the Hub are read with pyarrow; run pip install -r requirements-dev.txt.") from None


def _parquet_files(repo: str, revision: str) -> tuple[str, dict[str, int]]:
    """The commit of `revision`, and its Parquet files → their sizes in bytes. Raises UserError."""
    from huggingface_hub import HfApi

    def ask() -> Any:
        return HfApi().dataset_info(repo, revision=revision, files_metadata=True, timeout=hub_client.ANSWER_SECONDS)

    found = hub_client.bounded(ask, hub_client.LOAD_SECONDS, f"the list of files of {repo}")
    files = {file.rfilename: file.size or 0 for file in found.siblings or () if file.rfilename.endswith(".parquet")}
    return found.sha, files


def _choose_files(files: Mapping[str, int], within: str, name: str) -> list[str]:
    """The files to read: those below the folder `within`, of these the training split where there is one. Raises UserError."""
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


def _pictures_and_classes(table: pq.ParquetFile, repo: str) -> Iterator[tuple[bytes | None, str | None]]:
    """(picture, class) of each row, with None for what is missing. Without a column of labels the class is "photos"."""
    schema = table.schema_arrow
    described = _features(schema.metadata or {})
    picture, label = _picture_column(schema, described, repo), _label_column(schema, described)
    names = described.get(label, {}).get("names") if label else None
    columns = [picture] + [label] * bool(label)
    for batch in table.iter_batches(_BATCH_ROWS, columns=columns):
        values = batch.to_pydict()
        labels = values[label] if label else ["photos"] * len(values[picture])
        for value, of in zip(values[picture], labels):
            content = value.get("bytes") if isinstance(value, dict) else value
            yield content if isinstance(content, bytes) and content else None, _class_name(of, names)


def _features(metadata: Mapping[bytes, bytes]) -> dict[str, dict[str, Any]]:
    """Column → what the library `datasets` wrote about it. Empty where another program wrote the file."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {name: value for name, value in features.items() if isinstance(value, dict)}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _picture_column(schema: Any, described: Mapping[str, Mapping[str, Any]], repo: str) -> str:
    """The column of pictures: one described as `Image`, else the first with bytes. Raises UserError."""
    import pyarrow.types as types

    def holds_bytes(kind: Any) -> bool:
        if types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0 and holds_bytes(kind.field("bytes").type)
        return types.is_binary(kind) or types.is_large_binary(kind)

    able = [field.name for field in schema if holds_bytes(field.type)]
    columns = [name for name in able if described.get(name, {}).get("_type") == "Image"] or able
    if not columns:
        raise UserError(
            f"{repo} has no column of pictures (its columns are {', '.join(schema.names[:8])}); name a dataset that has one."
        )
    return columns[0]


def _label_column(schema: Any, described: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The column of labels: one described as `ClassLabel`, else one named in LABELS; None where there is none."""
    import pyarrow.types as types

    classes = [name for name in schema.names if described.get(name, {}).get("_type") == "ClassLabel"]
    kinds = types.is_integer, types.is_string, types.is_large_string
    plain = [field.name for field in schema if field.name in LABELS and any(kind(field.type) for kind in kinds)]
    return min(classes or plain, key=lambda name: LABELS.index(name) if name in LABELS else len(LABELS), default=None)


def _class_name(value: Any, names: Sequence[Any] | None) -> str | None:
    """The class of a label; None for a label that means nothing, such as −1 in test splits."""
    if isinstance(value, str):
        return value or None
    if not isinstance(value, int) or value < 0:
        return None
    if not isinstance(names, list):
        return str(value)
    return str(names[value]) if value < len(names) else None


def _class_folder(into: Path, label: str, folders: dict[str, Path], repo: str) -> Path:
    """The folder of a class, made at its first use. A label may be any text, so its name is made safe. Raises UserError."""
    label = composed(label)
    if label not in folders:
        if len(folders) == MAX_CLASSES:
            raise UserError(f"{repo} has over {MAX_CLASSES:,} different labels, too many to be classes; name another dataset.")
        name = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", label).strip(". ")
        name = name.encode("utf-8", "replace")[:120].decode("utf-8", "ignore")
        if not name or is_ignored(name) or (into / name).exists():
            name = f"class {len(folders)} {name}".strip()
        folders[label] = into / name
        folders[label].mkdir()
    return folders[label]
