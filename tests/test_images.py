"""Any picture comes in upright, as sRGB, without metadata; or is refused with what to do."""

import io
import os
import re
import subprocess
import sys

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from realism.config import ASSETS
from realism.errors import InputError
from realism.images import (
    GREY,
    LUMINANCE,
    from_scene_light,
    log_light,
    luma,
    open_photo,
    read_info,
    save_png,
    to_linear,
    to_scene_light,
    to_srgb,
)

MEI = ASSETS / "people/mei/mei-01.jpg"


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.open(MEI).convert("RGB")


def encoded(picture: Image.Image, format: str, **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_the_usual_formats_open_as_the_same_picture(picture, format):
    photo = open_photo(encoded(picture, format, quality=95), "a")
    assert photo.pixels.shape == (512, 512, 3)
    assert photo.pixels.dtype == np.uint8
    assert np.abs(photo.pixels.astype(int) - np.asarray(picture).astype(int)).mean() < 3


def test_heic_of_a_phone_opens(picture):
    out = io.BytesIO()
    pillow_heif.from_pillow(picture).save(out, quality=90)
    photo = open_photo(out.getvalue(), "phone.heic")
    assert np.abs(photo.pixels.astype(int) - np.asarray(picture).astype(int)).mean() < 4


def test_exif_orientation_is_applied(picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: rotate by 90 degrees clockwise to view
    photo = open_photo(encoded(picture.crop((0, 0, 400, 300)), "PNG", exif=exif), "a.png")
    assert photo.pixels.shape == (400, 300, 3)
    expected = np.rot90(np.asarray(picture.crop((0, 0, 400, 300))), -1)
    assert np.array_equal(photo.pixels, expected)


def test_an_embedded_profile_is_converted_to_srgb(picture):
    # sRGB's own profile with the red and blue primaries swapped shows whether it is followed.
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red], profile[blue] = profile[blue], profile[red]
    swapped = Image.merge("RGB", picture.split()[::-1])
    photo = open_photo(encoded(swapped, "PNG", icc_profile=bytes(profile)), "wide.png")
    assert np.abs(photo.pixels.astype(int) - np.asarray(picture).astype(int)).mean() < 1


def test_cmyk_is_converted(picture):
    photo = open_photo(encoded(picture.convert("CMYK"), "JPEG", quality=95), "print.jpg")
    assert photo.pixels.shape == (512, 512, 3)
    assert np.abs(photo.pixels.astype(int) - np.asarray(picture).astype(int)).mean() < 8


def test_sixteen_bits_keep_their_brightness(picture):
    grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    photo = open_photo(encoded(Image.fromarray(grey), "PNG"), "scan.png")
    assert np.array_equal(photo.pixels[..., 0], np.asarray(picture.convert("L")))


def test_a_palette_and_alpha_open_over_white(picture):
    photo = open_photo(encoded(picture.quantize(256), "PNG"), "palette.png")
    assert np.abs(photo.pixels.astype(int) - np.asarray(picture).astype(int)).mean() < 8
    clear = picture.copy()
    clear.putalpha(0)
    assert open_photo(encoded(clear, "PNG"), "clear.png").pixels.min() == 255


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("text.jpg", b"these are not the bytes of a picture", "not a picture"),
        ("empty.jpg", b"", "the file is empty"),
        ("cut.jpg", MEI.read_bytes()[:9000], "damaged or cut off"),
        ("dot.png", encoded(Image.new("RGB", (1, 1)), "PNG"), "too small"),
        ("huge.png", encoded(Image.new("L", (10_000, 10_000)), "PNG"), "100 megapixels"),
        (
            "moving.gif",
            encoded(
                Image.new("P", (99, 99)),
                "GIF",
                save_all=True,
                append_images=[Image.new("P", (99, 99), 1)],
            ),
            "GIF pictures are not accepted",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(name, data, says):
    with pytest.raises(InputError, match=says) as refused:
        open_photo(data, name)
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_cut_off_picture_is_told_in_chinese_without_english_words():
    with pytest.raises(InputError) as refused:
        open_photo(MEI.read_bytes()[:9000], "a")
    assert not re.search("[b-z]", refused.value.message.text("zh"))


def test_faults_in_the_exif_of_a_picture_are_no_lines_on_the_console(recwarn):
    faulty = encoded(Image.open(MEI), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert open_photo(faulty, "a.jpg").pixels.shape == (512, 512, 3)
    assert not recwarn.list


def test_over_forty_megabytes_is_refused_before_it_is_read(tmp_path):
    file = tmp_path / "large.jpg"
    with file.open("wb") as out:
        out.truncate(41 * 2**20)
    with pytest.raises(InputError, match="41 MB is over the limit of 40 MB"):
        open_photo(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nobody\.jpg: there is no such picture"):
        open_photo(tmp_path / "nobody.jpg")


def test_linear_light_and_back_is_exact():
    values = np.arange(256, dtype=np.uint8).repeat(3).reshape(-1, 3)
    assert np.array_equal(to_srgb(to_linear(values)).round().astype(np.uint8), values)
    assert to_linear(np.uint8([[188, 188, 188]]))[0, 0] == pytest.approx(0.5029, abs=1e-3)


def test_light_before_the_camera_and_back_is_exact_and_only_highlights_differ():
    values = np.arange(256, dtype=np.uint8).repeat(3).reshape(-1, 3)
    light = to_scene_light(values)
    assert np.array_equal(from_scene_light(light).round().astype(np.uint8), values)
    dim = to_linear(values) < 0.59
    assert light[dim] == pytest.approx(to_linear(values)[dim])
    assert (np.diff(light[:, 0]) > 0).all() and light[-1, 0] > 2


def test_half_the_light_is_a_constant_less_in_log_light():
    skin = open_photo(MEI).pixels[200:300, 200:300]
    darker = to_srgb(to_linear(skin) / 2).round().astype(np.uint8)
    change = log_light(darker) - log_light(skin)
    assert np.median(change) == pytest.approx(-np.log(2), abs=0.01)
    assert np.percentile(np.abs(change - np.median(change)), 95) < 0.06


def test_every_grey_leaves_grey_as_it_is_and_luma_is_rec_601():
    assert [weights.sum() for weights in (LUMINANCE, GREY)] == pytest.approx([1, 1])
    pixels = open_photo(MEI).pixels
    assert np.abs(luma(pixels) - pixels @ [0.299, 0.587, 0.114]).max() <= 1


def test_a_saved_picture_carries_its_entries_and_nothing_else(tmp_path):
    pixels = open_photo(MEI).pixels
    save_png(tmp_path / "a.png", pixels, {"seed": "7", "prompt": "портрет 肖像"})
    assert read_info(tmp_path / "a.png") == {"seed": "7", "prompt": "портрет 肖像"}
    assert np.array_equal(open_photo(tmp_path / "a.png").pixels, pixels)
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_full_disk_leaves_the_old_file_and_no_half_of_the_new_one(tmp_path):
    """A real limit of the kernel on file size stands for the full disk."""
    script = (
        "import resource, signal, sys, numpy as np\n"
        "from realism.images import save_png\n"
        "save_png(sys.argv[1], np.zeros((64, 64, 3), np.uint8))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)\n"
        "save_png(sys.argv[1], noise)\n"
    )
    out = tmp_path / "a.png"
    ended = subprocess.run(
        [sys.executable, "-c", script, str(out)], capture_output=True, text=True, check=False
    )
    assert "InputError: The disk is full: a.png was not written." in ended.stderr
    assert open_photo(out).pixels.shape == (64, 64, 3)
    assert os.listdir(tmp_path) == ["a.png"]
