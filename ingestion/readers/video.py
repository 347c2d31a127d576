"""Reads videos: a clip is a recording whose streams are the joints of the body that is seen in it.

Belongs here: telling that a file is a video, when it was taken, and what a recording of it holds. Decoding and finding the body
are in `ingestion.video`. Of what a clip says about itself only its time is used, never place, device or sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ingestion.readers.described import FIRST_DATE_NS, no_dates
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.recording import Finding, Reading
from ingestion.video.clip import read_clip
from ingestion.video.container import container_of, content_of, is_called_video
from ingestion.video.facts import facts_of, findings_of
from ingestion.video.poses import poses_of, streams_of
from warehouse.errors import Reason, UnreadableFile

NAME = "video"


def sniff(file: DeviceFile, hints: Hints = NO_HINTS) -> bool:
    """Return True for a video, or a file that is called one so that it can be said what it is, where a study has joints.

    Where a study has none, clips are private data beside the recordings: nobody opens them.
    """
    return bool(hints.pose_sensors) and (container_of(file.head) is not None or is_called_video(file.name))


def pairing_key(file: DeviceFile) -> str:
    """Return the file's name: a clip is a recording."""
    return file.name


def device(_files: Sequence[DeviceFile]) -> str:
    """Return that no device is known: what a clip says of its camera is not read."""
    return ""


def read(files: Sequence[DeviceFile], hints: Hints = NO_HINTS) -> Reading:
    """Read one clip: a stream for each joint, every landmark of every frame, and what was measured on it."""
    file = files[0]
    if refused := _no_video(file):
        return Reading(format=NAME, findings=(Finding(refused),))
    try:
        clip = read_clip(file)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))
    facts, origin_ns = facts_of(clip, file.name), _created_ns(clip.header.created)
    poses = poses_of(clip, origin_ns=origin_ns, source=file.name)
    shape = (clip.header.shown_width, clip.header.shown_height)
    streams = streams_of(
        poses, shape=shape, sensors=hints.pose_sensors, scratch=file.scratch, guessed=hints.formats.poses.guessed
    )
    return Reading(
        format=NAME,
        streams=tuple(stream for stream in streams if stream.t_ns.size),
        findings=(*findings_of(clip, facts), *no_dates(poses.t_ns, file.name)),
        poses=(poses,),
        videos=(facts,),
    )


def _no_video(file: DeviceFile) -> Reason | None:
    if not file.size:
        return Reason("file_empty", "the file has 0 bytes", file.name, "export the clip again")
    if container_of(file.head) is None:
        sentence = f"it is called a video and is {content_of(file.head)}; MP4, QuickTime, WebM, Matroska and GIF are read"
        return Reason("video_unreadable", sentence, file.name, "send the clip itself, as the camera wrote it")
    return None


def _created_ns(text: str) -> int:
    """When the container says the clip was taken, ns UTC; 0 where it does not say, or names a day that was none."""
    try:
        created = datetime.fromisoformat(text)
    except ValueError:
        return 0
    in_utc = created if created.tzinfo else created.replace(tzinfo=UTC)
    since_1970 = in_utc - datetime(1970, 1, 1, tzinfo=UTC)
    ns = (since_1970.days * 86_400 + since_1970.seconds) * 1_000_000_000 + since_1970.microseconds * 1_000
    return ns if ns >= FIRST_DATE_NS else 0


READER = Reader(NAME, sniff, pairing_key, device, read)
