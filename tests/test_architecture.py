"""Imports run one way, every imported name exists, no file or function outgrows its reader."""

import ast
import importlib
from pathlib import Path

import pytest

import realism

PACKAGE = Path(realism.__file__).parent
ROOT = PACKAGE.parent
MOST_LINES = 330  # of a file
MOST_OF_A_FUNCTION = 80  # lines; layouts of the page are one long list of widgets and events
# A module may import from its own line's rooms and from those above; the longest name counts.
ORDER = [
    ["realism.draw.palette"],  # colours: a leaf
    [
        "realism.errors",
        "realism.faults",
        "realism.config",
        "realism.disk",
        "realism.filenames",
        "realism.images",
    ],
    ["realism.faces"],
    ["realism.head"],
    ["realism.checks"],
    ["realism.diffusion"],
    ["realism.finetune"],
    ["realism.portraits"],
    ["realism.marks.mark", "realism.marks.photo", "realism.marks.observation"],
    ["realism.marks.switched"],
    ["realism.marks.coverage"],
    ["realism.marks.atlas"],
    ["realism.marks.find"],
    ["realism.marks.restore"],
    ["realism.marks.teach"],
    ["realism.person"],
    ["realism.draw"],
    ["realism.workflow"],
    ["realism.show"],
    ["realism.api"],
    ["realism.page"],
    ["realism.cli"],
    ["realism.__main__"],
]
RANK = {room: number for number, rooms in enumerate(ORDER) for room in rooms}


def module_of(file: Path) -> str:
    """The dotted name of a file of the package."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str | None:
    """The longest name in ORDER that the module lies in; None for the package itself."""
    rooms = [room for room in RANK if module == room or module.startswith(f"{room}.")]
    return max(rooms, key=len, default=None)


def imports(file: Path) -> list[tuple[int, str, str | None]]:
    """Line, module and name of every import of our own, those inside functions too."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            module = node.module or ""
            found += [(node.lineno, module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, "." * node.level, None))
    return [row for row in found if row[1].split(".")[0] in ("realism", "")]


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_file_is_in_a_room_and_every_room_is_there():
    modules = {module_of(file) for file in FILES}
    outside = {module for module in modules if room_of(module) is None}
    assert outside <= {"realism", "realism.marks"}
    assert {room for room in RANK if room not in modules} == set()


def test_a_room_imports_only_from_earlier_ones():
    wrong = []
    for file in FILES:
        module = module_of(file)
        own = room_of(module)
        if own is None:
            continue
        for line, target, name in imports(file):
            full = f"{target}.{name}" if name else target
            room = room_of(full)
            if room is not None and RANK[room] > RANK[own]:
                wrong.append(f"{file.relative_to(ROOT)}:{line}: {own} imports {full}")
    assert wrong == []


@pytest.mark.parametrize(
    ("folder", "others"),
    [
        ("realism", {"data_sets", "benchmarks", "training", "tests"}),
        ("data_sets", {"benchmarks", "training", "tests"}),
        ("benchmarks", {"training", "tests"}),
        ("training", {"benchmarks", "tests"}),
    ],
)
def test_what_measures_and_what_trains_know_the_program_but_not_each_other(folder, others):
    files, wrong = sorted((ROOT / folder).rglob("*.py")), []
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            targets = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                targets = [node.module or ""]
            wrong += [
                f"{file.relative_to(ROOT)}:{node.lineno}: {target}"
                for target in targets
                if target.split(".")[0] in others
            ]
    assert wrong == []


def test_imports_are_absolute():
    wrong = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in FILES
        for line, target, _ in imports(file)
        if target.startswith(".")
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", ["realism", "benchmarks", "tests", "data_sets", "training"])
def test_every_name_that_is_imported_exists(folder):
    # What is imported inside a function is met only when the function is run.
    missing = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        for line, target, name in imports(file):
            module = importlib.import_module(target)
            if name is None or hasattr(module, name):
                continue
            try:
                importlib.import_module(f"{target}.{name}")
            except ModuleNotFoundError:
                missing.append(f"{file.relative_to(ROOT)}:{line}: {target} has no {name}")
    assert missing == []


def test_no_file_outgrows_its_reader():
    long = {}
    for file in FILES:
        lines = len(file.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES:
            long[str(file.relative_to(ROOT))] = lines
    assert long == {}


def test_no_function_outgrows_its_screen():
    long = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            lines = (node.end_lineno or 0) - node.lineno + 1
            is_layout = "page" in file.parts and node.name in ("layout", "wire")
            if lines > MOST_OF_A_FUNCTION and not is_layout:
                long[f"{file.relative_to(ROOT)}:{node.name}"] = lines
    assert long == {}
