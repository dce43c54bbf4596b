"""The house stands as docs/architecture.md draws it: a room imports only from the rooms before it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Rooms on one floor do not import one another, but for a room's own files.
FLOORS = (
    ("errors",), ("utils",), ("config",), ("options",), ("presets",), ("data", "networks"), ("losses", "generator", "critic"),
    ("matching", "regularizers"), ("trainer",), ("hub",), ("sampling",), ("evaluation",), ("runs", "studio"), ("garden",),
    ("__main__", "__init__"),
)  # fmt: skip
HEIGHT = {room: height for height, floor in enumerate(FLOORS) for room in floor}
NEVER = {(room, "trainer") for room in ("hub", "sampling", "evaluation", "studio")}
FILES = sorted((ROOT / "gan").rglob("*.py"))


def room(path: Path) -> str:
    """The room that a file of the package belongs to: its wing, or its own name at the top."""
    return path.relative_to(ROOT / "gan").with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """The rooms that a file imports from, wherever in the file it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            names = [f"{node.module}.{name.name}" for name in node.names]
        elif isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("gan.")}
    return found & HEIGHT.keys()


def test_every_file_has_a_room():
    assert FILES and {room(path) for path in FILES} <= HEIGHT.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_data_flows_one_way(path):
    here = room(path)
    for other in imported(path) - {here}:
        assert HEIGHT[other] < HEIGHT[here], f"{here} imports {other}, which is no room before it"
        assert (here, other) not in NEVER, f"{here} imports {other}"


@pytest.mark.parametrize("path", [path for path in FILES if room(path) == "utils"], ids=lambda path: path.stem)
def test_only_the_page_knows_gradio(path):
    assert "gradio" not in path.read_text(encoding="utf-8")
