"""Real files changed a little: what a seeded hand cuts, doubles, moves and overwrites in them."""

import io
import json
import random
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from PIL import Image

from tests.clips import square, tone, write

ROWS = [
    {"key": f"row-{n}", "text": f"a {word} in the garden, number {n}", "label": word, "priority": n,
     "metadata": {"n": n, "deep": {"list": [1, 2.5, None, -3e9], "é": True}}}
    for n, word in enumerate(["cat", "dog"] * 12)
]  # fmt: skip
ANSWERS = [
    {"key": f"item-{n % 12}", "label": {"class": word}, "origin": origin, "seconds_spent": 1.5 * n,
     "created_at": f"2026-03-{n + 1:02d}T10:00:00Z", **({"annotator": who} if who else {})}
    for n, (word, origin, who) in enumerate([
        ("cat", "import", ""), ("dog", "import", "Ann"), ("cat", "program", "rules"), ("dog", "human", "U1"),
        ("dog", "human", ""), ("cat", "program", ""),
    ] * 4)
]  # fmt: skip
PREDICTIONS = [
    {"key": f"item-{n % 12}", **said}
    for n, said in enumerate([
        {"probabilities": {"cat": 0.75, "dog": 0.25}}, {"probabilities": [0.5, 0.5]}, {"label": "dog", "score": 0.9},
        {"probabilities": {"dog": 1.0}}, {"label": {"class": "cat"}, "score": 1},
    ] * 5)
]  # fmt: skip
SPLINTERS = (
    b'"', b"'", b",", b";", b"\n", b"\r\n", b"\r", b"\t", b"\0", b"\\", b"\\u0000", b"\\ud800", b"\xff\xfe",
    b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"{", b"}", b"[", b"]", b"[" * 2_000, b'{"a":' * 2_000,
    b"NaN", b"-Infinity", b"1e400", b"9" * 400, b"-9223372036854775809", b"null", b"true", b"=cmd()", b"<script>",
    b"../../x", b"\0" * 64, b"\xff" * 64, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80",
    b"PK\x03\x04", b"PAR1", b"A" * 70_000,
)  # fmt: skip
MOST = 12  # changes of one file


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """The bytes with 1 to 12 changes, most often one or two."""
    content = bytearray(seed)
    for _ in range(min(MOST, 1 + int(chance.expovariate(0.7)))):
        chance.choice(CHANGES)(content, chance)
    return bytes(content)


def _flip(content: bytearray, chance: random.Random) -> None:
    place = _place(content, chance)
    content[place : place + 1] = bytes([(content[place] if content else 0) ^ 1 << chance.randrange(8)])


def _overwrite(content: bytearray, chance: random.Random) -> None:
    place, length = _place(content, chance), chance.choice((1, 2, 4, 8, 100))
    content[place : place + length] = chance.randbytes(length)


def _splinter(content: bytearray, chance: random.Random) -> None:
    place, piece = _place(content, chance), chance.choice(SPLINTERS)
    content[place : place + (len(piece) if chance.random() < 0.5 else 0)] = piece


def _number(content: bytearray, chance: random.Random) -> None:
    """A length or an offset that lies, as binary formats have them."""
    place, size = _place(content, chance), chance.choice((2, 4, 8))
    value = chance.choice((0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1, 2**63 - 1)) % 2 ** (8 * size)
    content[place : place + size] = value.to_bytes(size, chance.choice(("big", "little")))


def _cut_out(content: bytearray, chance: random.Random) -> None:
    place = _place(content, chance)
    del content[place : place + chance.choice((1, 3, 30, 3_000))]


def _cut_off(content: bytearray, chance: random.Random) -> None:
    del content[_place(content, chance) :]


def _double(content: bytearray, chance: random.Random) -> None:
    start, place = _place(content, chance), _place(content, chance)
    content[place:place] = content[start : start + chance.choice((1, 10, 200, 5_000))] * chance.choice((1, 1, 1, 40))


CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _flip, _overwrite, _splinter, _splinter, _number, _cut_out, _cut_off, _double,
)  # fmt: skip


def _place(content: bytearray, chance: random.Random) -> int:
    """Anywhere, but often near the ends, where binary formats say what they hold."""
    size = len(content)
    if not size or chance.random() < 0.6:
        return chance.randrange(size or 1)
    near = min(size - 1, int(chance.expovariate(1 / 60)))
    return near if chance.random() < 0.6 else size - 1 - near


@cache
def seeds(kind: str) -> list[bytes]:
    """Real files of a kind, made anew."""
    made = MAKERS[kind]()
    assert all(made)
    return made


def _jsonl() -> list[bytes]:
    return [b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)]


