"""What the program writes into pictures, its own fonts can write; names may need the system's."""

import pytest

from realism.draw import lettering
from realism.errors import LANGUAGES, catalogue
from realism.portraits.provenance import LABELS


@pytest.fixture
def alone(monkeypatch):
    """A machine without fonts."""
    monkeypatch.setattr(lettering, "SYSTEM_FONTS", ("no-such-font.ttf",))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_for_the_stage_can_be_written_without_the_system_s_fonts(alone, language):
    words = [text for code, text in catalogue(language).items() if code.startswith("show_")]
    drawn = [text.replace("→", "").replace("←", "") for text in words]  # the browser writes these
    assert len(drawn) > 20
    assert [
        text for text in [*drawn, *LABELS.values()] if lettering.font_for(text, 40) is None
    ] == []


def test_a_script_that_no_font_writes_has_none_and_a_size_is_kept(alone):
    assert lettering.font_for("Ada", 50).size == 50
    assert lettering.font_for("𒀀𒁀", 50) is None
    assert lettering.font_for("照片", 50).getlength("照片") == 100
