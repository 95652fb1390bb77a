"""What came of a person's four steps, to be looked at from afar: a presentation and a poster.

`read_story` gathers what is on disk, without an engine, a base or a network; `write_document` makes
one HTML file of it that plays by itself, `draw_poster` one large picture.
"""
