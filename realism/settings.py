"""Every number of the program once: frozen, each with its unit and its reason.

A test or a benchmark shrinks a run with `dataclasses.replace`, not with a flag in the code.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

VERSION = "0.1.0"  # as in pyproject.toml; written into every portrait
ASSETS = Path(__file__).resolve().parent / "assets"


def home() -> Path:
    """The folder of all people: `$REALISM_HOME`, else `people/` in the current folder."""
    return Path(os.environ.get("REALISM_HOME", "people")).expanduser()


def page_copies() -> Path:
    """Where the page keeps copies of what it shows: a folder of its own, since it is emptied.

    In `$GRADIO_TEMP_DIR`, else in `home()`.
    """
    given = Path(os.environ.get("GRADIO_TEMP_DIR") or home()).absolute()
    return given if given.name == ".page" else given / ".page"


@dataclass(frozen=True)
class Intake:
    """What may come in as a picture at all."""

    max_pixels: int = 50_000_000  # px; a decoded copy takes 3 bytes each
    max_bytes: int = 40 * 2**20  # bytes on disk
    min_side: int = 64  # px; below it no face can be judged


@dataclass(frozen=True)
class Faces:
    """When a place in a picture counts as a face, and two faces as one person.

    Set with `python -m benchmarks.faces` on ../shared/data.
    """

    candidate: float = 0.6  # detector score 0..1; true faces there 0.8-1.0
    presence: float = 0.5  # of the mesh, 0..1; true faces there above 0.99
    agreement: float = 0.3  # intersection over union of detector's and mesh's box
    work_side: int = 1024  # px; larger pictures are searched in this size
    insightface_score: float = 0.5  # detector score 0..1, insightface's own default
    connect_seconds: float = 3.0  # until the model server must answer
    read_seconds: float = 20.0  # without a byte, before a download counts as dead
    dlib_same_person: float = 0.45  # calibrated cosine; strangers above it: 2 % of pairs of
    # renders, 8 % of photos (`benchmarks.faces`)
    insightface_same_person: float = 0.3  # cosine of ArcFace embeddings, the usual choice


@dataclass(frozen=True)
class Skin:
    """Skin and head masks. Lengths are shares of the face's height where no unit is given.

    Set by eye on ../shared/data/faces, example-people and the astronaut.
    """

    work_side: int = 256  # px of the face's larger side: all is found in this size
    most_upscaling: float = 2.0  # of a small face to that size
    darkest: float = 1.6  # log units under the face's usual brightness: a fifth
    rim: float = 0.015  # kept off the mesh's outline, where cheek turns to backdrop
    forehead: float = 0.30  # how far above the mesh skin may go
    eye_margin: float = 0.035  # lashes and lids
    brow_margin: float = 0.025
    lip_margin: float = 0.02
    nostril_margin: float = 0.012
    black: float = 4.0  # grey levels added before the logarithm: noise of shadows
    stiffness: float = 0.02  # ridge on the bending of the surface of brightness
    hue_stiffness: float = 0.015  # ridge on all change of hue over the face
    least_light: float = 0.20  # log units of brightness taken for one deviation at least
    least_hue: float = 0.06  # log units of hue
    trust_elsewhere: float = 0.3  # weight off the core of the face, where a beard may be
    hair: float = 1.5  # px at the working size; coarser than a hair
    lively: float = 2.6  # fine contrast over the skin's own median
    least_fine: float = 0.008  # log units; the fine contrast of very smooth skin
    rough_window: float = 0.06
    rough: float = 0.45  # share of lively pixels from which it is hair
    highlight: float = 0.30  # how much paler a highlight may be, a deviation of light
    unlike: float = 3.6  # standard deviations from the face's own skin
    unlike_forehead: float = 3.0  # the same above the mesh, where hair is likelier
    spot: float = 0.06  # longest side of what may be a mole
    compact: float = 0.35  # least share of its square that a mole fills
    clearance: float = 0.008  # kept off what is not skin
    least_part: float = 0.01  # of the face; smaller islands are dropped
    edge: float = 1.0  # px at the working size; softness of the border
    head_view: float = 3.0  # face sizes that the segmentation is shown
    head_aside: float = 0.85  # face sizes from the face's middle to the side of the hair
    head_up: float = 1.15  # to the top of the hair
    head_down: float = 0.62  # to below the chin
    head_fade: float = 0.12  # share of that over which the outline fades


@dataclass(frozen=True)
class Check:
    """Step 1: when a photo is good enough to learn a person from.

    The limits were set on ../shared/data (example-people, faces, people-variants); the command
    `python -m benchmarks.check` prints where each picture falls.
    """

    min_face_width: int = 160  # px; a 3 mm mole is then about 3 px
    clearly_largest: float = 2.0  # area of the largest face over the second's
    max_turn: float = 45.0  # degrees of yaw; beyond it half the face is hidden
    min_sharpness: float = 1.5  # ratio, see `sharpness`; good photos 1.76-3.1, out of
    # focus by 2 % of the face's width 1.2-1.46
    good_sharpness: float = 1.75  # below it, advice: small marks may not show
    good_light: float = 42.0  # L*, below it, advice
    strong_turn: float = 35.0  # degrees of yaw, from which advice is given
    min_light: float = 30.0  # L* of the face's brighter parts; good photos 45-95 for
    # every skin, far too dark ones 12-15
    max_blown: float = 0.10  # share of the face without colour; good photos to 0.009
    same_shape: float = 0.008  # mesh difference over the face's width; copies to 0.006
    same_face: float = 0.995  # correlation of face crops; copies from 0.997
    same_picture: float = 0.92  # correlation round the face; copies from 0.93
    own_share: float = 0.5  # of the person's own median cosine to their centre; own
    # photos from 0.54, strangers' to 0.1 (renders), 0.59
    two_people: float = 0.4  # share of others from which the set counts as mixed


@dataclass(frozen=True)
class Crops:
    """How photos are cut and described for the fine-tune.

    The limits on light and expression were set on examples/people against the renderer's truth.
    """

    # name in captions; height of the face over the frame's side; how far the frame's centre lies
    # below the face's, over the side. As `training/pocket/crops.py` frames.
    framings: tuple[tuple[str, float, float], ...] = (
        ("head and shoulders", 0.50, 0.06),
        ("close-up", 0.70, -0.03),
    )
    skin: float = 0.6  # of the face's height: less than that is skin, not a face
    skin_from: int = 512  # px of the base; smaller ones made portraits of skin alone
    often: int = 3  # framings for each time that skin from near comes by
    distinct: float = 0.9  # a crop whose side is nearer to the last one's is left out
    backdrop: float = 0.15  # loss weight off the head; 0 leaves seams round the hair
    face: float = 1.3  # loss weight on the face; hair and neck have 1
    front: float = 8.5  # degrees of yaw below which a face is called front
    open_mouth: float = 0.1  # opening over width of the mouth
    smile: float = 0.565  # width and lift of the mouth over the eyes' distance
    neutral: float = 0.545  # below it no smile; between the two nothing is said
    cheek: float = 0.05  # of the face's width: reach of the patch measured there
    soft_light: float = 0.6  # stops between the cheeks
    hard_light: float = 1.35  # stops
    dim: float = 104  # mean grey level, 0-255: the darkest 15 % of the renders
    bright: float = 168  # the brightest 15 %
    backdrop_side: int = 256  # px, width at which the backdrop is looked at
    least_backdrop: float = 0.03  # of the photo: less tells nothing
    plain: float = 6.0  # deviation of 8-bit L, a, b, summed
    shapes: float = 0.7  # 8-bit L per px, 90th percentile of the slope


@dataclass(frozen=True)
class Stage:
    """One stage of the LoRA fine-tune."""

    steps: int  # optimiser steps
    learning_rate: float  # AdamW, on the LoRA matrices only
    batch: int = 4  # crops a step and process
    rank: int = 16  # of the LoRA matrices; alpha is the same
    targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")  # layers of the UNet
    warm_up: int = 20  # steps to the full learning rate
    last_rate: float = 0.1  # of the learning rate, reached along a cosine
    min_snr: float = 5.0  # gamma of Hang et al., ICCV 2023; 0: none
    max_grad_norm: float = 1.0
    weight_decay: float = 1e-2
    gradient_checkpointing: bool = False  # a third slower, a third of the memory
    seed: int = 42  # of the order, the noise and the first LoRA matrices
    save_every: int = 50  # steps; a killed process repeats fewer than these
    preview_every: int = 100  # steps
    preview_seeds: tuple[int, ...] = (1, 2, 3, 4)
    preview_steps: int = 12  # of the sampler: enough to tell who it is
    held_out_from: int = 6  # accepted photos; with fewer, none can be spared


@dataclass(frozen=True)
class Portraits:
    """Step 3."""

    count: int = 20
    max_count: int = 64
    steps: int = 25  # UniPC with Karras sigmas: converged at 20 (exact mixture)
    guidance_scale: float = 2.5  # low, for skin: more polishes it


@dataclass(frozen=True)
class Label:
    """The visible notice on a portrait, where it is asked for."""

    height: float = 0.055  # of the shorter side; GB 45438-2025 asks for 0.05 at least
    plate: float = 0.55  # darkness behind the letters: readable on white and black


@dataclass(frozen=True)
class Folder:
    """A person's folder."""

    max_name: int = 60  # characters of a person's name; a slug stays a file name
    trigger: str = "ohwx"  # rare word that comes to mean the person; one SD token pair


