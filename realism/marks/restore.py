"""Put a person's marks back into a portrait.

Two phases. `prepare` measures every mark in its photo, finds its place and lays it on the
portrait's pixels: slow, once. `blend` mixes the laid patches into the portrait under the
sliders: fast, on every move. Two methods: `ratio` (ours, `ratio.py` and `fold.py`) and `paste`
(the original entry's, `paste.py`). Pixels outside the patches are never touched, and a strength
of 0 gives the portrait back bit for bit.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from realism.errors import Unusable
from realism.faces.face import Face
from realism.faces.head import Head, fit_person, steady_mesh
from realism.marks import fold as folds
from realism.marks.mark import Mark
from realism.marks.paste import cut_out, lines_outline, match_brightness, outline
from realism.marks.place import Placement, merge, place
from realism.marks.ratio import already_there, distance, log_light, measure, warp, window, without
from realism.marks.surface import canvas, mm_per_px
from realism.photos import to_linear, to_srgb
from realism.settings import RATIO

METHODS = ("ratio", "paste")


@dataclass(frozen=True, eq=False)
class Source:
    """A photo of the person with its marks.

    name      the photo's file name
    pixels    (H, W, 3) uint8 sRGB
    face      the person's Face in it
    skin      (H, W) float32 0..1, from `faces.skin.skin_mask`
    marks     its marks, found or given
    """

    name: str
    pixels: np.ndarray
    face: Face
    skin: np.ndarray
    marks: list[Mark]


@dataclass(frozen=True)
class Sliders:
    """What the page's sliders say. Strengths run from 0 (off) over 1 (as in the photo) to 1.5.

    brightness_match    0..1; ratio: how far a mark takes the portrait's light, rather than
                        darken by as much as it did in the photo. paste: how far the patch is
                        shifted to the portrait's brightness
    denoise             0..1; smooths the photo's grain out of the mark, sigma up to 1.5 px
    edge_softness       0..1; how much of the mark's rim fades into the skin
    """

    overall: float = 1.0
    mole: float = 1.0
    spot: float = 1.0
    acne: float = 1.0
    wrinkle: float = 1.0
    brightness_match: float = 1.0
    denoise: float = 0.25
    edge_softness: float = 0.5

    def strength(self, kind: str) -> float:
        """The strength at which marks of a kind are put on."""
        return self.overall * getattr(self, kind)


@dataclass(frozen=True, eq=False)
class Patch:
    """One mark laid on the portrait's pixels, ready to blend.

    placement    index among the placements
    kind         of the mark
    origin       (2,) int, the portrait's pixel at the patch's (0, 0)
    log_ratio    (h, w, 3) float32, what to multiply the portrait's light by; of paste: None
    pixels       (h, w, 3) uint8, what to paste; of ratio: None
    beside       (h, w) bool, skin beside the mark; of ratio: None
    rim          (h, w) float32, 0 in the middle, 1 where the mark ends
    skin         (h, w) float32, the portrait's skin
    bare         (3,) linear light of the photo's skin around the mark
    """

    placement: int
    kind: str
    origin: np.ndarray
    log_ratio: np.ndarray | None
    pixels: np.ndarray | None
    beside: np.ndarray | None
    rim: np.ndarray
    skin: np.ndarray
    bare: np.ndarray


@dataclass(frozen=True, eq=False)
class Prepared:
    """A portrait with its marks placed and measured; `blend` needs nothing else.

    portrait      (H, W, 3) uint8 sRGB
    placements    every mark, those that cannot be shown too
    patches       of the visible ones
    method        one of METHODS
    """

    portrait: np.ndarray
    placements: tuple[Placement, ...]
    patches: tuple[Patch, ...]
    method: str


def prepare(
    portrait: np.ndarray,
    face: Face,
    skin: np.ndarray,
    sources: list[Source],
    method: str = "ratio",
    placement: str = "head",
) -> Prepared:
    """Place and measure all marks of the photos: the slow phase.

    portrait     (H, W, 3) uint8 sRGB;  face, skin    its Face and (H, W) 0..1 skin mask
    method       one of METHODS;  placement    one of `place.PLACEMENTS`
    Raises Unusable for another method or placement.
    """
    if method not in METHODS:
        raise Unusable(f"Unknown method {method!r}: use one of {', '.join(METHODS)}.")
    skin = canvas(portrait, skin, face)
    heads = [None] * len(sources)
    if placement == "head" and sources:
        heads = _heads(portrait, face, sources)
    placed = [
        spot
        for source, pair in zip(sources, heads, strict=True)
        for spot in place(source.marks, source.name, source.face, face, skin, placement, pair)
    ]
    if len(sources) > 1:
        placed = merge(placed, face)
    by_name = {source.name: source for source in sources}
    light = {name: log_light(source.pixels) for name, source in by_name.items()}
    wide = {s.name: canvas(s.pixels, s.skin, s.face) for s in sources}
    own_light = log_light(portrait)
    patches = []
    for index, spot in enumerate(placed):
        if not spot.visible:
            continue
        source = by_name[spot.photo]
        if method == "paste":
            patch = _paste_patch(index, spot, source, portrait, skin)
        elif len(spot.mark.line) > 1:
            patch = _fold_patch(index, spot, source, light[spot.photo], own_light, skin)
        else:
            patch = _ratio_patch(
                index,
                spot,
                source,
                light[spot.photo],
                own_light,
                skin,
                mm_per_px(face),
                wide[spot.photo],
            )
        if patch is not None:
            patches.append(patch)
        else:
            placed[index] = replace(spot, visible=False, reason="too little skin around it")
    return Prepared(portrait, tuple(placed), tuple(patches), method)


def _heads(portrait: np.ndarray, face: Face, sources: list[Source]) -> list[tuple[Head, Head]]:
    """For each photo its head and the portrait's, all fitted together: it is one person."""
    pictures = [(portrait, face), *((source.pixels, source.face) for source in sources)]
    fitted = fit_person([(steady_mesh(p, f.mesh), p.shape[:2]) for p, f in pictures])
    return [(head, fitted[0]) for head in fitted[1:]]


