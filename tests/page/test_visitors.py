"""Visitors of a hosted page: a folder of people each."""

from realism.page import front, visitors
from realism.person.person import people


def test_visitors_of_a_hosted_page_do_not_see_each_other(home, monkeypatch):
    assert visitors.new_visitor_root() is None
    monkeypatch.setenv("SPACE_ID", "someone/realism")
    mine, another_s = visitors.new_visitor_root(), visitors.new_visitor_root()
    front.on_create("Ada", "person", True, mine, "en")
    assert [person.name for person in people(mine)] == ["Ada"]
    assert people(another_s) == [] and people(None) == []
    visitors.delete_visitor(mine)
    assert not mine.exists() and home.exists()
