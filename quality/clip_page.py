"""The page of one clip: frames with the skeleton, knee angle and hip height over time, facts, verdict, and what champions say.

Belongs here: what is told and in which order; the page itself is ``clip.html``. Frames and answers are given: they come from
ingestion and from models, which quality knows nothing of. Text from outside is escaped in the page.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quality.clips import Clip
from quality.curves import HEIGHT, WIDTH, curves_of
from quality.headings import heading
from quality.pages import write_page
from quality.reasons import figure
from quality.strips import Moment, Picture, strip_of
from studies.study import Study
from warehouse.home import Home

#: Squats told one by one at most; all are in the warehouse.
MOST_SQUATS = 60


@dataclass(frozen=True)
class Stills:
    """The frames of a clip that may be shown, by number, and what is to be said of them."""

    pictures: Mapping[int, Picture]
    said: str


@dataclass(frozen=True)
class Opinion:
    """What the champion of a task says of a clip.

    Parameters
    ----------
    task : str
        With the champion's version.
    sentence : str
    judged : mapping of int to (label, probability)
        By number of the squat; of squats that it judges by themselves.
    """

    task: str
    sentence: str
    judged: Mapping[int, tuple[str, float]]


def page_of(batch_id: str, recording_id: str, home: Home) -> Path:
    """Return where the page of a recording lies."""
    return home.reports / batch_id / f"{recording_id}.html"


def write_clip_page(
    clip: Clip, study: Study, home: Home, *, moments: Sequence[Moment], stills: Stills, opinions: Sequence[Opinion]
) -> Path:
    """Write the page of a clip.

    Parameters
    ----------
    clip : Clip
    study : Study
    home : Home
    moments : sequence of Moment
        What is shown of it.
    stills : Stills
        Frames of these moments; where there is none, the skeleton is drawn on black.
    opinions : sequence of Opinion

    Returns
    -------
    Path
        ``<home>/reports/<batch_id>/<recording_id>.html``, self-contained; the page before is replaced at once, never half.
    """
    content = _content(clip, study, moments, stills, opinions)
    filters: dict[str, Callable[..., Any]] = {"figure": figure, "heading": heading}
    return write_page(page_of(clip.batch_id, clip.line.recording_id, home), "clip.html", content, filters=filters)


def remove_pages(batch_id: str, home: Home, *, besides: Collection[str] = ()) -> None:
    """Remove the pages of recordings that a batch has no poses of any more; `besides` are those it has."""
    for page in (home.reports / batch_id).glob("*.html"):
        if page.stem not in besides and not page.name.startswith("."):  # another process may be writing that one
            page.unlink()


def _content(clip: Clip, study: Study, moments: Sequence[Moment], stills: Stills, opinions: Sequence[Opinion]) -> dict[str, Any]:
    squats = clip.squats[:MOST_SQUATS]
    return {
        "study": study,
        "clip": clip,
        "line": clip.line,
        "strip": strip_of(clip, moments, stills.pictures) if moments else None,
        "stills_said": stills.said,
        "curves": curves_of(clip),
        "paper": {"width": WIDTH, "height": HEIGHT},
        "facts": facts_in_words(clip.facts) if clip.facts else [],
        "rows": [(squat, [opinion.judged.get(squat["repetition"]) for opinion in opinions]) for squat in squats],
        "squats_in_all": len(clip.squats),
        "opinions": opinions,
        "written_at": datetime.now(UTC),
    }


def facts_in_words(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Tell what was measured on a clip, a name and a value each.

    Examples
    --------
    >>> row = {"codec": "h264", "width": 640, "height": 360, "rotation": 90, "frames": 50, "rate_hz": 25.0, "jitter": 0.0}
    >>> row |= dict.fromkeys(("dropped", "frozen", "damaged", "frames_without_person", "frames_with_several"), 0)
    >>> told = dict(facts_in_words(row | {"person_changes": 0, "landmarks_seen": 0.9, "duration_s": 2.0}))
    >>> told["Picture"], told["Frames"], told["Nobody in"]
    ('640 × 360 pixels, turned by 90°, h264', '50 in 2 s, 25 a second', 'no frame')
    """

    def frames(count: int) -> str:
        return f"{count:,} of {facts['frames']:,} frames" if count else "no frame"

    turned = f", turned by {facts['rotation']}°" if facts["rotation"] else ""
    rate = f", {figure(facts['rate_hz'])} a second" if facts["rate_hz"] is not None else ""
    varying = f" (steps vary by {facts['jitter']:.0%})" if (facts["jitter"] or 0) >= 0.01 else ""
    changes = f"; the body leaps {facts['person_changes']:,} times" if facts["person_changes"] else ""
    seen = "–" if facts["landmarks_seen"] is None else f"{facts['landmarks_seen']:.0%}"
    return [
        ("Picture", f"{facts['width']:,} × {facts['height']:,} pixels{turned}, {facts['codec']}"),
        ("Frames", f"{facts['frames']:,} in {figure(facts['duration_s'])} s{rate}{varying}"),
        ("Dropped", f"{facts['dropped']:,}" if facts["dropped"] else "none"),
        ("Frozen", frames(facts["frozen"])),
        ("Damaged", f"{facts['damaged']:,}, left out" if facts["damaged"] else "none"),
        ("Nobody in", frames(facts["frames_without_person"])),
        ("Several people in", frames(facts["frames_with_several"]) + changes),
        ("Landmarks seen", seen),
    ]