def blend(
    prepared: Prepared, sliders: Sliders = Sliders(), off: frozenset[int] = frozenset()
) -> np.ndarray:
    """The portrait with its marks: the fast phase.

    off    indices of placements that are switched off
    ->     (H, W, 3) uint8 sRGB
    """
    pixels = prepared.portrait.copy()
    for patch in prepared.patches:
        strength = sliders.strength(patch.kind)
        if strength <= 0 or patch.placement in off:
            continue
        x, y = patch.origin
        height, width = patch.rim.shape
        area = np.s_[y : y + height, x : x + width]
        if patch.log_ratio is not None:
            mixed = _multiplied(pixels[area], patch, strength, sliders)
        else:
            mixed = _pasted(pixels[area], patch, strength, sliders)
        pixels[area] = np.where((patch.rim < 1)[..., None], mixed, pixels[area])
    return pixels


def _multiplied(below: np.ndarray, patch: Patch, strength: float, sliders: Sliders) -> np.ndarray:
    """Pixels under a ratio patch, (h, w, 3) uint8."""
    ratio = patch.log_ratio
    if sliders.denoise > 0:
        ratio = cv2.GaussianBlur(ratio, (0, 0), 0.1 + 1.4 * sliders.denoise)
    inner = 0.9 - 0.8 * sliders.edge_softness
    ratio = ratio * (strength * _fade(patch.rim, inner) * patch.skin)[..., None]
    light = to_linear(below)
    factor = np.exp(ratio)
    own = light * factor
    # Without matching, the mark takes away as much light as it took in the photo.
    as_in_photo = light + patch.bare * (factor - 1)
    mixed = sliders.brightness_match * own + (1 - sliders.brightness_match) * as_in_photo
    return np.rint(to_srgb(mixed)).astype(np.uint8)


def _pasted(below: np.ndarray, patch: Patch, strength: float, sliders: Sliders) -> np.ndarray:
    """Pixels under a pasted patch, (h, w, 3) uint8."""
    pixels = match_brightness(patch.pixels, patch.beside, below, sliders.brightness_match)
    if sliders.denoise > 0:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.1 + 1.4 * sliders.denoise)
    soft = cv2.GaussianBlur(
        (patch.rim < 0.75).astype(np.float32), (0, 0), 0.3 + 2 * sliders.edge_softness
    )
    cover = np.clip(soft * min(strength, 1.0) * patch.skin, 0, 1)[..., None]
    return np.rint(below * (1 - cover) + pixels * cover).astype(np.uint8)


def _fade(rim: np.ndarray, inner: float) -> np.ndarray:
    """1 up to `inner`, 0 from 1 on, smooth between."""
    t = np.clip((1 - rim) / (1 - inner), 0, 1)
    return t * t * (3 - 2 * t)


