"""What a picture shows, as the clauses of a caption.

Clauses, in the order that captions keep (`data_sets/captions.py` joins them): kind, age, group,
noun, hair, skin, more, expression, turn, light, level, background. What is not known is "".

Renders say all of it in their metadata. Photos say the one attribute that their generator was
asked for, as read off a collage (`about`, with b read as p at times); it goes to the clause it
belongs to.
"""

CLAUSES = ("kind", "age", "group", "noun", "hair", "skin", "more")
CLAUSES += ("expression", "turn", "light", "level", "background")
TURNS = ("front", "turned to image left", "turned to image right")
DIM, BRIGHT = 85, 150  # mean grey level of a crop: about the darkest and brightest 15 %
NOUNS = {"female": "woman", "male": "man", "": "person"}
GROUPS = {
    "caucasian": "white",
    "east asian": "east asian",
    "south asian": "south asian",
    "african": "african",
}

# about, as in the metadata: clause and text, text as it is where there is none
MISREAD = {"plue": "blue", "prown": "brown", "pandana": "bandana", "paseball": "baseball"}
MISREAD |= {"peanie": "beanie", "pack": "back", "pob-cut": "bob-cut", "scart": "scarf"}
MISREAD |= {"wodden": "wooden", "tounge": "tongue"}
ABOUT = {
    "30 year old adult": ("age", "young"),
    "wrinkly 70 year old senior": ("age", "old"),
    "african": ("group", "african"),
    "asian": ("group", "east asian"),
    "irish": ("group", "irish"),
    "native american": ("group", "native american"),
    "persian": ("group", "persian"),
    "south-american": ("group", "south american"),
    "angry or enraged": ("expression", "angry"),
    "grim face": ("expression", "frown"),
    "sad or depressed": ("expression", "sad"),
    "smiling": ("expression", "smile"),
    "surprised": ("expression", "surprise"),
    "tongue out": ("expression", "tongue out"),
    "afro hairstyle": ("hair", "afro hair"),
    "bob-cut hairstyle": ("hair", "bob"),
    "high top hairstyle": ("hair", "high hair"),
    "curly hair": ("hair", "curly hair"),
    "straight hair": ("hair", "straight hair"),
    "bald": ("hair", "bald head"),
    "purple or pink hair": ("hair", "pink hair"),
    "red or orange hair": ("hair", "red hair"),
    "white or gray hair": ("hair", "grey hair"),
    "yellow or blond hair": ("hair", "blond hair"),
    "blue hour lighting": ("light", "blue light"),
    "golden hour": ("light", "golden light"),
    "back lighting": ("light", "back light"),
    "side light with shadows": ("light", "hard side light"),
    "soft lighting": ("light", "soft light"),
    "spotlight": ("light", "hard light"),
    "studio lighting": ("light", "studio light"),
    "natural landscape": ("background", "landscape background"),
    "urban cityscape": ("background", "city background"),
    "wooden wall background": ("background", "wooden wall background"),
    "stone wall background": ("background", "stone wall background"),
    "pearl necklace": ("more", "necklace"),
    "gold chain": ("more", "necklace"),
    "diamond": ("more", "jewelry"),
    "baseball cap": ("more", "cap"),
    "sun hat": ("more", "hat"),
    "top hat": ("more", "hat"),
    "fedora": ("more", "hat"),
    "reading glasses": ("more", "glasses"),
    "rimless glasses": ("more", "glasses"),
    "cat-eye glasses": ("more", "glasses"),
    "round glasses": ("more", "glasses"),
    "square glasses": ("more", "glasses"),
    "aviator sunglasses": ("more", "sunglasses"),
    "sport sunglasses": ("more", "sunglasses"),
    "full beard": ("more", "beard"),
    "fashionable beard": ("more", "beard"),
    "long white beard": ("more", "white beard"),
    "goatee": ("more", "beard"),
    "heavy makeup": ("more", "makeup"),
    "traditional makeup": ("more", "makeup"),
    "red lipstick": ("more", "lipstick"),
}
# What the picture hardly shows in its middle, or what all of them show.
UNSAID = {"looking directly at camera", "looking straight ahead", "looking up", "wide eyes"}
UNSAID |= {"looking to the left", "profile view", "three-quarter view", "tilted downwards"}
UNSAID |= {"tilted upwards", "turned sideways", "without makeup", "shaved face", "sideburns"}
UNSAID |= {"large or chiseled jaw", "overweight or chubby", "tie", "crown", "headphones"}

PLAIN = (("expression", "smile"), ("age", "old"))
PLAIN += (("group", "african"), ("group", "east asian"))


def photo_words(row: dict, mirrored: bool) -> dict:
    """Clauses of a row of photo-faces, with what `crops.py` adds: sex, turn, grey, plain words."""
    about = " ".join(MISREAD.get(w, w) for w in row["about"].split())
    words = {"noun": NOUNS[row["sex"]]} | measured(row, mirrored)
    if about in ABOUT:
        clause, text = ABOUT[about]
        words[clause] = text
    elif about.endswith("hair"):
        words["hair"] = about
    elif about.endswith("background"):
        words["background"] = about
    elif about not in UNSAID:
        words["more"] = about
    for clause, text in (*PLAIN, ("expression", "neutral expression")):
        if text in (*row["plain"], "neutral expression"):
            words.setdefault(clause, text)
    return dict.fromkeys(CLAUSES, "") | words


def render_words(row: dict, mirrored: bool) -> dict:
    """Clauses of a row of synthetic-faces, with turn and grey of `crops.py`."""
    expression = row["expression"]
    words = {
        "age": row["age_group"],
        "group": GROUPS[row["group"]],
        "noun": NOUNS[row["sex"]],
        "hair": row["text"].split(" with ", 1)[1].rsplit(", ", 4)[0],
        "skin": f"{row['skin_tone']} skin",
        "expression": "neutral expression" if expression == "neutral" else expression,
        "light": f"{row['light']} light",
        "background": f"{row['backdrop']} background",
    }
    return dict.fromkeys(CLAUSES, "") | measured(row, mirrored) | words


def measured(row: dict, mirrored: bool) -> dict:
    """The clauses that the picture itself tells: its kind, its turn and how bright it is."""
    turn = row["turn"]
    if mirrored and turn in TURNS[1:]:
        turn = TURNS[3 - TURNS.index(turn)]
    level = "dim" if row["grey"] < DIM else "bright" if row["grey"] > BRIGHT else ""
    return {"kind": row["kind"], "turn": turn, "level": level}