@dataclass(frozen=True)
class Finder:
    """The embedded finder of marks; set on ../shared/data/marked-people (`benchmarks.marks`)."""

    span: int = 600  # px from ear to ear: a mole of 1 mm is then 8 px wide
    sigmas: tuple[float, ...] = (1.5, 2.1, 3.0, 4.2, 6.0, 8.5)  # px there: radii of 0.5-3 mm
    margin: int = 8  # px there, about 2 mm: no mark so close to the skin's edge
    around: float = 25.0  # px there: how far the usual strength of skin is averaged
    noise: float = 0.004  # log units; keeps flat renders from making noise a mark
    candidates: int = 80  # strongest dips looked at closely
    even_odds: float = 25.0  # strength of a dip that is as likely a mark as not
    brown: float = 0.6  # red and blue dip over green's; below it blood, not melanin
    deep: float = 0.145  # log units; a mole darkens red by more, a spot by less
    threshold: float = 0.5  # least score of a mark


@dataclass(frozen=True)
class Heatmap:
    """The default finder of marks: what is around its network. px are of what it sees."""

    most_span: int = 780  # px from ear to ear: the largest faces it was taught on; the
    # smallest it is shown are brought to `Finder.span`
    tile: int = 1024  # px; larger views are seen in parts
    overlap: int = 96  # px of each part's border that are left to its neighbour
    margin: int = 4  # px of the Hessian's view: none so close to where skin ends
    inside: tuple[float, float] = (2.0, 30.0)  # px of it from the strict mask's edge: nearer, and
    # further in, makes no difference
    # Below these nothing is a mark, and how far below says nothing; nor does being surer than sure.
    odds: tuple[float, float] = (-7.0, 8.0)  # log odds of the heat map
    least_response: float = 0.3  # of a dip
    least_strength: float = 2.0  # of a dip
    least_chance: float = 0.02  # of the heat map's peaks that are looked at
    candidates: int = 120  # strongest peaks looked at
    same: float = 6.0  # px of the Hessian's view: a dip so near a peak is the same
    apart: float = 10.0  # px of it: of marks so near only the surest is kept
    threshold: float = 0.5  # least score of a mark


