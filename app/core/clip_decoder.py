"""The process that decodes clips of video, so that a hostile file can end it and nothing else.

`app.core.clips` asks it, see `app.core.decoding` for how. It may take 30 seconds of a processor for one request, and
opens nothing but the named file.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from app.core.decoding import RefusedError, Reply, answer_all

PROCESSOR_SECONDS = 30.0  # for one request
INSIDE_SECONDS = 15.0  # more, for one call that does not come back
LOOK_BUDGET = 1e9  # pixels decoded at the door, about three seconds
MOST_FRAMES = 1_000_000
MOST_RATE = 240.0  # frames a second
MOST_PIXELS = 100_000_000  # a last guard of the decoders: the door takes far fewer
MOST_BROKEN = 50  # packets that no decoder understands, before the rest is given up
PLAYED = ("h264", "vp8", "vp9", "av1")  # what browsers play of these two containers
DECODERS = "h264,vp8,libvpx,vp9,libvpx-vp9,libdav1d,av1,aac,aac_fixed,mp3,mp3float,opus,libopus,vorbis,flac"
CUT = 0.95  # of the length that a file promises; what holds less is cut off
FLAT = 8.0  # deviation of brightness, of 255: a picture below shows nothing


@dataclass(frozen=True)
class Track:
    """When each picture is shown, in ticks of `unit` seconds, in order; `keys` begin what decodes by itself."""

    times: Any
    keys: Any
    unit: float
    rate: float  # pictures a second
    packets: int

    @property
    def seconds(self) -> float:
        """From the first picture's beginning to the last one's end."""
        return float(self.times[-1] - self.times[0]) * self.unit + 1 / self.rate

    def shown_at(self, seconds: float) -> int:
        """The tick of the picture that is shown so long after the beginning."""
        wanted = self.times[0] + seconds / self.unit + 0.5  # of a tick: 0.3 s is not 0.2999 s
        return int(self.times[max(0, int(np.searchsorted(self.times, wanted, side="right")) - 1)])

    def key_of(self, tick: int) -> int:
        """The tick of the last picture at or before this one that decodes by itself."""
        return int(self.keys[max(0, int(np.searchsorted(self.keys, tick, side="right")) - 1)])


def look(path: str, kind: str, longest: float, pixels: float) -> Reply:
    """What a clip is: read whole once, and a picture at its beginning, middle and end decoded."""
    with _opened(path, kind) as container:
        stream = _pictures(container)
        codec = stream.codec_context.name if stream.codec_context else ""
        if _coded(stream) not in PLAYED:
            raise RefusedError(
                f"the clip is coded as {codec[:20] or 'something unknown'}, which browsers do not play; save it with"
                " H.264, VP8, VP9 or AV1"
            )
        promised = (container.duration or 0) / 1_000_000
        if promised > longest:
            raise RefusedError(f"the clip is longer than the {longest:g} seconds that are allowed")
        if stream.width * stream.height > pixels:
            raise RefusedError(_too_large(stream.width, stream.height, pixels))
        track = _track(container, stream)
        _check(track, stream, promised, longest)
        wanted = [track.shown_at(share * track.seconds) for share in (0, 0.5, 1)]
        shown = None
        for frame in _walk(container, stream, track, _affordable(track, stream, wanted, LOOK_BUDGET)):
            if frame.width * frame.height > pixels:
                raise RefusedError(_too_large(frame.width, frame.height, pixels))
            shown = shown or frame
        if shown is None:
            raise RefusedError("no picture of the clip can be decoded")
        width, height = _shape(shown, stream)
        known = {"width": width, "height": height, "seconds": round(track.seconds, 3)}
        return known | {"frames_per_second": round(track.rate, 3), "sound": bool(container.streams.audio)}, b""


def frames(path: str, kind: str, count: int, gap: float, side: int, budget: float) -> Reply:
    """Pictures (count, 2, side, side, 3) in RGB in the middles of equal parts, each with the one `gap` seconds on.

    `moments` (count, 2) says when they are shown, in seconds from the beginning. Where reaching them takes decoding
    more than `budget` pixels, the nearest pictures before them that decode by themselves stand for them.
    """
    with _opened(path, kind) as container:
        stream = _pictures(container)
        track = _track(container, stream)
        middles = [track.shown_at((part + 0.5) / count * track.seconds) for part in range(count)]
        middles = _affordable(track, stream, middles, budget)
        seconds = [(tick - track.times[0]) * track.unit for tick in middles]
        pairs = [(tick, track.shown_at(second + gap)) for tick, second in zip(middles, seconds, strict=True)]
        wanted = sorted({tick for pair in pairs for tick in pair})
        small = VideoReformatter()
        found = {}
        for tick, frame in zip(wanted, _walk(container, stream, track, wanted), strict=False):
            found[tick] = _rgb(small, frame, side, side)
        if not found:
            raise RefusedError("no picture of the clip can be decoded")
        last = found[max(found)]
        pixels = np.stack([[found.get(tick, last) for tick in pair] for pair in pairs])
        moments = [[(tick - int(track.times[0])) * track.unit for tick in pair] for pair in pairs]
        return {"shape": pixels.shape, "moments": moments, "seconds": track.seconds}, pixels.tobytes()


def picture(path: str, kind: str, side: int) -> Reply:
    """A picture (height, width, 3) of at most `side` pixels a side: of the middle, unless that shows nothing."""
    with _opened(path, kind) as container:
        stream = _pictures(container)
        track = _track(container, stream)
        small, best, drawn = VideoReformatter(), None, -1.0
        for share in (0.5, 0.25, 0.75):
            key = track.key_of(track.shown_at(share * track.seconds))
            for frame in _walk(container, stream, track, [key]):
                width, height = _shape(frame, stream)
                scale = min(1.0, side / max(width, height))
                sides = max(1, round(width * scale)), max(1, round(height * scale))
                pixels = _rgb(small, frame, *sides)
                if (contrast := float(pixels.std())) > drawn:
                    best, drawn = pixels, contrast
            if drawn > FLAT:
                break
        if best is None:
            raise RefusedError("no picture of the clip can be decoded")
        return {"shape": best.shape}, np.ascontiguousarray(best).tobytes()


def sound(path: str, kind: str, rate: int, longest: float) -> Reply:
    """The first `longest` seconds of the clip's sound (n,) as one channel of float32; empty where it has none."""
    with _opened(path, kind) as container:
        pieces, wanted = [], int(longest * rate)
        if container.streams.audio:
            mixer = AudioResampler(format="flt", layout="mono", rate=rate)
            for packet in _packets(container, container.streams.audio[0]):
                for frame in _understood(packet):
                    pieces += [made.to_ndarray()[0] for made in mixer.resample(frame)]
                if sum(map(len, pieces)) >= wanted:
                    break
        samples = np.concatenate([np.zeros(0, np.float32), *pieces])[:wanted].astype(np.float32)
        return {"shape": samples.shape}, samples.tobytes()


