"""Every table of the lake: its columns with type, unit and meaning, and how it is partitioned.

This is the only list of tables. The lake creates them from it, the warehouse comments its views from it, `kinelake
tables` prints it. One table, one entry; a new table is a new entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

_UTC = pa.timestamp("us", tz="UTC")
_NS = pa.int64()
_F32 = pa.float32()
_F64 = pa.float64()
_TEXT = pa.string()
_FLOATS = pa.list_(_F32)

#: One reason inside a list column; the same four parts as `warehouse.errors.Reason`.
REASON = pa.struct([("code", _TEXT), ("sentence", _TEXT), ("place", _TEXT), ("remedy", _TEXT)])


@dataclass(frozen=True)
class Column:
    """One column: Arrow type and what an analyst must know, with the unit where there is one."""

    name: str
    type: pa.DataType
    comment: str


@dataclass(frozen=True)
class Table:
    """One table: what a row is, its columns, and the columns whose values name its folders.

    Parameters
    ----------
    name : str
        Name of the table, of its folder in the lake, of its view and of the asset that writes it.
    comment : str
        What one row is.
    columns : tuple of Column
    partition_by : tuple of str
        ``("batch_id",)`` for everything that a batch's run writes, so that it replaces its own rows and no others.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema, columns in the declared order."""
        return pa.schema([pa.field(column.name, column.type) for column in self.columns])


_BATCH = Column("batch_id", _TEXT, "The delivery that the row came with.")
_RECORDING = Column("recording_id", _TEXT, "The capture; joins with recordings.recording_id.")
_PARTICIPANT = Column("participant", _TEXT, "Pseudonym of the person, as in the manifest.")
_STREAM = Column(
    "stream",
    _TEXT,
    "Sensor: accelerometer (with gravity), linear_acceleration, gravity, gyroscope, magnetometer, orientation, joint, keypoint; "
    "where a recording has several, @ and its placement.",
)
_TASK = Column("task", _TEXT, "What is learnt: <study>.<task>.")
_FINGERPRINT = Column("fingerprint", _TEXT, "Hash of the training table's content and of the recipe and code that made it.")
_AXES = (
    Column("x", _F32, "First axis, in the stream's unit (streams.unit)."),
    Column("y", _F32, "Second axis, in the stream's unit."),
    Column("z", _F32, "Third axis, in the stream's unit."),
    Column("w", _F32, "Real part of a quaternion; null for three-axis sensors."),
)
_PER_BATCH = ("batch_id",)
_PER_TRAINING = ("task", "fingerprint")