def _csv() -> list[bytes]:
    head = b"key,text,label,priority,metadata\r\n"
    return [head + b"".join(f'row-{n},"a ""{n}"", cat",dog,{n},"{{""n"": {n}}}"\r\n'.encode() for n in range(24))]


def _parquet() -> list[bytes]:
    made = []
    flat = [{name: value for name, value in row.items() if name != "metadata"} for row in ROWS]
    for rows, coding in ((flat, "snappy"), (ROWS, "zstd"), (flat, "none")):
        out = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), out, compression=coding, row_group_size=10)
        made.append(out.getvalue())
    return made


def _lines(rows: list[dict[str, Any]]) -> list[bytes]:
    return [b"".join(json.dumps(row).encode() + b"\n" for row in rows)]


def _answers_in_a_sheet() -> list[bytes]:
    head = b"key,label,origin,annotator,seconds_spent,created_at\r\n"
    fields = [[row["key"], row["label"]["class"], row["origin"], row.get("annotator", ""), str(row["seconds_spent"]),
               row["created_at"]] for row in ANSWERS]  # fmt: skip
    return [head + b"".join(f"{','.join(each)}\r\n".encode() for each in fields)]


def _table(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=10)
    return out.getvalue()


def _answers_in_columns() -> list[bytes]:
    plain = [row | {"label": row["label"]["class"]} for row in ANSWERS]
    return [
        _table([{"annotator": None} | row for row in plain]),
        _table([{"annotator": None} | row for row in ANSWERS]),
    ]


def _predictions_in_columns() -> list[bytes]:
    keys = [f"item-{n}" for n in range(12)]
    objects = [{"key": key, "probabilities": {"cat": 0.25, "dog": 0.75}} for key in keys]
    lists = [{"key": key, "probabilities": [0.25, 0.75]} for key in keys]
    said = [{"key": key, "label": "dog", "score": 0.9, "features": [0.5, 1.5]} for key in keys]
    return [_table(objects), _table(lists), _table(said)]


def _zip() -> list[bytes]:
    made = []
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            for n, picture in enumerate([*seeds("PNG"), *seeds("JPEG"), *seeds("GIF")]):
                archive.writestr(f"{'cat' if n % 2 else 'dog'}/{n}.bin", picture)
        made.append(out.getvalue())
    return made


def _pictures(kind: str, *modes: str, **options: object) -> list[bytes]:
    made = []
    for mode in modes:
        out = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        more = {"exif": exif} if kind in ("JPEG", "WEBP", "PNG") else {}
        Image.effect_noise((40, 30), 60).convert(mode).save(out, kind, **more, **options)
        made.append(out.getvalue())
    return made


def _animated() -> list[bytes]:
    out = io.BytesIO()
    frames = [Image.effect_noise((40, 30), 60).convert("P") for _ in range(3)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return [*_pictures("GIF", "P"), out.getvalue()]


def _sound(kind: str) -> list[bytes]:
    out = io.BytesIO()
    wave = np.sin(np.arange(4_000) / 9).astype(np.float32)[:, None] * [[0.4, 0.2]]
    soundfile.write(out, wave, 8_000, format=kind)
    return [out.getvalue()]


def _clip(codec: str, kind: str) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "clip", square(0.6), codec=codec, kind=kind, sound=tone(0.6, 300))
        return [path.read_bytes()]


MAKERS: dict[str, Callable[[], list[bytes]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "json": lambda: [json.dumps(ROWS).encode()],
    "parquet": _parquet,
    "answers csv": _answers_in_a_sheet,
    "answers jsonl": lambda: _lines(ANSWERS),
    "answers json": lambda: [json.dumps(ANSWERS).encode()],
    "answers parquet": _answers_in_columns,
    "predictions jsonl": lambda: _lines(PREDICTIONS),
    "predictions json": lambda: [json.dumps(PREDICTIONS).encode()],
    "predictions parquet": _predictions_in_columns,
    "zip": _zip,
    "PNG": lambda: _pictures("PNG", "RGB", "P", "1", "LA"),
    "JPEG": lambda: [*_pictures("JPEG", "RGB", "L"), *_pictures("JPEG", "RGB", progressive=True)],
    "WEBP": lambda: [*_pictures("WEBP", "RGB"), *_pictures("WEBP", "RGBA", lossless=True)],
    "GIF": _animated,
    "WAV": lambda: _sound("WAV"),
    "FLAC": lambda: _sound("FLAC"),
    "OGG": lambda: _sound("OGG"),
    "MP3": lambda: _sound("MP3"),
    "MP4": lambda: _clip("libx264", "mp4"),
    "WEBM": lambda: _clip("libvpx", "webm"),
}
