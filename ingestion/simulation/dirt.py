"""Dirt on demand: what goes wrong with real recordings, done to simulated ones on purpose.

Belongs here: every kind of damage, as a function on streams, on texts, on bytes or on a line of the manifest. Which
recording gets which is in `cohort`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from ingestion.recording import Stream
from ingestion.simulation.instruments import Capture
from ingestion.simulation.motion import G

Kind = Literal[
    "bad_label",
    "copied_participant",
    "corrupt_zip",
    "empty_csv",
    "gap",
    "jitter",
    "missing_stream",
    "text_in_number",
    "time_backwards",
    "unit_error",
    "unknown_participant",
    "wrong_rate",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: Kinds that have an amount, and the usual one; what it means is said at `Dirt.amount`.
AMOUNTS: Mapping[Kind, float] = {
    "gap": 2.0,
    "jitter": 0.5,
    "wrong_rate": 5.0,
    "time_backwards": 2.0,
    "text_in_number": 0.3,
    "corrupt_zip": 0.6,
}
_DAY_NS = 86_400_000_000_000
_LAST_DECIMAL = re.compile(rb"(\.\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Dirt:
    """One piece of dirt.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    recording : int, optional
        Which recording of the delivery gets it, counted from 0 by person, exercise and set; by dice if not given.
    amount : float, optional
        How much. ``gap`` and ``time_backwards``: seconds. ``jitter``: standard deviation of a step over the step, at most
        0.55. ``wrong_rate``: every how manieth reading is kept. ``text_in_number`` and ``corrupt_zip``: where, as a share
        of the whole.

    Raises
    ------
    ValueError
        If the kind is not known, or takes no amount.
    """

    kind: Kind
    recording: int | None = None
    amount: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"dirt '{self.kind}' is not known; known: {', '.join(KINDS)}")
        if self.amount is not None and self.kind not in AMOUNTS:
            raise ValueError(f"dirt '{self.kind}' takes no amount; those that do: {', '.join(AMOUNTS)}")

    @property
    def size(self) -> float:
        """The amount, or the usual one of its kind."""
        return AMOUNTS[self.kind] if self.amount is None else self.amount

    @property
    def longer_s(self) -> float:
        """Seconds that the recording must be longer, so that what is cut out of it leaves the usual length."""
        return self.size if self.kind == "gap" else 0.0


def soil_capture(recording: Capture, dirt: Dirt, rng: np.random.Generator) -> Capture:
    """Return the recording with the damage that happens before anything is written."""
    soil = _ON_STREAMS.get(dirt.kind)
    return soil(recording, dirt, rng) if soil else recording


def soil_texts(texts: Mapping[str, bytes], dirt: Dirt) -> dict[str, bytes]:
    """Return the files of a recording by name, with the damage that is done to single files."""
    if dirt.kind == "missing_stream":
        return {name: text for name, text in texts.items() if "Gyroscope" not in name}
    if dirt.kind == "empty_csv":
        return {name: b"" if "Acceler" in name else text for name, text in texts.items()}
    if dirt.kind == "text_in_number":
        return {name: _with_text(text, dirt.size) if _is_gyroscope(name) else text for name, text in texts.items()}
    return dict(texts)


def soil_bytes(content: bytes, dirt: Dirt) -> bytes:
    """Return a zip, cut off if it is to be corrupt."""
    return content[: int(len(content) * dirt.size)] if dirt.kind == "corrupt_zip" else content


def copied(recording: Capture, participant: str, title: str) -> Capture:
    """Return the recording as if `participant` had made it a day later."""
    streams = {name: replace(stream, t_ns=stream.t_ns + _DAY_NS) for name, stream in recording.streams.items()}
    return replace(recording, participant=participant, title=title, started_ns=recording.started_ns + _DAY_NS, streams=streams)


def padded(texts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the same numbers with one decimal place more in the last column, so that no file hash gives the copy away."""
    return {name: _LAST_DECIMAL.sub(rb"\g<1>0", text) for name, text in texts.items()}


