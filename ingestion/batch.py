"""Reads a delivered batch into the lake: files, recordings, streams, samples, annotations, findings.

Each table's rows of the batch are replaced in one commit, so reading again changes nothing. Samples stream: a batch never
holds more than the recordings being read. Which files are one recording is told in `ingestion.grouping`, what is
measured on a stream in `ingestion.facts`, which column is filled from what in `ingestion.rows`.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from itertools import islice
from operator import attrgetter, itemgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.annotations import Recorded, read_annotations
from ingestion.facts import measure
from ingestion.gaps import gaps_of
from ingestion.grouping import Capture, beside_recordings, captures
from ingestion.order import prepared
from ingestion.parallel import in_parallel
from ingestion.readers import NO_HINTS, READERS, DeviceFile, Hints, known_by_content
from ingestion.receipt import DeliveredFile, Receipt
from ingestion.recording import Finding, Reading, Stream
from ingestion.repairs import clock_findings, repairs_of
from ingestion.rows import POSES, SAMPLES, ReadRecording, Rows, pose_batches, sample_batches
from ingestion.source import normal_path
from ingestion.spool import let_go
from ingestion.units import Measured, settled
from ingestion.vault import Vault
from ingestion.video.container import container_of
from studies.study import Study
from warehouse.errors import KinelakeError, Reason, UnreadableFile
from warehouse.fingerprints import Fingerprints, fingerprints_of_parts
from warehouse.home import Home
from warehouse.lake import Lake

_SMALL_TABLES = ("videos", "fingerprints", "gaps", "repairs", "annotations", "findings", "files", "recordings")
_AHEAD = 2


@dataclass(frozen=True)
class ReadSummary:
    """How many rows a batch gave to each table."""

    batch_id: str
    files: int
    recordings: int
    streams: int
    samples: int
    fingerprints: int
    findings: int


def read_batch(receipt: Receipt, study: Study, home: Home) -> ReadSummary:
    """Read every recording of a batch and replace the batch's rows in the lake.

    Parameters
    ----------
    receipt : Receipt
        Of a delivery that is in the vault.
    study : Study
        For the canonical labels.
    home : Home

    Returns
    -------
    ReadSummary
        Rows written. A file that nothing can read is a row of `files` with a reason, a finding and a recording without
        duration, never an error.

    Raises
    ------
    KinelakeError
        If the vault cannot give back a file as it was delivered (``vault_…``): that is the platform's fault, so no row
        is changed and no recording is blamed.
    """
    rows, lake, where = Rows(), Lake(home), {"batch_id": receipt.batch_id}
    reads = _reads(receipt, study, home)
    batches = _sample_batches(reads, receipt, study, rows)
    lake.replace("samples", pa.RecordBatchReader.from_batches(SAMPLES, batches), where=where)
    lake.replace("poses", pa.RecordBatchReader.from_batches(POSES, pose_batches(rows)), where=where)
    with ThreadPoolExecutor(len(_SMALL_TABLES)) as pool:  # a commit mostly waits for the disk
        list(pool.map(lambda name: lake.replace(name, rows.table(name), where=where), _SMALL_TABLES))
    # Last: they tell whether a unit's correction still waits for this reading, which may be killed before its end.
    lake.replace("streams", rows.table("streams"), where=where)
    counts = {name: len(getattr(rows, name)) for name in ("files", "recordings", "streams", "findings")}
    counts["fingerprints"] = sum(batch.num_rows for batch in rows.fingerprints)
    return ReadSummary(batch_id=receipt.batch_id, samples=rows.samples, **counts)


def read_file(path: Path, hints: Hints = NO_HINTS) -> Reading:
    """Read one recording outside any batch: a device file with the siblings that belong to it, or a folder.

    Parameters
    ----------
    path : Path
        A file (a MetaBase CSV brings its gyroscope's, if that lies beside it) or a folder with the files of one recording.
    hints : Hints, optional
        What a study says about such files.

    Returns
    -------
    Reading
        Streams sorted by time, without repeats of a time stamp, in SI units.

    Raises
    ------
    UnreadableFile
        If it is not there, nothing knows it, a folder holds several recordings, or no stream could be read.
    """
    if not path.exists():
        raise UnreadableFile(Reason("file_missing", "there is no such file or folder", str(path), "check the path"))
    files = _inside(path) if path.is_dir() else _near(path, hints)
    found = [
        capture for capture in captures(files, hints) if path.is_dir() or any(file.name == path.name for file in capture.files)
    ]
    known = [capture for capture in found if capture.reader]
    if len(known) > 1:
        sentence = f"{len(known)} recordings are in the folder; one is wanted"
        raise UnreadableFile(Reason("several_recordings", sentence, str(path), "name one of its files"))
    reading = _reading(known[0], hints) if known else _unknown(_named(path))
    if not reading.streams:
        raise UnreadableFile(*(finding.reason for finding in reading.findings if finding.severity == "error"))
    return replace(reading, streams=_in_order(reading.streams))


def _named(path: Path) -> DeviceFile:
    """A file or folder as it was named, for messages; a folder has no bytes to look at."""
    return DeviceFile(str(path), 1, lambda: BytesIO() if path.is_dir() else path.open("rb"))


def _inside(folder: Path) -> list[DeviceFile]:
    return [DeviceFile.at(path) for path in sorted(folder.iterdir()) if path.is_file()]


def _near(path: Path, hints: Hints) -> list[DeviceFile]:
    file = DeviceFile.at(path)
    reader = known_by_content(file, hints)
    if reader is None or file.is_zip:
        return [file]
    key = reader.pairing_key(file)
    return [sibling for sibling in _inside(path.parent) if reader.pairing_key(sibling) == key]


def _in_order(streams: Sequence[Stream]) -> tuple[Stream, ...]:
    found, _ = settled(list(map(_measured, streams)))
    return tuple(replace(one.stream, t_ns=one.ready.t_ns, values=one.ready.values) for one in found)


def _reads(receipt: Receipt, study: Study, home: Home) -> Iterator[ReadRecording]:
    """Read every recording, in the order of their ids, a few ahead of the one that is being written."""
    delivered, vault = {file.path: file for file in receipt.files}, Vault(home)
    with _blaming_the_vault(receipt):
        paths = [_in_vault(file, vault, receipt) for file in receipt.files]
        files = [DeviceFile.at(path, file.path, scratch=home.scratch) for path, file in zip(paths, receipt.files, strict=True)]
        beside = beside_recordings(files, receipt)
        found = captures(
            [file for file in files if file.name not in beside],
            Hints.of(study),
            owner=lambda file: (delivered[file.name].participant, delivered[file.name].label),
        )
    jobs = sorted(((_recording_id(receipt.batch_id, capture), capture) for capture in found), key=itemgetter(0))
    with ThreadPoolExecutor(_AHEAD) as pool:
        work = (
            pool.submit(_read, name, capture, delivered, beside, study, received_at=receipt.received_at) for name, capture in jobs
        )
        waiting: deque[Future[ReadRecording]] = deque(islice(work, _AHEAD))
        while waiting:
            with _blaming_the_vault(receipt):
                read = waiting.popleft().result()
            waiting.extend(islice(work, 1))
            yield read


def _in_vault(file: DeliveredFile, vault: Vault, receipt: Receipt) -> Path:
    path = vault.path(file.sha256)
    if (size := path.stat().st_size) != file.bytes:
        sentence = f"{file.path} has {size} bytes in the vault, {file.bytes} were delivered"
        raise KinelakeError(_vault_reason("vault_damaged", sentence, receipt))
    return path


def _recording_id(batch_id: str, capture: Capture) -> str:
    named = json.dumps([batch_id, *(file.name for file in capture.files)])
    return "r" + hashlib.sha256(named.encode()).hexdigest()[:15]


def _read(
    recording_id: str,
    capture: Capture,
    delivered: Mapping[str, DeliveredFile],
    beside: Mapping[str, DeviceFile],
    study: Study,
    *,
    received_at: datetime,
) -> ReadRecording:
    files = tuple(delivered[file.name] for file in capture.files)
    timezone = next(filter(None, (file.timezone for file in files)), "")
    reading = _reading(capture, Hints.of(study, timezone=timezone))
    marks = [beside[path] for path in sorted({normal_path(file.annotations or "") for file in files}) if path in beside]
    if marks and any(stream.t_ns.size for stream in reading.streams):
        recorded = Recorded(reading.streams, files[0].label or "", timezone or study.formats.timezone, reading.poses)
        reading = _with_annotations(reading, marks, recorded, study)
    inputs = sorted(reading.streams, key=attrgetter("name"))
    size = sum(stream.values.nbytes for stream in inputs)
    streams, units = settled(in_parallel(_measured, inputs, size=size))
    clocks = [finding for measured in streams for finding in clock_findings(measured, received_at)]
    return ReadRecording(
        recording_id=recording_id,
        delivered=files,
        reading=reading,
        streams=tuple(streams),
        fingerprints=tuple(in_parallel(_marked, streams, size=size)),
        findings=(*reading.findings, *clocks, *units),
        repairs=(*reading.repairs, *(repair for measured in streams for repair in repairs_of(measured))),
        gaps=gaps_of(streams),
        annotation_files=tuple(delivered[file.name] for file in marks),
    )


def _with_annotations(reading: Reading, files: Sequence[DeviceFile], recorded: Recorded, study: Study) -> Reading:
    read = [read_annotations(file, recorded, study) for file in files]
    return replace(
        reading,
        annotations=(*reading.annotations, *(annotation for annotations, _ in read for annotation in annotations)),
        findings=(*reading.findings, *(finding for _, findings in read for finding in findings)),
    )


def _measured(stream: Stream) -> Measured:
    ready = prepared(stream)
    return Measured(stream, ready, measure(stream, ready))


def _marked(measured: Measured) -> Fingerprints:
    values = measured.ready.values

    def part(start: int, stop: int) -> npt.NDArray[np.float32]:
        let_go(values)
        return np.asarray(values[start:stop])

    return fingerprints_of_parts(part, rows=len(values), rate_hz=measured.facts.rate_hz)


def _reading(capture: Capture, hints: Hints) -> Reading:
    return capture.reader.read(capture.files, hints) if capture.reader else _unknown(capture.files[0])


def _unknown(file: DeviceFile) -> Reading:
    formats = ", ".join(reader.name for reader in READERS)
    reason = Reason(
        "format_unknown",
        f"the content is of no known format; known: {formats}",
        file.name,
        "send the app's own export, unaltered",
    )
    if container_of(file.head):
        sentence = "the file is a video and the study declares no joints: it was not opened"
        remedy = "declare 'joint' under the study's streams, or leave videos out of the delivery"
        reason = Reason("video_not_asked_for", sentence, file.name, remedy)
    if file.is_zip:
        sentence = f"the zip is no app's export, and none of the first files in it is of a known format; known: {formats}"
        remedy = "send the app's own zip, unaltered; device files that lie in a zip: unpack it and send the folder"
        reason = Reason("format_unknown", sentence, file.name, remedy)
    if not file.size:
        reason = Reason("file_empty", "the file has 0 bytes", file.name, "export the recording again from the app")
    return Reading(format="", findings=(Finding(reason),))


def _sample_batches(reads: Iterable[ReadRecording], receipt: Receipt, study: Study, rows: Rows) -> Iterator[pa.RecordBatch]:
    for read in reads:
        rows.add(read, receipt, study)
        yield from sample_batches(read)


@contextmanager
def _blaming_the_vault(receipt: Receipt) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KinelakeError(_vault_reason("vault_unreadable", f"a file of the batch cannot be read: {error}", receipt)) from error


def _vault_reason(code: str, sentence: str, receipt: Receipt) -> Reason:
    remedy = "run 'kinelake verify', restore the vault, and run the batch again"
    return Reason(code, sentence, f"batch {receipt.batch_id}", remedy)