@dataclass(frozen=True)
class Together:
    """Marks of several photos at one place of the head (`marks/together.py`)."""

    spread: float = 2.0  # mm: how far sightings of one round mark lie apart
    line_spread: float = 3.0  # mm: of one wrinkle
    line_points: int = 12  # of a wrinkle's course that are compared, at least
    line_shown: float = 0.5  # share of them that another photo must show
    around: float = 7.0  # mm: where it is seen what agrees by chance
    facing: float = 0.3  # cosine below which a photo does not show a place
    best: float = 1 / 3  # share of those photos that counts: hair or shade hide some
    floor: float = -6.0  # log odds of what others do not show
    line_floor: float = -4.0  # the same of wrinkles
    odds: tuple[float, float] = (-8.0, 12.0)  # log odds beyond which a photo says no more


@dataclass(frozen=True)
class Lines:
    """The embedded finder of wrinkles, in px of the finder's view (`Finder.span`)."""

    sigmas: tuple[float, ...] = (1.8, 2.6, 3.6)  # px; half widths of folds
    around: float = 25.0  # px: how far the usual strength of skin is averaged
    noise: float = 0.003  # log units
    low: float = 1.5  # times the usual: a fold goes on above it
    high: float = 3.0  # times the usual: a fold starts above it
    gap: float = 12.0  # px; ends so near may be one line
    shortest: int = 28  # px, about 6 mm
    usual_length: float = 60.0  # px; longer lines count for more, shorter for less
    even_odds: float = 2.6  # strength of a line that is as likely a wrinkle as not
    keep_every: int = 4  # px between the points of a line