def misspelt(label: str) -> str:
    """Return a label with its last letter doubled: ``squatt``, which no alias knows but everybody recognises."""
    return label + label[-1]


def shortened(participant: str) -> str:
    """Return ``P7`` for ``P007``, which breaks the pseudonyms' pattern."""
    return f"P{int(participant[1:])}"


def _with_gap(recording: Capture, dirt: Dirt, rng: np.random.Generator) -> Capture:
    start_ns = recording.started_ns + int(rng.uniform(0.4, 0.6) * (_length_ns(recording) - dirt.size * 1e9))
    end_ns = start_ns + int(dirt.size * 1e9)
    return _with_streams(recording, lambda stream: _kept(stream, (stream.t_ns < start_ns) | (stream.t_ns >= end_ns)))


def _with_jitter(recording: Capture, dirt: Dirt, rng: np.random.Generator) -> Capture:
    def shaken(stream: Stream) -> Stream:
        spread = min(dirt.size * np.sqrt(3), 0.95)  # even, so that the median step, and with it the rate, stays as it is
        steps = np.diff(stream.t_ns) * rng.uniform(1 - spread, 1 + spread, len(stream.t_ns) - 1)
        return replace(stream, t_ns=stream.t_ns[0] + np.concatenate(([0], np.cumsum(steps.astype(np.int64)))))

    return _with_streams(recording, shaken)


def _with_wrong_rate(recording: Capture, dirt: Dirt, _rng: np.random.Generator) -> Capture:
    return _with_streams(recording, lambda stream: _kept(stream, np.arange(len(stream.t_ns)) % int(dirt.size) == 0))


def _with_time_backwards(recording: Capture, dirt: Dirt, rng: np.random.Generator) -> Capture:
    set_back_ns = recording.started_ns + int(rng.uniform(0.5, 0.7) * _length_ns(recording))
    back_ns = int(dirt.size * 1e9)
    return _with_streams(recording, lambda stream: replace(stream, t_ns=stream.t_ns - back_ns * (stream.t_ns >= set_back_ns)))


def _with_unit_error(recording: Capture, _dirt: Dirt, _rng: np.random.Generator) -> Capture:
    """Phones write g where m/s² is due; MetaBase, which writes g, gets m/s²."""
    factor = np.float32(G if recording.device.model.system == "metabase" else 1 / G)
    wrong = ("accelerometer", "linear_acceleration", "gravity")
    return _with_streams(
        recording, lambda stream: replace(stream, values=stream.values * factor) if stream.name in wrong else stream
    )


_ON_STREAMS: Mapping[Kind, Callable[[Capture, Dirt, np.random.Generator], Capture]] = {
    "gap": _with_gap,
    "jitter": _with_jitter,
    "wrong_rate": _with_wrong_rate,
    "time_backwards": _with_time_backwards,
    "unit_error": _with_unit_error,
}


def _with_streams(recording: Capture, change: Callable[[Stream], Stream]) -> Capture:
    return replace(recording, streams={name: change(stream) for name, stream in recording.streams.items()})


def _kept(stream: Stream, keep: np.ndarray) -> Stream:
    return replace(stream, t_ns=stream.t_ns[keep], values=stream.values[keep])


def _length_ns(recording: Capture) -> int:
    return max(int(stream.t_ns[-1]) for stream in recording.streams.values()) - recording.started_ns


def _is_gyroscope(name: str) -> bool:
    return name == "Gyroscope.csv" or "_Gyroscope_" in name


def _with_text(text: bytes, share: float) -> bytes:
    """Put the spreadsheet's ``#VALUE!`` into the last cell of a line."""
    end = text.index(b"\n", int(len(text) * share))
    start = text.rindex(b",", 0, end) + 1
    return text[:start] + b"#VALUE!" + text[end:]