CALLS: dict[str, Callable[..., Reply]] = {"look": look, "frames": frames, "picture": picture, "sound": sound}
# What FFmpeg and its wrapper raise on hostile files, seen by feeding them cut and changed ones.
BROKEN = (av.FFmpegError, OSError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, EOFError)


def _opened(path: str, kind: str) -> InputContainer:
    """The clip as the container that its first bytes name, with decoders of our list alone and no other file."""
    rules = {"protocol_whitelist": "file", "codec_whitelist": DECODERS, "probesize": "5000000"}
    opened = av.open(f"file:{path}", format=kind, options=rules | {"analyzeduration": "5000000"})
    if not isinstance(opened, InputContainer):
        raise RefusedError("the file is no clip")
    return opened


def _pictures(container: InputContainer) -> VideoStream:
    found = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not found:
        raise RefusedError("the clip holds no pictures; upload sounds to a project of sounds")
    stream = found[0]
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    return stream


def _is_cover(stream: VideoStream) -> bool:
    return "attached_pic" in str(stream.disposition)


def _coded(stream: VideoStream) -> str:
    name = stream.codec_context.codec.canonical_name if stream.codec_context else ""
    return str(name)


def _packets(container: InputContainer, stream: Any) -> Iterator[Any]:
    """The stream's packets, to where the file ends or breaks off."""
    try:
        for packet in container.demux(stream):
            _check_time()
            yield packet
    except av.FFmpegError:
        return


def _track(container: InputContainer, stream: VideoStream) -> Track:
    times, keys, packets = [], [], 0
    for packet in _packets(container, stream):
        packets += packet.size > 0
        if packet.pts is None or packet.is_discard:
            continue
        times.append(packet.pts)
        if packet.is_keyframe:
            keys.append(packet.pts)
        if len(times) > MOST_FRAMES:
            raise RefusedError(f"the clip has more than {MOST_FRAMES:,} pictures")
    if not times:
        raise RefusedError("the clip holds no pictures")
    ordered, unit = np.unique(times), float(stream.time_base or Fraction(1, 1000))
    beginnings = np.unique(keys or times[:1])
    return Track(ordered, beginnings, unit, _rate(ordered, unit, stream), packets)


