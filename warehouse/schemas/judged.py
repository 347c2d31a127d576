"""What judging writes, and what people decided: verdicts and their history, checks, releases, corrections."""

from __future__ import annotations

import pyarrow as pa

from warehouse.schemas.parts import BATCH, PARTICIPANT, PER_BATCH, REASON, RECORDING, TEXT, UTC, Column, Table

JUDGED = (
    Table(
        "verdicts",
        "A judged recording: the only thing that training asks.",
        (
            BATCH,
            RECORDING,
            PARTICIPANT,
            Column("accepted", pa.bool_(), "True: may be used. False: in quarantine."),
            Column("reasons", pa.list_(REASON), "Why not: code, sentence, place, remedy; empty if nothing was found."),
            Column("contract_version", TEXT, "Hash of the study's contract that judged."),
            Column("judged_at", UTC, "When, UTC."),
            Column("released_by", TEXT, "Who overruled the reasons; null if nobody did."),
            Column("decisions", pa.int32(), "Releases and corrections of the recording that it takes account of."),
        ),
        PER_BATCH,
    ),
    Table(
        "verdict_history",
        "A verdict that a recording has or had: a row for the first one and for every one that said something else.",
        (
            BATCH,
            RECORDING,
            PARTICIPANT,
            Column("number", pa.int32(), "Number of the recording's verdict, from 1; the largest is the one in verdicts."),
            Column("accepted", pa.bool_(), "True: might be used. False: in quarantine."),
            Column("reasons", pa.list_(REASON), "Why not: code, sentence, place, remedy; empty if nothing was found."),
            Column("contract_version", TEXT, "Hash of the study's contract that judged."),
            Column("judged_at", UTC, "When it was first given, UTC."),
            Column("released_by", TEXT, "Who overruled the reasons; null if nobody did."),
        ),
        PER_BATCH,
    ),
    Table(
        "checks",
        "One thing that was checked when a batch was judged.",
        (
            BATCH,
            Column("level", TEXT, "What it is about: file, stream, recording, label or study."),
            Column("check_name", TEXT, "Name of the check, as in Dagster."),
            Column(
                "severity",
                TEXT,
                "error: recordings were set aside for it, or would have to be. warning: told, and nothing more.",
            ),
            Column("passed", pa.bool_(), "True if nothing was found."),
            Column("sentence", TEXT, "What was found, in words."),
            Column("figures", TEXT, "JSON object: counts and measures behind the sentence."),
            Column("contract_version", TEXT, "Hash of the study's contract that judged."),
            Column("judged_at", UTC, "When, UTC."),
        ),
        PER_BATCH,
    ),
    Table(
        "releases",
        "A person's decision to let a recording out of quarantine, or to take that back; the latest counts.",
        (
            RECORDING,
            Column("who", TEXT, "Who decided."),
            Column("why", TEXT, "The stated reason."),
            Column("released_at", UTC, "When, UTC."),
            Column("withdrawn", pa.bool_(), "True: an earlier release is taken back. False: the recording is let out."),
        ),
    ),
    Table(
        "corrections",
        "A person's correction of what was delivered of a recording; of several of the same field the latest counts.",
        (
            Column("correction_id", TEXT, "Stable id."),
            RECORDING,
            Column("field", TEXT, "What is corrected: label, participant, session, placement, or unit:<stream>."),
            Column(
                "value",
                TEXT,
                "What it is: null takes earlier corrections of the field back. For a unit: what the values are in.",
            ),
            Column("before", TEXT, "What it was before; null for a participant, whom table files names as delivered."),
            Column("who", TEXT, "Who decided."),
            Column("why", TEXT, "The stated reason."),
            Column("corrected_at", UTC, "When, UTC."),
        ),
    ),
)