@dataclass(frozen=True)
class Placing:
    """Where marks go."""

    most_turned: float = 60.0  # degrees of a portrait's head; the mesh is a guess beyond
    least_facing: float = 0.12  # cosine; skin turned away further shows no mark
    least_photo_facing: float = 0.25  # cosine in the photo; seen flatter, a mark is smeared
    least_skin: float = 0.5  # of the portrait's skin mask
    canvas_reach: float = 9.0  # mm around a pixel whose skin it must look like
    canvas_hue: float = 0.22  # log units by which a colour may differ from that skin's
    canvas_shade: float = 0.75  # log units by which shade may darken it; hair is darker
    feature_margin: float = 2.0  # mm around brows, eyes, lips and nostrils
    largest_hole: float = 3.5  # mm, radius: what a mark may leave out of the skin's mask
    least_compact: float = 0.5  # of the area of a disc as long: such a hole may be a mark
    matrix_facing: float = 0.2  # cosine; seen more edge-on, the local map is not trusted
    same_mark: float = 6.0  # mm; sightings of several photos that near are one mark
    sure_facing: float = 0.6  # cosine in the photo from which a place is sharp
    least_stretch: float = 0.25  # of a mark's map from photo to portrait, over its size
    most_stretch: float = 1.8  # the same; more would smear what is seen edge-on
    worth_averaging: float = 0.4  # of the best view's worth: measured there too


@dataclass(frozen=True)
class Atlas:
    """The mark passport: when a mark is believed, and when a photo shows skin well."""

    enough_chances: int = 3  # photos that could show it: fewer had hardly a chance to
    believed: int = 2  # of those, photos that must show a mark; else it is off
    well: float = 0.45  # cosine to the line of sight from which skin is seen well
    covered: int = 2  # photos that should show each part of the face well
    mirror_marks: int = 3  # round marks that agree mirrored: a mirrored photo


@dataclass(frozen=True)
class Register:
    """Registration of a photo on a portrait over the heads; set on the people q01, q03 and q05
    of ../shared/data/marked-people (`benchmarks.restore`)."""

    px: float = 0.65  # mm in a px of the working pictures
    step: int = 8  # working px between the nodes that the heads carry
    facing: float = 0.25  # cosine below which skin is not compared
    band: tuple[float, float] = (0.6, 2.5)  # mm, sigmas of the band-pass
    evened: float = 6.0  # mm over which the strength of structure is evened out
    noise: float = 0.02  # log units; keeps noise from becoming structure
    looks: tuple[tuple[float, float], ...] = ((16.0, 6.0), (10.0, 3.0))  # mm: patch, search
    apart: float = 7.0  # mm between patches
    least_whole: float = 0.8  # share of a patch that must be seen in both
    least_likeness: float = 0.2  # correlation
    says: float = 8.0  # independent values in a patch
    floor: float = 0.4  # mm, doubt of the surest match
    # mm, mm: usual size of what the heads are off by, and over what distance it is alike
    drift: tuple[tuple[float, float], ...] = ((1.5, float("inf")), (2.0, 25.0), (0.6, 10.0))


@dataclass(frozen=True)
class Ratio:
    """How marks are measured and laid on by `method="ratio"`."""

    reach: float = 1.6  # of a mark's radius: where it has faded to nothing
    evened_shade: float = 2.5  # px over its radius: how far it is made alike all around
    most_evened: float = 0.35  # at most so far
    evened_hue: float = 6.0  # px over its radius, the same of its colour; up to 1
    smoothing: float = 0.75  # of a mark's radius: sigma at most of the denoise slider
    brightest_pigment: float = 0.02  # log units by which a mole or spot may be lighter than skin
    brightest_acne: float = 0.2  # the same of a pimple
    darkest: float = 2.5  # log units; the blackest mole keeps a twelfth of the light
    most_dark: float = 1.15  # of its core's darkness: darker beside it is not the mark
    least_trust: float = 0.3  # share of a mark's surroundings that must be clean skin
    search: float = 3.5  # mm: how far off the portrait's own mark may lie
    same_mark: float = 0.6  # correlation with the mark from which it is the same one
    least_shown: float = 0.3  # of its strength; less is the skin's own texture
    stands_out: float = 4.0  # standard deviations of what is like it around there
    fold_smoothing: float = 2.0  # px along the line


