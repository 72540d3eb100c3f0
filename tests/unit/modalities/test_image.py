"""Image files: what is taken, what is refused before a pixel is decoded, and how they are reduced."""

import io
import os
import random
import signal
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.core import aside, decoding, picture_decoder, pictures
from app.core.errors import InvalidPayload
from app.modalities.image import FileInfo, header, probe, thumbnail

TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}


def picture(size: tuple[int, int] = (60, 40), mode: str = "RGB") -> Image.Image:
    return Image.effect_noise(size, 60).convert(mode)


def saved(folder: Path, image: Image.Image, kind: str, **options: Any) -> Path:
    path = folder / f"file.{kind.lower()}"
    image.save(path, kind, **options)
    return path


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_header(width: int, height: int) -> bytes:
    start = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", start) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", TYPES)
def test_the_four_formats_are_known_by_their_bytes(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, picture(), kind).rename(tmp_path / "named.html")

    assert probe(path, megapixels=40) == FileInfo(TYPES[kind], 60, 40)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html><script>alert(1)</script></html>", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"BM" + b"\0" * 60],
)
def test_a_file_that_is_no_image_is_refused_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)

    with pytest.raises(InvalidPayload, match="not a PNG, JPEG, WebP or GIF"):
        probe(path, megapixels=40)


@pytest.mark.parametrize("size", [(20_000, 20_000), (9_400, 9_400), (1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(*size))

    with pytest.raises(InvalidPayload, match="megapixels; 40 are allowed"):
        probe(path, megapixels=40)


def test_a_real_bomb_costs_no_memory(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("1", (9_400, 9_400)), "PNG")
    probe(saved(tmp_path, picture(), "JPEG"), megapixels=40)
    before = most_held()

    with pytest.raises(InvalidPayload, match="88 megapixels"):
        probe(path, megapixels=40)

    assert most_held() - before < 16_000  # kilobytes


def most_held() -> int:
    """Kilobytes that the decoder held at most so far."""
    [pid] = pictures.decoders.waiting()
    [line] = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1])


def test_a_width_of_zero_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zero.png"
    path.write_bytes(png_header(0, 5))

    with pytest.raises(InvalidPayload):
        probe(path, megapixels=40)


