"""What becomes of every real recording: submitted to its study, read, judged, and told in one table.

``python -m tests.benchmarks real`` prints alike recordings as one line, with ``--all`` each on its own, and with
``--home DIR`` leaves the home there, so that ``kinelake --home DIR report BATCH`` shows more. Nothing is trained or timed.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from ingestion.pickles.conversion import convert_pickles
from ingestion.receipt import Receipt
from ingestion.rows import ANNOTATIONS
from quality.judging import judge_batch
from studies import find_study
from studies.sensors import placement_of, sensor_of
from tests.conftest import REAL
from warehouse.home import Home
from warehouse.lake import Lake

_Row = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """A recording, or several that are alike, as the table tells of them.

    Parameters
    ----------
    study, format : str
    streams : tuple of (str, str)
        Sensor and unit; ``accelerometer@waist`` where a recording has it at several places.
    rates : tuple of (float, float, float)
        Of each stream the lowest and highest sampling rate (one over the median step) and the mean rate, Hz.
    said : tuple of str
        Codes of findings, kinds of repairs and of gaps.
    verdict : tuple of str
        Reason codes; empty if accepted.
    recordings : tuple of str
        Their first files.
    """

    study: str
    format: str
    streams: tuple[tuple[str, str], ...]
    rates: tuple[tuple[float, float, float], ...]
    said: tuple[str, ...]
    verdict: tuple[str, ...]
    recordings: tuple[str, ...]


def _as_it_lies(part: str) -> Callable[[Path, Path], Path]:
    return lambda real, _: real / part


def _squats(real: Path, scratch: Path) -> Path:
    """The zip's recordings beside the folder of hand-marked repetitions, as the authors had them."""
    folder = scratch / "squats"
    with zipfile.ZipFile(real / "squat_3imu" / "raw.zip") as archive:
        archive.extractall(folder)
    for path in (real / "squat_3imu" / "labels").rglob("*.json"):
        target = folder / path.relative_to(real / "squat_3imu")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return folder


def _converted(real: Path, scratch: Path) -> Path:
    """Every pickle as a table, and the one that another hand had made of all of them."""
    convert_pickles(real / "fitness_ble" / "original", scratch / "sets")
    (scratch / "sets" / "all_recordings.csv").write_bytes((real / "fitness_ble" / "all_recordings.csv").read_bytes())
    return scratch / "sets"


#: Study -> where its recordings come from.
SOURCES: Mapping[str, Callable[[Path, Path], Path]] = {
    "barbell": _as_it_lies("metamotion_barbell/MetaMotion"),
    "phone_activities": _as_it_lies("sensor_logger/phones_a"),
    "falls": _as_it_lies("sensor_logger/phone_schema_2021"),
    "squat_form": _squats,
    "gait": _as_it_lies("gait_phone"),
    "fitness_ble": _converted,
    "clinical": _as_it_lies("clinical_raw"),
    "exercise_mediapipe": _as_it_lies("keypoints/exercise_mediapipe"),
    "good_bad_squat_2d": _as_it_lies("keypoints/good_bad_squat_2d/output_csv"),
    "uiprmd_deep_squat": _as_it_lies("keypoints/uiprmd_deep_squat"),
}


def deliver_source(name: str, source: Path, home: Home, *, manifest: Path) -> Receipt:
    """Deliver recordings to a study as batch `name` with the manifest that is drafted for them, which is kept at `manifest`."""
    study = find_study(name)
    manifest.write_text(draft_manifest(source, study), encoding="utf-8")
    return deliver(source, study=study, site="lab", home=home, batch_id=name, manifest=manifest)


def judge_source(name: str, real: Path, home: Home, *, scratch: Path) -> list[str]:
    """Deliver a study's recordings as batch `name` with the manifest that is drafted for them, read and judge them.

    Returns
    -------
    list of str
        Files of the source that the draft leaves out.
    """
    study, source, manifest = find_study(name), SOURCES[name](real, scratch), scratch / f"{name}.csv"
    receipt = deliver_source(name, source, home, manifest=manifest)
    read_batch(receipt, study, home)
    judge_batch(name, study, home)
    with manifest.open(encoding="utf-8", newline="") as rows:
        named = {path for row in csv.DictReader(rows) for path in (row["path"], row.get("annotations"))}
    present = (path.relative_to(source).as_posix() for path in sorted(source.rglob("*")) if path.is_file())
    return [path for path in present if path not in named]


def told(batch_id: str, home: Home) -> list[Told]:
    """Tell of every recording of a batch."""
    lake, where = Lake(home), {"batch_id": batch_id}
    rows = {
        name: _grouped(lake.read(name, where=where).to_pylist())
        for name in ("streams", "findings", "repairs", "gaps", "files", "verdicts")
    }
    return [_one(row, {name: of.get(row["recording_id"], []) for name, of in rows.items()}) for row in _recordings(lake, where)]