def _box(
    points: np.ndarray, reach: float, shape: tuple[int, ...]
) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Origin (2,) and (height, width) of the picture's part within `reach` px of the points."""
    low = np.maximum(np.floor(points.min(0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0) + reach) + 1, [shape[1], shape[0]]).astype(int)
    if (high <= low).any():
        return None
    return low, (int(high[1] - low[1]), int(high[0] - low[0]))


def _part(image: np.ndarray, origin: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return image[origin[1] : origin[1] + size[0], origin[0] : origin[0] + size[1]]


def _ratio_patch(
    index: int,
    spot: Placement,
    source: Source,
    light: np.ndarray,
    own: np.ndarray,
    skin: np.ndarray,
    portrait_mm: float,
    wide: np.ndarray,
) -> Patch | None:
    """A round mark's log-ratio on the portrait, less what the portrait shows of it already."""
    clean = without(source.skin, source.marks, spot.mark)
    relief = measure(light, clean, spot.mark.xy, spot.mark.radius)
    if relief.trust < RATIO.least_trust:
        return None
    reach = RATIO.reach * relief.radius
    away = distance(relief.log_ratio.shape, relief.centre) / reach
    # Pigment only darkens; a pimple may have a pale head. More than that is a base gone wrong.
    brightest = RATIO.brightest_acne if spot.mark.kind == "acne" else RATIO.brightest_pigment
    ratio = np.clip(relief.log_ratio, -RATIO.darkest, brightest)
    # Melanin and blood leave red the most light and take no more than twice as much blue as green;
    # what else darkens so is backdrop or hair at the face's rim.
    ratio[..., 0] = np.maximum(ratio[..., 0], 1.1 * ratio[..., 1] - 0.05)
    ratio[..., 2] = np.maximum(ratio[..., 2], 2.0 * ratio[..., 1] - 0.1)
    # What is not skin in the photo (backdrop, hair, lips) must not come along.
    half, at = len(ratio) // 2, np.round(spot.mark.xy).astype(int)
    on_skin = np.maximum(window(wide, *at, half, edge=0), away * RATIO.reach < 0.7)
    faded = ratio * (_fade(away, 0.7) * on_skin)[..., None]
    matrix = spot.matrix.astype(np.float64)
    there = float(np.linalg.norm(matrix, 2)) * reach
    to = spot.to.astype(np.float64)
    box = _box(to[None], there + 1, skin.shape)
    if box is None:
        return None
    laid = warp(faded, relief.centre, matrix, to, *box)
    search = RATIO.search / portrait_mm
    share, shift = _shown(laid, own, skin, to, box, matrix, relief.radius, search)
    if share > 0:
        to = to + shift
        box = _box(to[None], there + 1, skin.shape)
        laid = warp(faded, relief.centre, matrix, to, *box) * (1 - share)
    origin, size = box
    return Patch(
        index,
        spot.mark.kind,
        origin,
        laid.astype(np.float32),
        None,
        None,
        _rim(matrix, to, reach, origin, size),
        _part(skin, origin, size),
        relief.bare,
    )


def _rim(
    matrix: np.ndarray, to: np.ndarray, reach: float, origin: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Distance from the mark's middle, measured in the photo's px, over its reach there."""
    ys, xs = np.mgrid[: size[0], : size[1]]
    off = np.stack([xs + origin[0] - to[0], ys + origin[1] - to[1]], -1)
    return (np.linalg.norm(off @ np.linalg.inv(matrix).T, axis=2) / reach).astype(np.float32)


def _shown(
    laid: np.ndarray,
    own: np.ndarray,
    skin: np.ndarray,
    to: np.ndarray,
    box: tuple[np.ndarray, tuple[int, int]],
    matrix: np.ndarray,
    radius: float,
    reach: float,
) -> tuple[float, np.ndarray]:
    """How much of a laid mark the portrait shows already, near its place: share, shift px."""
    radius_there = float(np.sqrt(abs(np.linalg.det(matrix)))) * radius
    search = int(np.ceil(max(reach, 2)))
    half = max(box[1]) // 2 + search + 2
    x, y = round(to[0]), round(to[1])
    around = measure(own, (skin > 0.5).astype(np.float32), to, max(radius_there, 1.0))
    bare = np.log(around.bare + 0.004)
    shown = window(own, x, y, half) - bare
    centre = (np.array([x, y]) - box[0]).astype(int)
    small = max(2, int(np.ceil(1.6 * radius_there)))
    if min(centre[0], centre[1], box[1][1] - 1 - centre[0], box[1][0] - 1 - centre[1]) < small:
        return 0.0, np.zeros(2)  # cut by the picture's rim: nothing to compare
    middle = laid[
        centre[1] - small : centre[1] + small + 1, centre[0] - small : centre[0] + small + 1
    ]
    field = shown[
        half - small - search : half + small + search + 1,
        half - small - search : half + small + search + 1,
    ]
    return already_there(middle, field, np.ones(middle.shape[:2], np.float32), search)


def _fold_patch(
    index: int,
    spot: Placement,
    source: Source,
    light: np.ndarray,
    own: np.ndarray,
    skin: np.ndarray,
) -> Patch | None:
    """A wrinkle's relief along its course in the portrait, less the portrait's own."""
    photo_mm = mm_per_px(source.face)
    half = int(np.ceil(max(RATIO.fold_reach / photo_mm, 3 * spot.mark.radius, 3)))
    grey = light @ np.float32([0.25, 0.55, 0.2])
    measured = folds.measure_fold(grey, spot.mark.line, half)
    at = folds.even_steps(spot.mark.line)
    course = folds.along(spot.line.astype(np.float64), at)
    normal = folds.normals_of(measured.course)
    laid_normal = folds.normals_of(course)
    widths = np.abs(np.einsum("ni,ij,nj->n", laid_normal, spot.matrix, normal))
    box = _box(course, half * float(widths.max()) + 1, skin.shape)
    if box is None:
        return None
    seen = np.interp(at, np.arange(len(spot.line)), spot.line_seen.astype(np.float64))
    laid, rim = folds.lay_fold(measured, course, np.maximum(widths, 0.2), seen, *box)
    # What the portrait shows of it, at the same place: lines do not stand out enough to search.
    own_grey = own @ np.float32([0.25, 0.55, 0.2])
    shown = folds.relief_along(own_grey, course, np.maximum(widths, 0.2), half)
    laid = laid * (1 - folds.share_shown(measured, shown))
    ratio = np.repeat(laid[..., None], 3, 2).astype(np.float32)
    bare = np.exp(np.median(light.reshape(-1, 3)[:: max(1, light.size // 30000)], 0))
    return Patch(
        index,
        "wrinkle",
        box[0],
        ratio,
        None,
        None,
        rim.astype(np.float32),
        _part(skin, *box),
        bare,
    )


def _paste_patch(
    index: int, spot: Placement, source: Source, portrait: np.ndarray, skin: np.ndarray
) -> Patch | None:
    """The original's cut-out on the portrait."""
    matrix = spot.matrix.astype(np.float64)
    mark = spot.mark
    long = len(mark.line) > 1
    points = spot.line.astype(np.float64) if long else spot.to.astype(np.float64)[None]
    scale = float(np.linalg.norm(matrix, 2))
    if not np.isfinite(scale) or scale > 8:
        return None  # three landmarks nearly in a row: the original's map explodes
    near_reach = max(2.0 * mark.radius * scale, 2.5)
    box = _box(points, 2 * near_reach + 2, skin.shape)
    if box is None:
        return None
    origin, size = box
    to = spot.to.astype(np.float64)
    patch = cut_out(source.pixels, matrix, mark.xy.astype(np.float64), to, origin, size)
    ys, xs = np.mgrid[: size[0], : size[1]]
    if long:
        drawn = np.ones(size, np.uint8)
        course = np.round(points - origin).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(drawn, [course], False, 0, 1)
        away = cv2.distanceTransform(drawn, cv2.DIST_L2, 5)
        mask = lines_outline(patch, away <= near_reach)
    else:
        away = np.hypot(xs - (to - origin)[0], ys - (to - origin)[1])
        mask = outline(patch, to - origin, away <= near_reach)
    beside = (away > near_reach) & (_part(skin, origin, size) > 0.5)
    # 0.75 is the outline; beyond it the rim of a soft edge runs out within 3 px.
    outside = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, 3)
    rim = np.where(mask > 0, 0.0, 0.75 + outside / 12).astype(np.float32)
    return Patch(
        index, mark.kind, origin, None, patch, beside, rim, _part(skin, origin, size), np.zeros(3)
    )