@pytest.mark.parametrize("kind", TYPES)
def test_a_file_that_is_cut_off_or_changed_is_taken_or_refused_and_nothing_else(tmp_path: Path, kind: str) -> None:
    whole = saved(tmp_path, picture(), kind).read_bytes()
    rng = random.Random(0)
    path = tmp_path / "damaged"
    refused = 0
    for attempt in range(200):
        content = bytearray(whole[: len(whole) * (attempt % 10) // 10] if attempt < 10 else whole)
        for _ in range(0 if attempt < 10 else 5):
            content[rng.randrange(8, len(content))] = rng.randrange(256)
        path.write_bytes(content)
        for look in (lambda: probe(path, megapixels=1), lambda: thumbnail(path, 32)):
            try:
                look()
            except InvalidPayload:
                refused += 1

    assert refused >= 10


def test_a_truncated_jpeg_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, picture((800, 600)), "JPEG")
    path.write_bytes(path.read_bytes()[:5_000])

    with pytest.raises(InvalidPayload, match="truncated"):
        probe(path, megapixels=40)


def test_a_photo_that_lies_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    lying = Image.new("RGB", (80, 40), "white")
    lying.paste("black", (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    path = saved(tmp_path, lying, "JPEG", exif=exif)

    upright = pictures.small(path, 40)
    [square] = pictures.squares([path], 40)

    assert upright.shape == (40, 20, 3)
    assert upright[5, 10].max() < 60
    assert upright[35, 10].min() > 200
    assert square is not None
    assert square[5, 20].max() < 60


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
def test_every_mode_gives_a_small_picture_of_the_same_look(tmp_path: Path, mode: str) -> None:
    grey = Image.new("L", (400, 200), 255)
    grey.paste(0, (0, 0, 200, 200))
    image = grey.point(lambda value: value * 257, "I").convert("I;16") if mode == "I;16" else grey.convert(mode)

    small = Image.open(io.BytesIO(thumbnail(saved(tmp_path, image, "PNG"), 64)))

    assert small.size == (64, 32)
    assert small.getpixel((5, 16)) == (0, 0, 0)
    assert small.getpixel((58, 16)) == (255, 255, 255)


def test_what_is_transparent_shows_white(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGBA", (10, 10), (0, 0, 0, 0)), "PNG")

    [square] = pictures.squares([path], 8)

    assert pictures.small(path, 8).min() == 255
    assert square is not None
    assert square.min() == 255


def test_a_thumbnail_of_the_largest_image_holds_it_at_most_once(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("1", (6_300, 6_300)), "PNG")
    pictures.decoders.end()

    probe(path, megapixels=40)
    thumbnail(path, 256)

    assert most_held() < 130_000  # kilobytes, for 39.7 megapixels and the program itself


def test_a_decoder_that_dies_or_hangs_is_a_refusal_and_the_next_image_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, picture(), "PNG")
    probe(path, megapixels=1)
    for kill, words in ((signal.SIGKILL, "its decoder gave up"), (signal.SIGSTOP, "busy without an end")):
        os.kill(pictures.decoders.waiting()[-1], kill)
        with monkeypatch.context() as patched:
            patched.setattr(aside, "WAIT_SECONDS", 0.2)
            with pytest.raises(InvalidPayload, match=words):
                probe(path, megapixels=1)
        assert probe(path, megapixels=1).width == 60


def test_a_picture_that_ends_the_decoder_is_unread_and_those_beside_it_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = saved(tmp_path, picture(), "PNG")
    bad = saved(tmp_path, picture(), "GIF")
    attempt = aside.Decoders.attempt

    def deadly(self: aside.Decoders, call: str, *, paths: list[str], **more: Any) -> Any:
        if str(bad) in paths:
            probe(good, megapixels=1)
            os.kill(pictures.decoders.waiting()[-1], signal.SIGKILL)
        return attempt(self, call, paths=paths, **more)

    monkeypatch.setattr(
        aside.Decoders,
        "attempt",
        lambda self, call, **more: deadly(self, call, **more) if call == "squares" else attempt(self, call, **more),
    )
    read = list(pictures.squares([good, bad, None, tmp_path / "gone", good], 16))

    assert [each is not None for each in read] == [True, False, False, False, True]


def test_what_takes_too_long_of_many_pictures_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_decoder, "BATCH_SECONDS", -1)
    path = str(saved(tmp_path, picture(), "PNG"))

    found, content = picture_decoder._answer({"call": "squares", "paths": [path] * 3, "kinds": ["PNG"] * 3, "side": 4})

    assert (found, len(content)) == ({"read": [True]}, 4 * 4 * 3)
    assert len(list(pictures.squares([Path(path)] * 70, 4))) == 70


def test_a_decoder_in_c_that_does_not_come_back_ends_with_its_process(tmp_path: Path) -> None:
    program = (
        "import zlib\nfrom app.core.decoding import answer_all\n"
        "answer_all(lambda _: ({}, zlib.compress(b'x' * 10 ** 9, 9)), 0.2)"
    )
    done = aside.subprocess.run(
        [aside.sys.executable, "-c", program], input=b"{}\n", capture_output=True, check=False, timeout=60
    )

    assert done.returncode == -signal.SIGPROF
    assert decoding.MEMORY == 2 << 30


@pytest.mark.parametrize("kind", TYPES)
def test_a_head_says_the_same_as_a_look_and_reads_no_further(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    exif[0x010E] = "x" * 40_000
    more: dict[str, Any] = {"JPEG": {"exif": exif}, "WEBP": {"exif": exif}}.get(kind, {})
    for options in ({}, more, {"lossless": True} if kind == "WEBP" else {}):
        path = saved(tmp_path, picture((61, 39)), kind, **options)
        with path.open("rb") as file:
            assert header(file, megapixels=40) == probe(path, megapixels=40) == FileInfo(TYPES[kind], 61, 39)
            assert file.tell() < 42_000
            file.seek(0)
            with pytest.raises(InvalidPayload, match="are allowed"):
                header(file, megapixels=0.001)


@pytest.mark.parametrize("kind", TYPES)
def test_a_damaged_head_is_taken_or_refused_and_nothing_else(tmp_path: Path, kind: str) -> None:
    whole = saved(tmp_path, picture(), kind).read_bytes()
    rng = random.Random(kind)
    for attempt in range(300):
        content = bytearray(whole[: rng.randrange(1, 700)] if attempt % 2 else whole)
        for _ in range(rng.randrange(4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        try:
            header(io.BytesIO(content), megapixels=1)
        except InvalidPayload:
            continue
