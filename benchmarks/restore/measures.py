"""How a mark of the truth came back in a portrait: what is measured of it, and of the seams."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.restore.cases import Case
from data_sets.marked_people import mark_from_truth
from realism.faces.skin import LEAST_SKIN
from realism.images import DARKEST, LUMINANCE, to_linear
from realism.marks.mark import ROUND_KINDS
from realism.marks.restore.prepare import LayeredPortrait
from realism.marks.restore.quotient import mask_out_marks

SHIFT = 1.5  # mm within which the best agreement counts
STEP = 0.5  # px of that search
LEAST_MEAN, LEAST_PEAK = 1.5, 4.0  # dE of a loss that can be seen
LEAST_CONTRAST = 0.2  # log units of the truth
LEAST_GREY = 3.0  # grey levels of a wrinkle's contrast; fainter ones cannot be seen


@dataclass(frozen=True)
class RecoveredMark:
    """How one mark of the truth came back in one portrait.

    Attributes
    ----------
    person, portrait, mark, kind : str
    share
        Recovered, of round marks; correlation of the relief, of wrinkles.
    in_place
        The same without a shift.
    contrast
        Restored over truth, nan where it says nothing.
    put : bool
        Whether anything was put there.
    """

    person: str
    portrait: str
    mark: str
    kind: str
    share: float
    in_place: float
    contrast: float
    put: bool


def lab(pixels: np.ndarray) -> np.ndarray:
    """CIELAB of uint8 or float sRGB in 0..255."""
    return cv2.cvtColor(np.asarray(pixels, np.float32) / 255, cv2.COLOR_RGB2LAB)


def shifts_within_reach(mm_per_px: float) -> list[tuple[float, float]]:
    """All shifts within SHIFT, px."""
    most = int(SHIFT / mm_per_px / STEP)
    steps = np.arange(-most, most + 1) * STEP
    return [(x, y) for y in steps for x in steps if np.hypot(x, y) * mm_per_px <= SHIFT]


def shifted(change: np.ndarray, shift: tuple[float, float]) -> np.ndarray:
    """What was put there, shifted."""
    matrix = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
    height, width = change.shape[:2]
    return cv2.warpAffine(change, matrix, (width, height), flags=cv2.INTER_CUBIC)


def measure_round(case: Case, after: np.ndarray, value: dict) -> tuple[float, float, float] | None:
    """Share recovered at best and in place, and contrast over the truth's, of a round mark.

    Returns
    -------
    (float, float, float) or None
        None when the mark's loss cannot be seen.
    """
    x, y = np.array(value["xy"]) - 0.5
    radius, mm_per_px = value["radius_px"], case.view.truth["mm_per_px"]
    around = np.ceil(3 * radius + 2)
    half = int(around + SHIFT / mm_per_px + 2)
    x0, y0 = round(x), round(y)
    height, width = after.shape[:2]
    if not (half < x0 < width - half - 1 and half < y0 < height - half - 1):
        return None
    cut = np.s_[y0 - half : y0 + half + 1, x0 - half : x0 + half + 1]
    clean, truth = case.base.pixels[cut], case.truth[cut]
    change = after[cut].astype(np.float32) - clean
    ys, xs = np.mgrid[-half : half + 1, -half : half + 1]
    away = np.hypot(xs - (x - x0), ys - (y - y0))
    disc, core = away <= max(2 * radius, 1.5), away <= max(0.7 * radius, 0.8)
    wanted = lab(truth)
    loss = np.linalg.norm(lab(clean) - wanted, axis=2)[disc]
    if loss.mean() < LEAST_MEAN or loss.max() < LEAST_PEAK:
        return None
    others = [mark_from_truth(m, case.view.truth) for m in case.view.truth["marks"]
              if m["visible"] and m["id"] != value["id"]]  # fmt: skip
    ring = (away > 2 * radius) & (away <= around)
    skin = mask_out_marks(case.base.skin, others)[cut] > LEAST_SKIN
    ring = ring & skin if (ring & skin).sum() >= 12 else ring

    def contrast(pixels: np.ndarray) -> float:
        light = to_linear(pixels) + 1e-3
        return float(np.log(light[core].mean(0) / light[ring].mean(0)).mean())

    shares = []
    for shift in shifts_within_reach(mm_per_px):
        pixels = np.clip(clean + shifted(change, shift), 0, 255)
        left = np.linalg.norm(lab(pixels) - wanted, axis=2)[disc].sum()
        shares.append((1 - left / loss.sum(), contrast(pixels), shift))
    best = max(shares, key=lambda share: share[0])
    in_place = next(share for share, _, shift in shares if shift == (0, 0))
    dark = contrast(truth)
    says = value["kind"] != "acne" and abs(dark) > LEAST_CONTRAST
    return best[0], in_place, best[1] / dark if says else np.nan


def measure_wrinkle(case: Case, after: np.ndarray, value: dict) -> tuple[float, float] | None:
    """Correlation of the relief that was put there with the truth's, at best and in place."""
    if value["contrast"] < LEAST_GREY:
        return None
    mm_per_px = case.view.truth["mm_per_px"]
    line = np.float32(value["polyline"])[np.array(value["polyline_visible"], bool)] - 0.5
    margin = 6 / mm_per_px
    x0, y0 = np.maximum(np.floor(line.min(0) - margin), 0).astype(int)
    x1, y1 = np.ceil(line.max(0) + margin).astype(int)
    cut = np.s_[y0:y1, x0:x1]

    def light(pixels: np.ndarray) -> np.ndarray:
        return np.log(to_linear(pixels[cut]) @ LUMINANCE + DARKEST)

    def banded(change: np.ndarray) -> np.ndarray:
        fine, coarse = 0.4 / mm_per_px, 2.0 / mm_per_px
        return cv2.GaussianBlur(change, (0, 0), fine) - cv2.GaussianBlur(change, (0, 0), coarse)

    clean = light(case.base.pixels)
    wanted, put = banded(light(case.truth) - clean), banded(light(after) - clean)
    drawn = np.ones(wanted.shape, np.uint8)
    course = np.round(line - [x0, y0]).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(drawn, [course], False, 0, 1)
    near = cv2.distanceTransform(drawn, cv2.DIST_L2, 5) <= 2 / mm_per_px

    def alike(shift: tuple[float, float]) -> float:
        laid = shifted(put, shift)[near]
        spread = laid.std() * wanted[near].std()
        return float(((laid - laid.mean()) * (wanted[near] - wanted[near].mean())).mean()
                     / spread) if spread > 1e-9 else 0.0  # fmt: skip

    return max(alike(shift) for shift in shifts_within_reach(mm_per_px)), alike((0, 0))