def _recordings(lake: Lake, where: Mapping[str, str]) -> list[_Row]:
    found: list[_Row] = lake.read("recordings", where=where).sort_by("recording_id").to_pylist()
    return found


def _grouped(rows: Sequence[_Row]) -> dict[str, list[_Row]]:
    groups: dict[str, list[_Row]] = {}
    for row in rows:
        groups.setdefault(row["recording_id"], []).append(row)
    return groups


def _one(recording: _Row, rows: Mapping[str, Sequence[_Row]]) -> Told:
    streams = sorted(rows["streams"], key=lambda row: str(row["stream"]))
    (verdict,) = rows["verdicts"]
    codes = {row["code"] for row in rows["findings"]} | {row["kind"] for row in (*rows["repairs"], *rows["gaps"])}
    own_files = (row["path"] for row in rows["files"] if row["format"] != ANNOTATIONS)
    return Told(
        recording["study"],
        recording["format"] or "unknown",
        tuple((row["stream"], row["unit"]) for row in streams),
        tuple((row["rate_hz"], row["rate_hz"], row["mean_rate_hz"]) for row in streams),
        tuple(sorted(codes)),
        tuple(sorted({reason["code"] for reason in verdict["reasons"]})),
        (min(own_files),),
    )


def alike(recordings: Sequence[Told]) -> list[Told]:
    """Put recordings together that differ in rates only; the most frequent first."""
    groups: dict[tuple[object, ...], list[Told]] = {}
    for one in recordings:
        groups.setdefault((one.study, one.format, one.streams, one.said, one.verdict), []).append(one)
    return sorted((_together(group) for group in groups.values()), key=lambda one: -len(one.recordings))


def _together(group: Sequence[Told]) -> Told:
    of_streams = zip(*(one.rates for one in group), strict=True)
    rates = tuple(
        (min(low for low, _, _ in of), max(high for _, high, _ in of), sum(mean for _, _, mean in of) / len(of))
        for of in of_streams
    )
    first = group[0]
    files = tuple(sorted(path for one in group for path in one.recordings))
    return Told(first.study, first.format, first.streams, rates, first.said, first.verdict, files)


def table_of(recordings: Sequence[Told]) -> Table:
    """Lay the table out."""
    table = Table(*("study", "recordings", "format", "streams", "found and repaired", "verdict"), show_lines=True)
    for one in recordings:
        count = str(len(one.recordings)) if len(one.recordings) > 1 else one.recordings[0]
        streams = "\n".join(_streams_in_words(one))
        table.add_row(one.study, count, one.format, streams, "\n".join(one.said), "\n".join(one.verdict) or "accepted")
    return table


def _streams_in_words(one: Told) -> Iterator[str]:
    """Sensors with the same rate and unit on one line."""
    lines: dict[tuple[str, str], dict[str, list[str]]] = {}
    for (stream, unit), rate in zip(one.streams, one.rates, strict=True):
        lines.setdefault((_rate(*rate), unit), {}).setdefault(sensor_of(stream), []).append(placement_of(stream))
    for (rate_text, unit), sensors in lines.items():
        names = [sensor + (f"@{'/'.join(places)}" if any(places) else "") for sensor, places in sensors.items()]
        yield f"{', '.join(names)}: {rate_text} {unit}"


def _rate(low: float, high: float, mean: float) -> str:
    median = f"{low:.4g}" if high - low < 0.05 else f"{low:.4g}-{high:.4g}"
    return f"{median} Hz" + (f" (mean {mean:.4g})" if not low - 0.1 <= mean <= high + 0.1 else "")


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks real", description="Print what becomes of every real recording."
    )
    parser.add_argument("--all", action="store_true", help="one line for each recording")
    parser.add_argument("--home", type=Path, help="leave the home here; it must not exist yet")
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"some of: {', '.join(SOURCES)}")
    arguments = parser.parse_args(given)
    if unknown := [name for name in arguments.studies if name not in SOURCES]:
        parser.error(f"no recordings of {', '.join(unknown)} are known; known: {', '.join(SOURCES)}")
    return arguments


def main(given: Sequence[str]) -> None:
    """Print the table, study by study."""
    arguments, console = _arguments(given), Console(width=160)
    with tempfile.TemporaryDirectory() as folder:
        home = Home.at(arguments.home or Path(folder) / "home")
        for name in arguments.studies or SOURCES:
            left_out = judge_source(name, REAL, home, scratch=Path(folder))
            recordings = told(name, home)
            console.print(table_of(recordings if arguments.all else alike(recordings)))
            if left_out:
                kinds = Counter(Path(path).suffix or path for path in left_out)
                console.print(f"{name}: the draft leaves out {', '.join(f'{count} {kind}' for kind, count in kinds.items())}")
