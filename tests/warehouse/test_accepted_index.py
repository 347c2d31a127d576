"""What is counted of a study is what the lake holds now: judged here or by somebody else, released, corrected or erased."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.rows import make_rows
from warehouse.accepted_index import AcceptedIndex
from warehouse.erasure import erase_rows
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.study_index import open_index

_STUDY = "trial"
_COUNTED = ("batch_id", "label", "participant", "device", "site")

#: Recording, participant, label, accepted.
_Said = tuple[str, str, str | None, bool]


def judged(home: Home, batch_id: str, *said: _Said, study: str = _STUDY) -> None:
    """Write what reading and judging a batch leave of its recordings."""
    ids, people, labels, accepted = ([one[column] for one in said] for column in range(4))
    known = {"batch_id": batch_id, "recording_id": ids, "participant": people}
    recordings = make_rows("recordings", len(said), study=study, label=labels, site="clinic", **known)
    Lake(home).replace("recordings", recordings, where={"batch_id": batch_id})
    verdicts = make_rows("verdicts", len(said), accepted=accepted, reasons=[[]] * len(said), **known)
    Lake(home).replace("verdicts", verdicts, where={"batch_id": batch_id})


def counted(home: Home) -> Counter[tuple[str | None, ...]]:
    with open_index(AcceptedIndex, _STUDY, home=home) as index:
        rows = index.counts().to_pylist()
    return Counter({tuple(row[name] for name in _COUNTED): row["recordings"] for row in rows})


def in_the_lake(home: Home) -> Counter[tuple[str | None, ...]]:
    """The same counts by looking at every recording and every verdict."""
    lake = Lake(home)
    accepted = {row["recording_id"] for row in lake.read("verdicts").to_pylist() if row["accepted"]}
    rows = [row for row in lake.read("recordings", where={"study": _STUDY}).to_pylist() if row["recording_id"] in accepted]
    return Counter(tuple(row[name] for name in _COUNTED) for row in rows)


def path_of(home: Home) -> Path:
    return home.index / "accepted" / f"{_STUDY}.sqlite"


_SAID = st.tuples(st.sampled_from("AB"), st.sampled_from(["hop", "rest", None]), st.booleans())


@settings(max_examples=12)
@given(st.lists(st.tuples(st.sampled_from(["b1", "b2", "b3"]), st.lists(_SAID, max_size=4), st.booleans()), max_size=5))
def test_whatever_is_judged_in_whatever_order_the_counts_are_those_of_the_lake(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, list[tuple[str, str | None, bool]], bool]]
) -> None:
    home = Home.at(tmp_path_factory.mktemp("home"))
    for batch_id, said, looked_at in events:
        judged(home, batch_id, *((f"{batch_id}-{number}", *one) for number, one in enumerate(said)))
        if looked_at:
            assert counted(home) == in_the_lake(home)
    assert counted(home) == in_the_lake(home)


def test_a_batch_that_another_study_sent_or_nobody_judged_is_not_counted(home: Home) -> None:
    judged(home, "one", ("r1", "P1", "hop", True))
    judged(home, "two", ("r2", "P2", "hop", True), study="other")
    unjudged = make_rows("recordings", 1, batch_id="three", recording_id="r3", study=_STUDY)
    Lake(home).replace("recordings", unjudged, where={"batch_id": "three"})
    assert list(counted(home)) == [("one", "hop", "P1", None, "clinic")]


@pytest.mark.parametrize("left", [None, b"", b"SQLite format 3\x00" + b"no database" * 500])
def test_an_index_that_is_lost_or_damaged_is_made_anew(home: Home, left: bytes | None) -> None:
    judged(home, "one", ("r1", "P1", "hop", True), ("r2", "P1", "hop", True))
    before = counted(home)
    path_of(home).unlink()
    if left is not None:
        path_of(home).write_bytes(left)
    assert counted(home) == before == Counter({("one", "hop", "P1", None, "clinic"): 2})


def test_no_byte_of_an_erased_participant_stays_in_the_file(home: Home) -> None:
    judged(home, "one", ("r1", "Psecret", "hop", True), ("r2", "P2", "hop", True))
    assert counted(home) and b"Psecret" in path_of(home).read_bytes()
    erase_rows("Psecret", recordings=["r1"], sha256=[], batches=["one"], home=home)
    assert b"Psecret" not in path_of(home).read_bytes() and list(path_of(home).parent.iterdir()) == [path_of(home)]
    assert list(counted(home)) == [("one", "hop", "P2", None, "clinic")]