def measure_marks(case: Case, after: np.ndarray) -> Iterator[RecoveredMark]:
    """How every mark that a photo offers came back."""
    changed = (after != case.base.pixels).any(2)
    for value in case.offered():
        if value["kind"] in ROUND_KINDS:
            figures = measure_round(case, after, value)
        else:
            figures = measure_wrinkle(case, after, value)
            figures = figures and (*figures, np.nan)
        if figures is None:
            continue
        x, y = np.array(value["xy"]) - 0.5
        reach = int(np.ceil(3 / case.view.truth["mm_per_px"]))
        x, y = round(x), round(y)
        put = changed[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1].any()
        yield RecoveredMark(
            case.person, case.view.name, value["id"], value["kind"], *figures, bool(put)
        )


def measure_seam(prepared: LayeredPortrait, after: np.ndarray) -> tuple[float, float, int] | None:
    """Slope along the edges of what was put there over that just outside, and pixels beyond.

    Returns
    -------
    (float, float, int) or None
        Of the restored portrait, of the same edges in the clean one; pixels changed outside.
    """
    mask = np.zeros(after.shape[:2], np.uint8)
    for layer in prepared.layers:
        x, y = layer.origin
        height, width = layer.falloff.shape
        mask[y : y + height, x : x + width] |= layer.falloff < 1
    beyond = int(((after != prepared.portrait).any(2) & (mask == 0)).sum())
    disc = [cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (n, n)) for n in (3, 5, 9)]
    edge = cv2.dilate(mask, disc[0]) - cv2.erode(mask, disc[0]) > 0
    outside = cv2.dilate(mask, disc[2]) - cv2.dilate(mask, disc[1]) > 0
    if not edge.any() or not outside.any():
        return None
    ratios = []
    for pixels in (after, prepared.portrait):
        light = np.log(to_linear(pixels).mean(2) + DARKEST)
        slope = np.hypot(cv2.Sobel(light, -1, 1, 0), cv2.Sobel(light, -1, 0, 1))
        ratios.append(float(slope[edge].mean() / slope[outside].mean()))
    return *ratios, beyond
