"""Bases as they lie about: each form loads as what it was made from, or is refused for a reason."""

import pytest

from benchmarks.base_forms.form import PlainBases, try_form
from benchmarks.base_forms.table import FORMS


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> PlainBases:
    return PlainBases(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.kind}, {form.name}")
def test_a_form_goes_as_it_must(form, plain, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "http://127.0.0.1:9")  # discard: nothing listens
    monkeypatch.setenv("REALISM_CACHE", str(tmp_path / "cache"))
    right, said = try_form(form, plain, tmp_path / "made").verdict(form)
    assert right, said
    assert "\n" not in said


def test_there_are_more_than_forty_forms_each_with_a_name_of_its_own():
    names = {(form.kind, form.name) for form in FORMS}
    assert len(names) == len(FORMS) > 40
