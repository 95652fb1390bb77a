"""The colours of all pictures that this program draws, sRGB 0..255.

A leaf that every room may import. What tells kinds apart keeps apart for the colour-blind, too.

References
----------
Okabe and Ito, "Color Universal Design", 2008: the kinds of marks.
"""

Colour = tuple[int, int, int]

KIND_COLOURS: dict[str, Colour] = {
    "mole": (0, 114, 178),
    "spot": (230, 159, 0),
    "acne": (204, 51, 85),
    "wrinkle": (0, 158, 115),
}
ALL_ROUND: Colour = (184, 179, 171)  # round marks of every kind together
SWITCHED_OFF: Colour = (150, 150, 150)  # a mark that is not put back

# Paper and what is written on it.
PAPER: Colour = (250, 248, 245)
SHADE: Colour = (236, 233, 228)  # where paper is empty, and the track of a scale
RULE: Colour = (226, 222, 216)  # lines of a grid
INK: Colour = (28, 27, 26)
QUIET: Colour = (119, 115, 109)  # what is read second
FAINT: Colour = (138, 133, 128)

# Judgement; a badge's or a mark's shape always says the same.
GOOD: Colour = (47, 138, 94)
BAD: Colour = (196, 69, 54)
HIT: Colour = (29, 158, 99)
MISS: Colour = (58, 108, 255)
FALSE_ALARM: Colour = (255, 90, 54)

# A value on its scale.
ACCENT: Colour = (13, 148, 136)
BAND: Colour = (217, 236, 233)
