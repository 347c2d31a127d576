"""What is measured on a clip, and what is said of it: rate, dropped and frozen frames, nobody or several people.

Belongs here: figures and findings from the children's answers. What a study demands of them is its contract's matter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ingestion.recording import Finding, VideoFacts
from ingestion.video.clip import Clip
from warehouse.errors import Reason

SEEN = 0.5

_NS_PER_S = 1e9
_LONG_STEP = 1.5
_AGAIN = "export the clip again, in full"


def facts_of(clip: Clip, source: str) -> VideoFacts:
    """Measure one clip."""
    header, records = clip.header, clip.records
    t_ns, visibility = np.asarray(records["t_ns"]), records["visibility"]
    rate_hz, jitter, dropped = _rate(np.diff(t_ns))
    return VideoFacts(
        source=source,
        codec=header.codec,
        width=header.width,
        height=header.height,
        rotation=header.rotation,
        frames=len(records),
        rate_hz=rate_hz,
        jitter=jitter,
        dropped=dropped,
        frozen=clip.tally.frozen,
        damaged=clip.tally.damaged + clip.tally.green + clip.tally.untimed,
        frames_without_person=int(np.isnan(visibility[:, 0]).sum()),
        frames_with_several=int((_people(np.asarray(records["people"])) > 1).sum()),
        person_changes=int(records["jumped"].sum()),
        landmarks_seen=float((visibility >= SEEN).mean()) if len(records) else None,
        duration_s=float(t_ns[-1] - t_ns[0]) / _NS_PER_S if len(records) else 0.0,
    )


def findings_of(clip: Clip, facts: VideoFacts) -> list[Finding]:
    """Say what is wrong with a clip; only a clip without anybody in it is an error."""
    decoded = facts.frames + facts.damaged
    found = []
    if not facts.frames - facts.frames_without_person:
        found.append(_finding("person_missing", f"nobody is seen in any of its {facts.frames:,} frames", facts, "", "error"))
    if clip.header.promised > decoded + 1 or (not clip.header.promised and clip.header.duration_s > facts.duration_s + 1):
        promised = f"{clip.header.promised:,} frames" if clip.header.promised else f"{clip.header.duration_s:.1f} s"
        sentence = f"its header says {promised}, {decoded:,} frames in {facts.duration_s:.1f} s could be decoded"
        found.append(_finding("tail_cut", sentence, facts, _AGAIN))
    if facts.damaged or clip.tally.broken_packets:
        tally = clip.tally
        kinds = {"damaged": tally.damaged, "green": tally.green, "without a time": tally.untimed, "broken": tally.broken_packets}
        counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
        sentence = f"frames were left out ({counts}): their time is a gap"
        found.append(_finding("frames_damaged", sentence, facts, _AGAIN))
    if facts.frames_with_several:
        sentence = f"more than one person is seen in about {facts.frames_with_several:,} of its {facts.frames:,} frames"
        found.append(_finding("several_people", sentence, facts, "look whether the right one was followed; film one at a time"))
    if facts.person_changes:
        sentence = f"the body leaps {facts.person_changes:,} times: from there on it may be another person's"
        found.append(_finding("person_changed", sentence, facts, "look whether the right one was followed; film one at a time"))
    return found


def _finding(code: str, sentence: str, facts: VideoFacts, remedy: str, severity: str = "warning") -> Finding:
    remedy = remedy or "film the whole body, from the side or the front, in good light"
    return Finding(Reason(code, sentence, facts.source, remedy), severity)


def _rate(steps_ns: npt.NDArray[np.int64]) -> tuple[float | None, float | None, int]:
    """Rate, jitter and missing frames from the steps between frames."""
    steps_ns = steps_ns[steps_ns > 0]
    if not steps_ns.size:
        return None, None, 0
    median = float(np.median(steps_ns))
    missing = np.rint(steps_ns[steps_ns > _LONG_STEP * median] / median) - 1
    return _NS_PER_S / median, float(steps_ns.std() / median), int(missing.sum())


def _people(people: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """How many people each frame has: what was found when others were last looked for holds until it is looked again."""
    looked = np.maximum.accumulate(np.where(people >= 0, np.arange(len(people)), 0))
    return people[looked]