_TABLES = (
    Table(
        "batches",
        "A delivery by one site.",
        (
            _BATCH,
            Column("study", _TEXT, "Study that the delivery belongs to."),
            Column("site", _TEXT, "Who delivered."),
            Column("received_at", _UTC, "When the receipt was written, UTC."),
            Column("files", pa.int32(), "Delivered files, the manifest not counted."),
            Column("bytes", pa.int64(), "Their size together, in bytes."),
            Column("recordings", pa.int32(), "Recordings found in it."),
            Column("accepted", pa.int32(), "Recordings accepted."),
            Column("quarantined", pa.int32(), "Recordings set aside."),
            Column("released", pa.int32(), "Recordings that a person let out of quarantine; counted in accepted."),
            Column("state", _TEXT, "received: in the vault; complete: read, judged and segmented."),
            Column("content_sha256", _TEXT, "Hash over all paths, file hashes and the manifest; equal for the same delivery."),
            Column("contract_version", _TEXT, "Contract of the study that judged it; null until judged."),
            Column("recipe_version", _TEXT, "Clocks and cuts that its segments were made with; null until then."),
            Column("reading_version", _TEXT, "Version of the reading that its files were read by; null until then."),
            Column(
                "decisions",
                pa.int32(),
                "Releases and corrections by people that its verdicts take account of; null until judged.",
            ),
            Column("completed_at", _UTC, "When its run ended, UTC; null until then."),
        ),
        _PER_BATCH,
    ),
    Table(
        "files",
        "A delivered file.",
        (
            _BATCH,
            Column("path", _TEXT, "Path inside the delivery, as data; never used as a path on this machine."),
            Column("sha256", _TEXT, "Hash of the bytes, and their name in the vault."),
            Column("bytes", pa.int64(), "Size in bytes."),
            _RECORDING,
            _PARTICIPANT,
            Column("format", _TEXT, "Reader that knew it by content; null if none did."),
            Column("state", _TEXT, "read, or set_aside with a reason in findings."),
            Column("reason", _TEXT, "Code of the first blocking finding; null if read."),
            Column("left_out", pa.int32(), "Members of an export that are no motion data and were not opened."),
            Column("reading_version", _TEXT, "Version of the reading that read it: columns and meaning of what is measured."),
        ),
        _PER_BATCH,
    ),
    Table(
        "recordings",
        "A capture by one device of one participant.",
        (
            _BATCH,
            Column("recording_id", _TEXT, "Stable id: hash of batch and file paths."),
            Column("study", _TEXT, "Study."),
            Column("site", _TEXT, "Who delivered."),
            _PARTICIPANT,
            Column("session", _TEXT, "Session as in the manifest; null if not given."),
            Column("device", _TEXT, "Manifest's device, else a hash of the serial that the file names."),
            Column("placement", _TEXT, "Where on the body the sensor sat, as in the manifest."),
            Column("format", _TEXT, "Reader that knew the files by content; null if none did."),
            Column("started_at", _UTC, "First reading of any stream, UTC; null if nothing was readable."),
            Column("duration_s", _F64, "From the first to the last reading of any stream, in seconds."),
            Column("label", _TEXT, "Label of the study's schema, aliases resolved; as delivered where the schema has none such."),
            Column("label_as_delivered", _TEXT, "Label as written in the manifest."),
            Column("attributes", _TEXT, "JSON object: further manifest columns and what the files state about themselves."),
            Column("value_hash", _TEXT, "Hash over the sensor values of all streams, not over bytes and not over time."),
        ),
        _PER_BATCH,
    ),
    Table(
        "streams",
        "One sensor of a recording, with what was measured on it.",
        (
            _BATCH,
            _RECORDING,
            _PARTICIPANT,
            _STREAM,
            Column("sensor", _TEXT, "The stream's sensor, without its placement."),
            Column("placement", _TEXT, "Where on the body this sensor sat, where the recording says it; else null."),
            Column(
                "unit", _TEXT, "SI unit of x, y, z in samples: m/s^2, rad/s, uT, quaternion or m; of keypoint the frame's height."
            ),
            Column("declared_unit", _TEXT, "Unit that the file or the study claims, as written; null if none is claimed."),
            Column("source", _TEXT, "File (and ::member) that it was read from."),
            Column("rows", pa.int64(), "Readings as delivered, duplicates included."),
            Column("start_ns", _NS, "First reading, ns since 1970 UTC."),
            Column("end_ns", _NS, "Last reading, ns since 1970 UTC."),
            Column("rate_hz", _F64, "Sampling rate in Hz: one over the median step, of a coarse clock over the mean step."),
            Column("mean_rate_hz", _F64, "Readings over duration, gaps included, in Hz."),
            Column("declared_rate_hz", _F64, "Rate that the file claims, in Hz; null if it claims none."),
            Column("jitter", _F64, "Standard deviation of the steps that are no gaps, over the median step; no unit."),
            Column("gaps", pa.int32(), "Steps longer than 2.5 median steps."),
            Column("longest_gap_s", _F64, "Longest step, in seconds."),
            Column("duplicates", pa.int64(), "Readings whose time stamp another one already has."),
            Column("out_of_order", pa.int64(), "Readings delivered after a later one."),
            Column("saturated", _F64, "Share of readings with an axis held at the stream's own extreme, 0 to 1."),
            Column("held", _F64, "Share of readings equal to the one before them on all axes, 0 to 1."),
            Column("minimum", _F64, "Smallest value on any axis, in the stream's unit."),
            Column("maximum", _F64, "Largest value on any axis, in the stream's unit."),
            Column("norm_median", _F64, "Median length of the running mean over 1 s, in its unit; 9.8 for an accelerometer."),
            Column("norm_rest", _F64, "The same over the seconds in which the sensor lay still; null if there were hardly any."),
            Column("still", _F64, "Share of the time in which the sensor lay still, 0 to 1."),
            Column("drift_ppm", _F64, "Device clock faster than host clock, in parts per million; null without two clocks."),
            Column("truncated", pa.bool_(), "True if the file ended in the middle of a reading, which was left out."),
            Column("value_hash", _TEXT, "Hash over this sensor's values; null where they hardly vary."),
            Column("corrected_unit", _TEXT, "Unit that the values are in by a person's correction; null if as the file says."),
        ),
        _PER_BATCH,
    ),
    Table(
        "samples",
        "A reading of a sensor, sorted by time, exact repeats of a time stamp removed.",
        (_BATCH, _RECORDING, _PARTICIPANT, _STREAM, Column("t_ns", _NS, "Time of the reading, ns since 1970 UTC."), *_AXES),
        _PER_BATCH,
    ),
    Table(
        "fingerprints",
        "A mark of a stream by which copies are looked up, rounded, rescaled and cut ones too; a hint and no proof.",
        (
            _BATCH,
            _RECORDING,
            _PARTICIPANT,
            _STREAM,
            Column("position", pa.int64(), "Reading of the stream at which the mark begins, from 0 in the order of samples."),
            Column("hash", pa.int64(), "What the mark looks like; equal marks of two streams are a reason to compare them."),
        ),
        _PER_BATCH,
    ),
    Table(
        "annotations",
        "A labelled stretch as delivered.",
        (
            _BATCH,
            _RECORDING,
            _PARTICIPANT,
            Column("start_ns", _NS, "Start, ns since 1970 UTC."),
            Column("end_ns", _NS, "End, ns since 1970 UTC; equal to start for an instant."),
            Column("label", _TEXT, "As delivered."),
            Column("source", _TEXT, "File (and ::member) that it was read from."),
        ),
        _PER_BATCH,
    ),
    Table(
        "findings",
        "Something that was seen, repaired or refused while reading a file.",
        (
            _BATCH,
            _RECORDING,
            Column("path", _TEXT, "File in the delivery."),
            Column("severity", _TEXT, "error quarantines the recording, warning and note do not."),
            Column("code", _TEXT, "Stable name of what was found."),
            Column("sentence", _TEXT, "What was found and what is allowed."),
            Column("place", _TEXT, "File, row, column or key."),
            Column("remedy", _TEXT, "What to do."),
        ),
        _PER_BATCH,
    ),
    Table(
        "gaps",
        "A step between two readings of a stream that is longer than 2.5 median steps; nothing is carried across it.",
        (
            _BATCH,
            _RECORDING,
            _PARTICIPANT,
            _STREAM,
            Column("start_ns", _NS, "Last reading before it, ns since 1970 UTC."),
            Column("end_ns", _NS, "First reading after it, ns since 1970 UTC."),
            Column("seconds", _F64, "From one to the other, in seconds."),
            Column(
                "kind",
                _TEXT,
                "pause: a second or more in which every running sensor is silent; gap: this one lost readings.",
            ),
            Column("missing", pa.int64(), "Readings that would have fitted in at the stream's rate."),
        ),
        _PER_BATCH,
    ),
    Table(
        "repairs",
        "Something that was changed, chosen or left out while reading, so that the rest could be used.",
        (
            _BATCH,
            _RECORDING,
            _PARTICIPANT,
            Column("stream", _TEXT, "Stream that it was done to; null if it concerns the whole recording."),
            Column(
                "kind",
                _TEXT,
                "sorted, replay_removed, duplicate_stamps_removed, sub_second_rebuilt, tail_cut, unit_converted (as it was "
                "declared), unit_inferred (against it), sign_flipped, scale_flagged (values unchanged), clock_chosen, or "
                "another one of a reader, as its sentence says.",
            ),
            Column("rows", pa.int64(), "Readings changed or left out."),
            Column("start_ns", _NS, "First time concerned, ns since 1970 UTC; null if none is certain."),
            Column("end_ns", _NS, "Last time concerned, ns since 1970 UTC; null if none is certain."),
            Column("before", _TEXT, "What stood there, such as g; null if that says nothing."),
            Column("after", _TEXT, "What stands there now, such as m/s^2; null if that says nothing."),
            Column("sentence", _TEXT, "What was done and why."),
            Column("source", _TEXT, "File (and ::member) that it was done to."),
        ),
        _PER_BATCH,
    ),
    Table(
        "poses",
        "A frame of a video, with every landmark of the body in it; the joints among them are streams too.",
        (
            _BATCH,
            _RECORDING,
            _PARTICIPANT,
            Column("source", _TEXT, "Clip (and ::member) that the frame is of."),
            Column("frame", pa.int32(), "Number of the frame among those that decoded, from 0."),
            Column("t_ns", _NS, "When it was shown, ns since 1970 UTC, as the container says, whatever the rate."),
            Column(
                "landmarks",
                _FLOATS,
                "x, y, z of each of the 33 landmarks (studies.skeletons.MEDIAPIPE), in metres from between the hips: x right in "
                "the picture, y up, z towards the camera; null if nobody was seen or a file of poses has none, not a "
                "number where it lacks one.",
            ),
            Column(
                "image",
                _FLOATS,
                "The same in the picture: x right as a share of its width, y down of its height, z as x; null likewise.",
            ),
            Column("visibility", _FLOATS, "How sure it is that each landmark is to be seen, 0 to 1; null likewise."),
        ),
        _PER_BATCH,
    ),
    Table(
        "videos",
        "A clip, with what was measured on it.",
        (
            _BATCH,
            _RECORDING,
            _PARTICIPANT,
            Column("source", _TEXT, "Clip (and ::member)."),
            Column("codec", _TEXT, "How it is compressed, such as h264."),
            Column("width", pa.int32(), "Width of a frame as stored, before any turning, in pixels."),
            Column("height", pa.int32(), "Height likewise, in pixels."),
            Column("rotation", pa.int32(), "Degrees counter-clockwise by which a frame was turned to stand upright."),
            Column("frames", pa.int32(), "Frames in which a body was looked for."),
            Column("rate_hz", _F64, "Frame rate in Hz: one over the median step; null for fewer than two frames."),
            Column(
                "jitter", _F64, "Standard deviation of the steps over the median step: 0 where the rate never varies; no unit."
            ),
            Column("dropped", pa.int64(), "Frames that would have fitted into steps longer than 1.5 median steps."),
            Column("frozen", pa.int32(), "Frames that show exactly what the one before shows."),
            Column("damaged", pa.int32(), "Frames left out because they did not decode whole, were green, or had no time."),
            Column("frames_without_person", pa.int32(), "Frames in which nobody was seen."),
            Column(
                "frames_with_several",
                pa.int32(),
                "Frames with more than one person, estimated: others are looked for every 2 s; what is found holds until then.",
            ),
            Column("person_changes", pa.int32(), "Times that the body leapt, so that it may be somebody else's from there on."),
            Column(
                "landmarks_seen",
                _F64,
                "Share of the landmarks seen with visibility of at least 0.5, frames without a person as none.",
            ),
            Column("duration_s", _F64, "From the first to the last frame, in seconds."),
        ),
        _PER_BATCH,
    ),
    Table(
        "verdicts",
        "A judged recording: the only thing that training asks.",
        (
            _BATCH,
            _RECORDING,
            _PARTICIPANT,
            Column("accepted", pa.bool_(), "True: may be used. False: in quarantine."),
            Column("reasons", pa.list_(REASON), "Why not: code, sentence, place, remedy; empty if nothing was found."),
            Column("contract_version", _TEXT, "Hash of the study's contract that judged."),
            Column("judged_at", _UTC, "When, UTC."),
            Column("released_by", _TEXT, "Who overruled the reasons; null if nobody did."),
            Column("decisions", pa.int32(), "Releases and corrections of the recording that it takes account of."),
        ),
        _PER_BATCH,
    ),
    Table(
        "verdict_history",
        "A verdict that a recording has or had: a row for the first one and for every one that said something else.",
        (
            _BATCH,
            _RECORDING,
            _PARTICIPANT,
            Column("number", pa.int32(), "Number of the recording's verdict, from 1; the largest is the one in verdicts."),
            Column("accepted", pa.bool_(), "True: might be used. False: in quarantine."),
            Column("reasons", pa.list_(REASON), "Why not: code, sentence, place, remedy; empty if nothing was found."),
            Column("contract_version", _TEXT, "Hash of the study's contract that judged."),
            Column("judged_at", _UTC, "When it was first given, UTC."),
            Column("released_by", _TEXT, "Who overruled the reasons; null if nobody did."),
        ),
        _PER_BATCH,
    ),
    Table(
        "checks",
        "One thing that was checked when a batch was judged.",
        (
            _BATCH,
            Column("level", _TEXT, "What it is about: file, stream, recording, label or study."),
            Column("check_name", _TEXT, "Name of the check, as in Dagster."),
            Column(
                "severity",
                _TEXT,
                "error: recordings were set aside for it, or would have to be. warning: told, and nothing more.",
            ),
            Column("passed", pa.bool_(), "True if nothing was found."),
            Column("sentence", _TEXT, "What was found, in words."),
            Column("figures", _TEXT, "JSON object: counts and measures behind the sentence."),
            Column("contract_version", _TEXT, "Hash of the study's contract that judged."),
            Column("judged_at", _UTC, "When, UTC."),
        ),
        _PER_BATCH,
    ),
    Table(
        "releases",
        "A person's decision to let a recording out of quarantine, or to take that back; the latest counts.",
        (
            _RECORDING,
            Column("who", _TEXT, "Who decided."),
            Column("why", _TEXT, "The stated reason."),
            Column("released_at", _UTC, "When, UTC."),
            Column("withdrawn", pa.bool_(), "True: an earlier release is taken back. False: the recording is let out."),
        ),
    ),
    Table(
        "corrections",
        "A person's correction of what was delivered of a recording; of several of the same field the latest counts.",
        (
            Column("correction_id", _TEXT, "Stable id."),
            _RECORDING,
            Column("field", _TEXT, "What is corrected: label, participant, session, placement, or unit:<stream>."),
            Column(
                "value",
                _TEXT,
                "What it is: null takes earlier corrections of the field back. For a unit: what the values are in.",
            ),
            Column("before", _TEXT, "What it was before; null for a participant, whom table files names as delivered."),
            Column("who", _TEXT, "Who decided."),
            Column("why", _TEXT, "The stated reason."),
            Column("corrected_at", _UTC, "When, UTC."),
        ),
    ),
    Table(
        "resampled",
        "A reading of an accepted recording on its uniform clock.",
        (
            _BATCH,
            _RECORDING,
            _PARTICIPANT,
            _STREAM,
            Column("rate_hz", _F64, "Rate of the uniform clock, in Hz."),
            Column("piece", pa.int32(), "Number of the stretch without a gap, from 0; nothing is bridged between two pieces."),
            Column("step", pa.int64(), "Tick of the recording's clock; the same tick in two streams is the same instant."),
            Column("t_ns", _NS, "Time of the tick, ns since 1970 UTC."),
            *_AXES,
        ),
        _PER_BATCH,
    ),
    Table(
        "resampling",
        "How well a stream could be brought to a uniform clock.",
        (
            _BATCH,
            _RECORDING,
            _PARTICIPANT,
            _STREAM,
            Column("rate_hz", _F64, "Rate of the uniform clock, in Hz."),
            Column("source_rate_hz", _F64, "Readings a second, gaps left out, in Hz; null where no two belong together."),
            Column("pieces", pa.int32(), "Stretches without a gap on which a tick falls."),
            Column("covered", _F64, "Share of the time from the first to the last reading that has ticks, 0 to 1."),
            Column(
                "error_rms",
                _F64,
                "Upper estimate of the interpolation's error, in the stream's unit: root mean square of how values differ when "
                "every second reading is taken away, over up to 20,000 readings; null for fewer than 64.",
            ),
        ),
        _PER_BATCH,
    ),
    Table(
        "segments",
        "A stretch to learn from, inside one recording and without a gap in any of its streams.",
        (
            _BATCH,
            Column("segment_id", _TEXT, "Stable id: hash of recording, task, method and start."),
            _TASK,
            _RECORDING,
            _PARTICIPANT,
            Column("label", _TEXT, "Label of the study's schema: the annotation's, else the recording's; null if it has none."),
            Column("method", _TEXT, "annotation, repetition <from>s to <to>s, window <seconds>s overlap <share>, or recording."),
            Column("confidence", _F64, "How sure a repetition is, 0 to 1; null for other methods."),
            Column("rate_hz", _F64, "Rate of the clock that it was cut on, in Hz."),
            Column("start_ns", _NS, "First tick, ns since 1970 UTC."),
            Column("end_ns", _NS, "Last tick, ns since 1970 UTC."),
            Column("steps", pa.int64(), "Ticks from first to last, both included."),
        ),
        _PER_BATCH,
    ),
    Table(
        "cuts",
        "How a recording was cut for a task.",
        (
            _BATCH,
            _TASK,
            _RECORDING,
            _PARTICIPANT,
            Column("method", _TEXT, "As in segments."),
            Column("segments", pa.int64(), "Segments found; of repetitions, their count."),
            Column("confidence", _F64, "Mean confidence of the repetitions, 0 to 1; null for other methods and where none is."),
            Column("statement", _TEXT, "What was marked or found and is no segment, and why; empty if there is nothing to say."),
        ),
        _PER_BATCH,
    ),
    Table(
        "drift",
        "How far one feature of a batch lies from what a champion learnt from.",
        (
            _BATCH,
            _TASK,
            Column("version", pa.int32(), "The champion when the batch was processed."),
            Column("feature", _TEXT, "<channel>.<feature>, or label for the shares of the labels."),
            Column("value", _F64, "Population stability index (0: alike); for label the total variation distance, 0 to 1."),
            Column(
                "allowed", _F64, "0.25, or what one participant differs from the others in the training table, if that is more."
            ),
            Column("shifted", pa.bool_(), "True if the value is larger than what is allowed."),
            Column("examples", pa.int64(), "Segments of the batch that were compared."),
        ),
        _PER_BATCH,
    ),
    Table(
        "training_tables",
        "A frozen training table: what examples of one fingerprint have in common.",
        (
            _TASK,
            _FINGERPRINT,
            Column("study", _TEXT, "Study."),
            Column("target", _TEXT, "What a model answers: label, participant, or participant_and_label."),
            Column("length", pa.int32(), "Samples of one example."),
            Column("channels", pa.list_(_TEXT), "Channels of one example, in order, as <stream>.<axis>."),
            Column("rate_hz", _F64, "Rate of the clock before the fixed length, in Hz."),
            Column("labels", pa.list_(_TEXT), "Labels that occur."),
            Column("examples", pa.int64(), "Rows, augmented copies included."),
            Column("segments", pa.int64(), "Segments that they were cut from."),
            Column("participants", pa.int32(), "Participants in it."),
            Column("recordings", pa.int32(), "Recordings in it."),
            Column("copies_dropped", pa.int32(), "Accepted recordings left out because another one has the same sensor values."),
            Column("protocol", _TEXT, "How the splits were made, in words."),
            Column("honest", pa.bool_(), "True if the scores hold for what statement says; without it nothing is promoted."),
            Column("statement", _TEXT, "What the scores mean, or why no honest split exists, in plain words."),
            Column("authors_protocol", _TEXT, "How the splits of the study's authors were made; null if the task names none."),
            Column("authors_statement", _TEXT, "What scores by the authors' splits mean; null if the task names none."),
            Column("recipe", _TEXT, "JSON: the task as the study declares it."),
            Column("seed", pa.int64(), "Seed of splits and augmentation."),
            Column("code_version", _TEXT, "Hash of the code that made it."),
            Column("content_sha256", _TEXT, "Hash over every example's signal, label and split."),
            Column("frozen_at", _UTC, "When, UTC."),
        ),
        _PER_TRAINING,
    ),
    Table(
        "examples",
        "A model-ready tensor cut from one segment.",
        (
            _TASK,
            _FINGERPRINT,
            Column("example_id", _TEXT, "Stable id: segment and augmentation."),
            Column("segment_id", _TEXT, "Segment it was cut from."),
            _RECORDING,
            _PARTICIPANT,
            Column("label", _TEXT, "What the model is to answer."),
            Column(
                "split_group", _TEXT, "What the split keeps together: participant, session, recording or another column's value."
            ),
            Column("split", _TEXT, "train, test, or fold_<n> where every fold is tested once."),
            Column("fold", pa.int32(), "Fold of its group for model selection inside train, from 0; -1 in test."),
            Column(
                "authors_split", _TEXT, "The same by the authors' own protocol, which decides nothing; null if there is none."
            ),
            Column("authors_fold", pa.int32(), "Fold by the authors' own protocol; null if there is none."),
            Column("augmentation", _TEXT, "original, or the name and number of the augmented copy."),
            Column("signal", pa.list_(_F32), "length × channels float32, row by row (time first); shape in training_tables."),
        ),
        _PER_TRAINING,
    ),
    Table(
        "models",
        "A registered model version.",
        (
            _TASK,
            _FINGERPRINT,
            Column("version", pa.int32(), "Version in the registry, counted per task."),
            Column("family", _TEXT, "Model family, such as svm or cnn_gru; see docs/studies.md."),
            Column("parameters", _TEXT, "JSON: every parameter of the estimator."),
            Column("protocol", _TEXT, "How it was scored, in words."),
            Column("honest", pa.bool_(), "True if it was scored on participants that it never saw."),
            Column("gate", _TEXT, "Why it was promoted or not."),
            Column("promoted", pa.bool_(), "True if the gate let it become champion when it was registered."),
            Column("seed", pa.int64(), "Seed of the training."),
            Column("code_version", _TEXT, "Hash of the code that trained it."),
            Column("trained_at", _UTC, "When, UTC."),
            Column("train_seconds", _F64, "Time to fit, in seconds."),
            Column("parameters_count", pa.int64(), "Learned numbers; null where the family has no such count."),
            Column("artifact", _TEXT, "Folder of the stored model below the registry."),
        ),
        _PER_TRAINING,
    ),
    Table(
        "evaluations",
        "A score of a model version.",
        (
            _TASK,
            _FINGERPRINT,
            Column("version", pa.int32(), "Version in the registry."),
            Column("family", _TEXT, "Model family."),
            Column("protocol", _TEXT, "cross_validation or test."),
            Column(
                "metric",
                _TEXT,
                "false_positives and false_positive_rate (examples of other labels that were given the task's positive one), "
                "accuracy, precision, recall, f1, macro_f1, support, mean_ or worst_participant_accuracy, or a confusion count.",
            ),
            Column("label", _TEXT, "True label; null for a score over all labels."),
            Column("predicted", _TEXT, "Predicted label, for confusion; else null."),
            Column("value", _F64, "The score from 0 to 1, or a count."),
        ),
        _PER_TRAINING,
    ),
    Table(
        "trials",
        "A combination of parameters that a search tried, scored within what its model may learn from.",
        (
            _TASK,
            _FINGERPRINT,
            Column("family", _TEXT, "Model family."),
            Column("part", _TEXT, "What the search could see: all (for the registered version), or without_fold_<n>."),
            Column("trial", pa.int32(), "Number within its search, from 0."),
            Column("state", _TEXT, "complete, or pruned: given up after poor first folds."),
            Column("parameters", _TEXT, "JSON: the parameters that were searched for."),
            Column("value", _F64, "The study's metric over the folds that were scored, 0 to 1."),
            Column("seconds", _F64, "How long it took, in seconds."),
            Column("chosen", pa.bool_(), "True for the best of its search, whose parameters were taken."),
        ),
        _PER_TRAINING,
    ),
    Table(
        "predictions",
        "An answer of a champion.",
        (
            _TASK,
            Column("version", pa.int32(), "Model version that answered."),
            Column("file", _TEXT, "Name of the classified file."),
            Column("sha256", _TEXT, "Hash of its bytes."),
            Column("start_ns", _NS, "Start of the stretch, ns since 1970 UTC."),
            Column("end_ns", _NS, "End of the stretch, ns since 1970 UTC."),
            Column("label", _TEXT, "The answer."),
            Column("probability", _F64, "Probability that the model gives it, 0 to 1."),
            Column("predicted_at", _UTC, "When, UTC."),
        ),
    ),
)

TABLES: Mapping[str, Table] = {table.name: table for table in _TABLES}
