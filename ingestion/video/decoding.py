"""The child that decodes: it is given an open file, walls itself in, and hands frames on through shared memory.

Belongs here: all that touches the bytes of a clip. It knows nothing of poses, homes or studies; whoever started it
(`ingestion.video.clip`) believes nothing but sizes and times, and outlives it.

Said on its output, a JSON object a line: the `Header`, then at the end the `Tally`, or `{"refused": …}` instead of either.
Every frame is a `FRAME` on the pipe to the pose worker: time, number, slot, whether it repeats the one before.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from importlib import import_module
from itertools import chain, takewhile
from pkgutil import walk_packages
from typing import Any, BinaryIO, TextIO

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from ingestion.video.declared import declared_sizes
from ingestion.video.drawing import Picture, draw, is_undecoded, shown_size
from ingestion.video.exchange import FRAME, SLOTS, Header, Order, Tally
from ingestion.video.limits import confine

_LEAST_SIDE = 32
_MOST_STREAMS = 8
_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "gif", "prores", "h263"})
_NS_PER_S = 1_000_000_000
_OUTPUT_CORRUPT = 1 << 3  # AV_CODEC_FLAG_OUTPUT_CORRUPT: a damaged frame comes marked, so that it can be counted


class Refused(Exception):
    """A clip that is not decoded: a code, a sentence and what to do; caught in `main`."""


def main() -> None:
    """Decode the clip that the order on the command line names."""
    _load_all_of_av()
    order = Order(**json.loads(sys.argv[1]))
    said, asked, clip = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(0), "r"), os.fdopen(order.clip, "rb")
    confine(memory_bytes=order.memory_bytes, cpu_s=order.cpu_s)
    try:
        _decode(order, clip, said, asked)
    except Refused as refused:
        _say(said, {"refused": list(refused.args)})
    except (MemoryError, BlockingIOError):  # the latter where a library has no memory for a thread or a table
        sentence = f"decoding it needs more than the {order.memory_bytes >> 20} MB that a clip may have"
        _say(said, {"refused": ["video_over_limits", sentence, "export it in a smaller size"]})
    except BrokenPipeError:
        sys.exit(1)  # nobody listens any more
    except Exception as error:  # whatever a clip made to do harm provokes is said, as all else is
        sentence = f"decoding it failed ({type(error).__name__}: {error})"
        _say(said, {"refused": ["video_unreadable", sentence, "export the clip again, in full"]})


def _load_all_of_av() -> None:
    """Import what PyAV would import when a clip first needs it, behind walls where no file can be opened any more."""
    for module in walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    av.logging.set_level(None)


def _say(said: TextIO, words: object) -> None:
    said.write(json.dumps(words) + "\n")
    said.flush()


def _decode(order: Order, clip: BinaryIO, said: TextIO, asked: TextIO) -> None:
    container, stream = _opened(clip, order)
    tally = Tally()
    frames = _sound_frames(container, stream, tally, most=order.most_frames)
    first = next(frames, None)
    if first is None:
        raise Refused("video_unreadable", "no frame of it could be decoded", "export the clip again, in full")
    header = _header(container, stream, first[1])
    _say(said, asdict(header))
    asked.readline()  # the parent has made room
    asked.close()  # the map below needs one descriptor, which this frees; then there is none again
    ring = np.frombuffer(mmap.mmap(order.memory, 0), np.uint8).reshape(SLOTS, header.shown_height, header.shown_width, 3)
    _hand_on(_wanted(chain([first], frames), order.wanted), tally, ring, order, header.rotation)
    _say(said, asdict(tally))


def _opened(clip: BinaryIO, order: Order) -> tuple[InputContainer, VideoStream]:
    """Open the container that the signature named, and no other; sizes are checked before a frame is decoded."""
    for width, height in declared_sizes(clip, order.container):
        _check_size(width, height, order.side)
    options = {"max_pixels": str(order.side * order.side)}
    of_streams: Any = [options] * _MOST_STREAMS  # PyAV's stub says texts, PyAV wants options
    try:
        whitelist = {"protocol_whitelist": ""}
        container = av.open(clip, "r", format=order.container, options=whitelist, stream_options=of_streams)
    except av.error.FFmpegError as error:
        sentence = f"it cannot be opened as a video ({error.strerror}): it is cut off or damaged before its index"
        raise Refused("video_unreadable", sentence, "export the clip again, in full") from error
    if not container.streams.video:
        raise Refused("video_unreadable", "there is no picture in it", "send the clip, not its sound")
    stream = container.streams.video[0]
    codec = stream.codec_context
    if codec is None or codec.codec.canonical_name not in _CODECS:
        raise Refused("video_codec_unknown", f"its codec is not one of {', '.join(sorted(_CODECS))}", "export it as H.264")
    _check_size(codec.width, codec.height, order.side)
    codec.thread_count = 1
    codec.flags |= _OUTPUT_CORRUPT
    codec.options = options
    return container, stream


def _check_size(width: int, height: int, side: int) -> None:
    if width > side or height > side:
        sentence = f"its frames are {width:,} × {height:,} pixels; at most {side:,} × {side:,} are read"
        raise Refused("video_too_large", sentence, "export it in a smaller size")
    if min(width, height) < _LEAST_SIDE:
        sentence = f"its frames are {width:,} × {height:,} pixels, which no picture of a body is"
        raise Refused("video_unreadable", sentence, "export the clip again")


def _sound_frames(
    container: InputContainer, stream: VideoStream, tally: Tally, *, most: int
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Give the frames that decoded whole, with their number among all that decoded; what is left out is counted."""
    number = 0
    for packet in _packets(container, stream, tally):
        try:
            decoded = packet.decode()
        except MemoryError:
            raise
        except av.error.FFmpegError:
            tally.broken_packets += 1
            continue
        for frame in decoded:
            if number == most:
                tally.too_many = True
                return
            if frame.is_corrupt:
                tally.damaged += 1
            elif frame.pts is None:
                tally.untimed += 1
            else:
                yield number, frame
            number += 1


