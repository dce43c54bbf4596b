"""What the package imports is declared: nothing rides on what another package happens to require."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TREES = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "app.py", ROOT / "train.py", *(ROOT / "gan").rglob("*.py"))]
DISTRIBUTIONS = {  # where it has another name than the module
    "PIL": "pillow", "fpdf": "fpdf2", "sklearn": "scikit-learn", "torch_fidelity": "torch-fidelity", "yaml": "pyyaml",
}  # fmt: skip
# Ours, what a Space with a borrowed GPU brings along, and what a notebook has: of no use elsewhere.
GIVEN = {"gan", "spaces", "IPython"}


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """Distributions of the modules that are imported, without Python's own and ours."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return {DISTRIBUTIONS.get(name, name).lower() for name in names - sys.stdlib_module_names - GIVEN}


def declared(*files: Path) -> dict[str, str]:
    """Name of a distribution, in lower case → what is asked of its version."""
    lines = [line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    found = [re.fullmatch(r"([\w.-]+)(?:\[\w+\])?([<>=!~].*)?", line) for line in lines if line and line[0] not in "#-"]
    return {match[1].lower(): match[2] or "" for match in found}


def test_every_import_is_declared():
    everywhere = imported(node for tree in TREES for node in ast.walk(tree))
    assert {"torch", "gradio", "pyyaml"} < everywhere
    assert everywhere - declared(*ROOT.glob("requirements*.txt")).keys() == set()


def test_what_the_app_imports_at_its_start_is_what_it_installs():
    """Imports at the head of a file, that is; those inside of functions may belong to an extra."""
    assert imported(node for tree in TREES for node in tree.body) - declared(ROOT / "requirements.txt").keys() == set()


@pytest.mark.parametrize("file", sorted(ROOT.glob("requirements*.txt")), ids=lambda file: file.name)
def test_every_requirement_has_bounds(file):
    for name, bounds in declared(file).items():
        assert bounds.startswith("==") or re.fullmatch(r">=[\d.]+,<[\d.]+", bounds), f"{name}{bounds}"