@dataclass(frozen=True)
class Folds:
    """A wrinkle's relief, and what becomes of it under another expression and light."""

    reach: float = 3.0  # mm to each side of a wrinkle's line
    core: float = 0.3  # of its reach: as deep as measured; from there it fades
    taper: float = 0.2  # of its length: over which it fades in and out
    deepest: float = 1.0  # log units of light that it takes at most
    brightest: float = 0.15  # log units by which skin beside it may be lighter
    tint: tuple[float, float] = (0.6, 1.5)  # of a colour's depth over all colours'
    lit_facing: float = 0.3  # cosine from which skin tells of the light
    unsure_light: float = 0.3  # log units; across slopes of light below it say little
    smoothed: float = 6.0  # share of its depth lost for a stretch of 1: gone at 17 %
    least_left: float = 0.35  # of its depth, however smooth the expression


@dataclass(frozen=True)
class HeadFit:
    """The 3D head. First guesses that were kept: `benchmarks.head` moves by under 0.1 mm in the
    median with `alike` 3, `warp_reach` 25, `warp_height` 3, or no warp."""

    identity_modes: int = 40  # of the packed 50
    steps: int = 6  # Gauss-Newton; 30 give the same
    alike: float = 8.0  # neighbouring points err alike: 468 count as so many fewer
    surprise: float = 3.0  # standard deviations at which a point has lost half its say
    expression_spread: float = 0.3  # of a weight that runs 0..1
    focal: float = 2.1  # picture sides: a 50 mm lens on a cropped 24 mm frame
    focal_spread: float = 0.35  # of its logarithm: 35 to 85 mm
    drift_reach: float = 2.5  # standard deviations of face shape, see `settled`
    warp_reach: float = 15.0  # mm over which the warp is alike
    warp_height: float = 2.0  # mm, the warp's usual size
    warp_doubt: float = 2.0  # times a point's noise, since neighbours err alike
    warp_facing: float = 0.2  # cosine below which a mesh point is a guess
    visible_facing: float = 0.12  # cosine below which a place is only a rim
    outline: float = 10.0  # mm beside the fitted outline that still count as the head
    hidden_behind: float = 4.0  # mm behind the front surface: nose over cheek, not noise


INTAKE = Intake()
FACES = Faces()
SKIN = Skin()
CHECK = Check()
CROPS = Crops()
PORTRAITS = Portraits()
LABEL = Label()
PERSON = Folder()
FINDER = Finder()
LINES = Lines()
HEATMAP = Heatmap()
TOGETHER = Together()
PLACING = Placing()
ATLAS = Atlas()

# The embedded base is young and small: it moves little by a LoRA on attention, so all its layers
# learn, at a high rate (`python -m benchmarks.finetune` prints how like the person it gets).
_POCKET = Stage(
    400, 2e-3, batch=8, rank=32,
    targets=(
        "to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out",
        "conv1", "conv2", "conv_shortcut", "conv_in", "conv_out",
    ),
)  # fmt: skip

# By the base: its name where that is one of ours, else its family. Stage 1, stage 2.
STAGES = {
    "pocket": (replace(_POCKET, steps=120, learning_rate=1e-3), _POCKET),
    "sd15": (Stage(2000, 1e-4, preview_every=500), Stage(800, 1e-4)),
    "sdxl": (
        Stage(2000, 1e-4, batch=2, gradient_checkpointing=True, preview_every=500),
        Stage(800, 1e-4, batch=2, gradient_checkpointing=True),
    ),
}
# By the base, where it wants another than `PORTRAITS.guidance_scale`: more burns out pocket's skin.
GUIDANCE = {"pocket": 1.5}
REGISTER = Register()
RATIO = Ratio()
FOLDS = Folds()
HEAD = HeadFit()