def _wanted(frames: Iterable[tuple[int, av.VideoFrame]], numbers: Sequence[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    """Give the frames of those numbers and decode no further than the last; all frames if no number is named."""
    if not numbers:
        return iter(frames)
    chosen, last = frozenset(numbers), numbers[-1]
    return (one for one in takewhile(lambda one: one[0] <= last, frames) if one[0] in chosen)


def _packets(container: InputContainer, stream: VideoStream, tally: Tally) -> Iterator[av.Packet[VideoStream]]:
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError:
        tally.broken_packets += 1


def _header(container: InputContainer, stream: VideoStream, frame: av.VideoFrame) -> Header:
    rotation = round(frame.rotation / 90) % 4 * 90
    width, height = _upright(frame, stream.sample_aspect_ratio, rotation)
    shown = shown_size(width, height)
    return Header(
        codec=stream.codec_context.codec.canonical_name,
        width=frame.width,
        height=frame.height,
        rotation=rotation,
        promised=stream.frames,
        duration_s=(container.duration or 0) / av.time_base,
        created=container.metadata.get("creation_time", ""),
        shown_width=shown[0],
        shown_height=shown[1],
    )


def _upright(frame: av.VideoFrame, pixel: Fraction | None, rotation: int) -> tuple[int, int]:
    """Width and height of a frame once its pixels are square and it stands upright."""
    width, height = max(1, round(frame.width * (pixel or 1))), frame.height
    return (height, width) if rotation % 180 else (width, height)


def _hand_on(frames: Iterable[tuple[int, av.VideoFrame]], tally: Tally, ring: Picture, order: Order, rotation: int) -> None:
    """Write frame after frame into a free slot and tell the pose worker; undecoded ones are counted instead."""
    free, before = deque(range(SLOTS)), None
    for number, frame in frames:
        slot = free.popleft() if free else os.read(order.free, 1)[0]
        draw(frame, ring[slot], rotation=rotation)
        if is_undecoded(ring[slot]):
            tally.green += 1
            free.appendleft(slot)
            continue
        frozen = before is not None and np.array_equal(ring[slot, ::8], ring[before, ::8])
        os.write(order.frames, FRAME.pack(_time_ns(frame), number, slot, frozen))
        tally.handed_on += 1
        tally.frozen += frozen
        before = slot


def _time_ns(frame: av.VideoFrame) -> int:
    return round((frame.pts or 0) * (frame.time_base or Fraction(1)) * _NS_PER_S)


if __name__ == "__main__":
    main()
