"""`import realism`: quick, typed, and every example of docs/python.md runs."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import realism
from realism.config import ASSETS
from realism.images import open_photo, read_info

DOC = Path(__file__).parent.parent / "docs" / "python.md"
MEI = ASSETS / "people" / "mei"


def test_every_example_of_the_page_runs_in_their_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= 7
    names: dict[str, object] = {}
    for number, example in enumerate(examples, 1):
        exec(compile(example, f"{DOC.name}, example {number}", "exec"), names)
    printed = capsys.readouterr().out
    assert "mei-blurred.jpg ['blurred']" in printed
    assert "1 mei-05.jpg" in printed and "2 ravi-01.jpg" in printed
    assert "person_not_found" in printed
    before = open_photo(MEI / "mei-04.jpg").pixels
    full, faint = (open_photo(tmp_path / f"{name}.png").pixels for name in ("restored", "faint"))
    assert (full != before).any() and (faint != before).any()
    assert np.abs(full.astype(int) - before).sum() > np.abs(faint.astype(int) - before).sum()
    assert read_info(tmp_path / "restored.png")["Restored"] == "true"
    assert open_photo(tmp_path / "passport.png").pixels.std() > 20
    assert len(list(tmp_path.glob("people/mei/portraits/*/01-seed1.png"))) == 1


def test_importing_it_loads_nothing_else():
    code = (
        "import sys, realism; heavy = {'torch', 'cv2', 'numpy', 'PIL'} & set(sys.modules);"
        "assert not heavy, heavy; realism.InputError; assert 'cv2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_all_names_are_offered_once_with_a_docstring():
    assert list(realism.__all__) == sorted(realism.__all__)
    assert set(realism.__all__) <= set(dir(realism))
    for name in realism.__all__:
        assert getattr(realism, name).__doc__, name
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = realism.nothing_like_it


def test_the_package_says_that_it_is_typed():
    assert (Path(realism.__file__).parent / "py.typed").exists()


def test_a_finder_by_name_looks_at_each_photo_by_itself(engine):
    (alone,) = realism.find_marks([MEI / "mei-01.jpg"], engine, method="dog")
    assert alone.name == "mei-01.jpg" and alone.marks
    with pytest.raises(realism.InputError) as refused:
        realism.find_marks([MEI / "mei-01.jpg"] * 2, engine)
    assert refused.value.code == "same_photo_name"