def _rate(times: Any, unit: float, stream: VideoStream) -> float:
    """Pictures a second as counted, or as the file says where that is nearly the same."""
    said = float(stream.average_rate or 0)
    counted = (len(times) - 1) / (float(times[-1] - times[0]) * unit) if len(times) > 1 else said or 1.0
    return said if said and abs(counted / said - 1) < 0.005 else counted


def _check(track: Track, stream: VideoStream, promised: float, longest: float) -> None:
    if track.seconds > longest:
        raise RefusedError(f"the clip is longer than the {longest:g} seconds that are allowed")
    if track.rate > MOST_RATE:
        raise RefusedError(f"the clip has {track.rate:.0f} pictures a second; {MOST_RATE:.0f} are allowed")
    pictures_missing = track.packets < CUT * stream.frames  # 0 where the file does not say
    length = stream.duration * track.unit if stream.duration else promised
    if pictures_missing or track.seconds < CUT * length - 1:
        raise RefusedError(f"the clip is cut off after {track.seconds:.1f} seconds; upload it again")


def _affordable(track: Track, stream: VideoStream, ticks: list[int], budget: float) -> list[int]:
    """The ticks, or those of the pictures before them that decode by themselves where more pixels had to be decoded."""
    affordable = _decoded(track, ticks) * stream.width * stream.height <= budget
    return ticks if affordable else [track.key_of(tick) for tick in ticks]


def _decoded(track: Track, ticks: list[int]) -> int:
    """How many pictures have to be decoded for these, in order."""
    total, reached = 0, -1
    for tick in ticks:
        first = int(np.searchsorted(track.times, track.key_of(tick)))
        place = int(np.searchsorted(track.times, tick))
        total += max(0, place - max(first, reached + 1) + 1)
        reached = max(reached, place)
    return total


def _walk(container: InputContainer, stream: VideoStream, track: Track, ticks: list[int]) -> Iterator[VideoFrame]:
    """The picture of each tick, in order; fewer where the file breaks off. Decodes only what lies on the way."""
    position: int | None = None
    frame: VideoFrame | None = None
    decoding: Iterator[VideoFrame] = iter(())
    for tick in ticks:
        key = track.key_of(tick)
        if position is None or key > position:
            container.seek(key, stream=stream)
            decoding, position = _decoding(container, stream), key - 1
        while position < tick:
            following = next(decoding, None)
            if following is None:
                break
            frame, position = following, following.pts if following.pts is not None else position + 1
        if frame is None:
            return
        yield frame


def _decoding(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    broken = 0
    for packet in _packets(container, stream):
        try:
            yield from packet.decode()
        except av.FFmpegError:
            broken += 1
            if broken > MOST_BROKEN:
                return


def _understood(packet: Any) -> list[Any]:
    try:
        return list(packet.decode())
    except av.FFmpegError:
        return []


def _shape(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height as shown: pixels made square, and turned as the file says."""
    stretch = float(stream.sample_aspect_ratio or 1)
    width = max(1, round(frame.width * (stretch if 0.1 < stretch < 10 else 1)))
    return (frame.height, width) if round(frame.rotation / 90) % 2 else (width, frame.height)


def _rgb(small: VideoReformatter, frame: VideoFrame, width: int, height: int) -> Any:
    """The picture (height, width, 3) upright."""
    turns = round(frame.rotation / 90) % 4
    sides = (height, width) if turns % 2 else (width, height)
    made = small.reformat(frame, width=sides[0], height=sides[1], format="rgb24", interpolation="AREA")
    return np.rot90(made.to_ndarray(), turns)


def _too_large(width: int, height: int, pixels: float) -> str:
    return f"the clip has {width * height / 1e6:.1f} megapixels; {pixels / 1e6:g} are allowed"


_until = 0.0


def _check_time() -> None:
    if time.process_time() > _until:
        raise RefusedError(f"the clip takes more than {PROCESSOR_SECONDS:.0f} seconds to read")


def _answer(request: dict[str, Any]) -> Reply:
    global _until
    _until = time.process_time() + PROCESSOR_SECONDS
    try:
        return CALLS[request.pop("call")](**request)
    except RefusedError as error:
        return {"error": str(error)}, b""
    except BROKEN as error:
        words = getattr(error, "strerror", None) or str(error) or "it is damaged"
        return {"error": f"the clip cannot be read: {words[:120]}"}, b""


def main() -> None:
    """Answer requests until the pipe closes or nobody asks."""
    av.logging.set_level(av.logging.PANIC)
    answer_all(_answer, PROCESSOR_SECONDS + INSIDE_SECONDS)
