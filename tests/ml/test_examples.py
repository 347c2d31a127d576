"""Training tables: the fingerprint tells what changed, nothing of the test leaks, and what is frozen stays as it is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ml import code_version as code_version_module
from ml.code_version import code_version, hash_sources
from ml.preprocessing import examples as examples_module
from ml.preprocessing import selection as selection_module
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.examples import freeze_examples, training_fingerprint
from ml.preprocessing.fixed_length import resize
from ml.preprocessing.tensors import cut_streams
from ml.preprocessing.training_table import TrainingTable, load_examples
from studies.study import Study
from tests.ml.written_batches import STUDY, Recorded, cohort, moving, wrist_study, write_batch
from warehouse.errors import LakeError, TrainingRefused, UnknownName
from warehouse.home import Home
from warehouse.lake import Lake


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return wrist_study(tmp_path)


def ran(home: Home, study: Study, recordings: list[Recorded], batch_id: str = "b1", **how: object) -> None:
    """Write and run one batch to its end."""
    write_batch(home, study, batch_id, recordings, **how)  # type: ignore[arg-type]
    resample_batch(batch_id, study, home)
    segment_batch(batch_id, study, home)


def with_text(folder: Path, old: str, new: str) -> Study:
    assert old in STUDY
    folder.mkdir(exist_ok=True)
    return wrist_study(folder, STUDY.replace(old, new))


# --- fingerprint


def test_nothing_accepted_has_no_fingerprint_and_training_says_so(home: Home, study: Study) -> None:
    assert training_fingerprint(study, "movement", home) is None
    ran(home, study, [replace(one, accepted=False) for one in cohort(2)])
    assert training_fingerprint(study, "movement", home) is None
    with pytest.raises(TrainingRefused, match="no accepted recording"):
        freeze_examples(study, "movement", home)


def test_an_unknown_task_is_refused_with_the_nearest_name(home: Home, study: Study) -> None:
    with pytest.raises(UnknownName, match="did you mean 'movement'"):
        training_fingerprint(study, "movemant", home)


def test_the_same_lake_has_the_same_fingerprint_in_another_process(home: Home, study: Study, tmp_path: Path) -> None:
    ran(home, study, cohort(2))
    code = (
        "import sys; from pathlib import Path; from studies import load_study; from warehouse.home import Home;"
        "from ml.preprocessing.examples import training_fingerprint;"
        "print(training_fingerprint(load_study(Path(sys.argv[1])), 'movement', Home(Path(sys.argv[2]))))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "wrist.yaml"), str(home.root)], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == training_fingerprint(study, "movement", home)


def test_the_order_of_rows_batches_and_runs_does_not_change_the_fingerprint(tmp_path: Path, study: Study) -> None:
    people, found = cohort(3), []
    for number, (first, second) in enumerate([(people, people[:0]), (people[::-1], people[:0])]):
        home = Home.at(tmp_path / f"home{number}")
        ran(home, study, [*first, *second])
        found.append(training_fingerprint(study, "movement", home))
        ran(home, study, [*first, *second])
        found.append(training_fingerprint(study, "movement", home))
    assert len(set(found)) == 1


@pytest.mark.parametrize("change", ["label", "verdict", "participant", "values", "one more"])
def test_another_label_verdict_participant_value_or_recording_is_another_fingerprint(
    home: Home, study: Study, change: str
) -> None:
    first, *others = cohort(3)
    ran(home, study, [first, *others])
    before = training_fingerprint(study, "movement", home)
    changed = {
        "label": [replace(first, label="turn"), *others],
        "verdict": [replace(first, accepted=False), *others],
        "participant": [replace(first, participant="P2"), *others],
        "values": [replace(first, streams=moving(99)), *others],
        "one more": [first, *others, Recorded("new", "P9", "wave", moving(98))],
    }
    ran(home, study, changed[change])
    assert training_fingerprint(study, "movement", home) not in (before, None)


@pytest.mark.parametrize(
    ("old", "new"),
    [("seed: 7", "seed: 8"), ("share: 0.3", "share: 0.4"), ("test: 0.25", "test: 0.5"), ("length: 40", "length: 48")],
)
def test_another_recipe_is_another_fingerprint(home: Home, study: Study, tmp_path: Path, old: str, new: str) -> None:
    ran(home, study, cohort(2))
    other = with_text(tmp_path / "other", old, new)
    assert training_fingerprint(other, "movement", home) != training_fingerprint(study, "movement", home)


def test_another_title_is_the_same_fingerprint(home: Home, study: Study, tmp_path: Path) -> None:
    ran(home, study, cohort(2))
    other = with_text(tmp_path / "other", "title: Movements of the wrist", "title: Wrist")
    assert training_fingerprint(other, "movement", home) == training_fingerprint(study, "movement", home)


def test_other_preprocessing_code_is_another_fingerprint(home: Home, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(home, study, cohort(2))
    before = training_fingerprint(study, "movement", home)
    for module in (selection_module, examples_module):
        monkeypatch.setattr(module, "code_version", lambda package: f"other {package}")
    assert training_fingerprint(study, "movement", home) != before


def test_asking_again_reads_the_tables_only_after_a_change(home: Home, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(home, study, cohort(2))
    before = training_fingerprint(study, "movement", home)
    read = []
    monkeypatch.setattr(
        examples_module, "select_segments", lambda *asked: read.append(asked) or selection_module.select_segments(*asked)
    )
    assert training_fingerprint(study, "movement", home) == before
    assert not read
    ran(home, study, [Recorded("new", "P9", "wave", moving(98))], "b2")
    assert training_fingerprint(study, "movement", home) != before
    assert len(read) == 1


def test_a_batch_that_is_not_complete_does_not_count(home: Home, study: Study) -> None:
    ran(home, study, cohort(2))
    before = training_fingerprint(study, "movement", home)
    ran(home, study, [Recorded("late", "P9", "wave", moving(98))], "b2", complete=False)
    assert training_fingerprint(study, "movement", home) == before
    ran(home, study, [Recorded("late", "P9", "wave", moving(98))], "b2")
    assert training_fingerprint(study, "movement", home) != before


def test_segments_of_an_earlier_recipe_do_not_count(home: Home, study: Study, tmp_path: Path) -> None:
    ran(home, study, cohort(2))
    other = with_text(tmp_path / "other", "seconds: 2,", "seconds: 3,")
    assert training_fingerprint(other, "movement", home) is None
    segment_batch("b1", other, home)
    assert training_fingerprint(other, "movement", home) is not None


def test_code_versions_follow_the_sources_and_not_their_place(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "a.py").write_text("A = 1\n")
        (tmp_path / name / "sub" / "b.yaml").write_text("b: 1\n")
    assert hash_sources(tmp_path / "one") == hash_sources(tmp_path / "two")
    (tmp_path / "two" / "__pycache__").mkdir()
    (tmp_path / "two" / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    assert hash_sources(tmp_path / "one") == hash_sources(tmp_path / "two")
    (tmp_path / "two" / "sub" / "b.yaml").write_text("b: 2\n")
    assert hash_sources(tmp_path / "one") != hash_sources(tmp_path / "two")
    folder = Path(code_version_module.__file__).parent
    assert code_version("ml.preprocessing") == hash_sources(folder / "preprocessing")
    assert code_version("ml") != code_version("ml.preprocessing")
    with pytest.raises(ModuleNotFoundError, match=r"ml\.absent"):
        code_version("ml.absent")


# --- frozen tables


@pytest.fixture(scope="module")
def frozen_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with eight participants and the frozen table of `movement`, for tests that only read."""
    home = Home.at(tmp_path_factory.mktemp("frozen"))
    study = wrist_study(tmp_path_factory.mktemp("study"))
    ran(home, study, cohort(8))
    freeze_examples(study, "movement", home)
    return home


@pytest.fixture(scope="module")
def frozen(frozen_home: Home) -> TrainingTable:
    ((_, partition),) = Lake(frozen_home).parquet_files("training_tables")
    return load_examples("wrist.movement", partition["fingerprint"], frozen_home)


@pytest.fixture
def copied_home(frozen_home: Home, tmp_path: Path) -> Home:
    """The same home, for tests that change it."""
    shutil.copytree(frozen_home.root, tmp_path / "copied")
    return Home.at(tmp_path / "copied")


def test_examples_have_one_shape_and_the_channels_that_the_table_names(frozen: TrainingTable) -> None:
    assert frozen.signals.shape == (frozen.meta.examples, 40, 8)
    assert frozen.signals.dtype == np.float32
    assert np.isfinite(frozen.signals).all()
    axes = ("x", "y", "z", "norm")
    assert frozen.meta.channels == tuple(f"{stream}.{axis}" for stream in ("accelerometer", "gyroscope") for axis in axes)
    whole = frozen.signals[frozen.original]
    assert np.allclose(np.linalg.norm(whole[:, [0, -1], :3], axis=2), whole[:, [0, -1], 3], atol=1e-4)


def test_originals_are_what_inference_cuts_out_of_the_same_streams(frozen: TrainingTable, study: Study) -> None:
    for one in cohort(8):
        rows = frozen.original & (frozen.recording_id == one.recording_id)
        assert np.array_equal(frozen.signals[rows], cut_streams(one.streams, study.tasks["movement"]).signals)


def test_nobody_is_in_two_splits_and_copies_stay_with_their_original(frozen: TrainingTable) -> None:
    for keep_together in (frozen.participant, frozen.segment_id):
        for name in np.unique(keep_together):
            assert len({*zip(frozen.split[keep_together == name], frozen.fold[keep_together == name], strict=True)}) == 1
    assert set(frozen.split) == {"train", "test"}
    assert np.array_equal(frozen.fold == -1, frozen.split == "test")


def test_augmentation_is_in_training_only_and_complete_there(frozen: TrainingTable) -> None:
    assert set(frozen.augmentation[frozen.split == "test"]) == {"original"}
    train = frozen.split == "train"
    assert set(frozen.augmentation[train]) == {"original", "multiplicative_noise_1", "subsequence_1"}
    assert (~frozen.original).sum() == 2 * (frozen.original & train).sum()
    assert len(set(frozen.example_id)) == frozen.meta.examples


def test_a_copy_is_an_altered_version_of_its_own_original(frozen: TrainingTable) -> None:
    noise = np.flatnonzero(frozen.augmentation == "multiplicative_noise_1")
    original = dict(zip(frozen.segment_id[frozen.original], frozen.signals[frozen.original], strict=True))
    for row in noise[:50]:
        same = np.isclose(frozen.signals[row], original[frozen.segment_id[row]], atol=1e-6).all(axis=1)
        assert same.sum() == 28


def test_the_cross_validation_never_tests_a_copy_nor_the_held_out(frozen: TrainingTable) -> None:
    tested = []
    for train, test in frozen.rounds():
        assert frozen.original[test].all()
        assert not set(frozen.groups[train]) & set(frozen.groups[test])
        assert (frozen.split[np.concatenate([train, test])] == "train").all()
        assert not frozen.original[train].all()
        tested.append(test)
    assert len(tested) == 3
    assert sorted(np.concatenate(tested)) == np.flatnonzero(frozen.original & (frozen.split == "train")).tolist()
    held_out = frozen.held_out()
    assert held_out is not None
    assert (frozen.split[held_out[1]] == "test").all()
    assert not set(frozen.groups[held_out[0]]) & set(frozen.groups[held_out[1]])


def test_leaving_one_out_tests_every_original_once_and_holds_nobody_out(home: Home, study: Study) -> None:
    ran(home, study, cohort(4))
    table = freeze_examples(study, "whole", home)
    assert table.held_out() is None
    assert sorted(np.concatenate([test for _, test in table.rounds()])) == list(range(table.meta.examples))
    assert set(table.split) == {"fold_0", "fold_1", "fold_2", "fold_3"}
    assert table.meta.labels == ("shake", "wave")
    assert table.meta.channels[-1] == "orientation.w"
    assert table.signals.shape[1:] == (64, 7)


def test_the_facts_count_what_is_in_the_table(frozen: TrainingTable, study: Study, frozen_home: Home) -> None:
    meta = frozen.meta
    assert (meta.task, meta.study, meta.length, meta.rate_hz, meta.seed) == ("wrist.movement", "wrist", 40, 20, 7)
    assert (meta.participants, meta.recordings, meta.copies_dropped, meta.honest) == (8, 24, 0, True)
    assert meta.segments == frozen.original.sum() == Lake(frozen_home).read("segments", where={"task": "wrist.movement"}).num_rows
    assert meta.protocol.startswith("2 of 8 participants held out for the test; 3-fold cross-validation by participant")
    assert json.loads(meta.recipe)["labels"] == ["shake", "turn", "wave"]
    assert meta.fingerprint == training_fingerprint(study, "movement", frozen_home)


def test_freezing_again_changes_nothing(frozen: TrainingTable, study: Study, frozen_home: Home) -> None:
    versions = Lake(frozen_home).versions()
    again = freeze_examples(study, "movement", frozen_home)
    assert Lake(frozen_home).versions() == versions
    assert again.meta == frozen.meta
    assert np.array_equal(again.signals, frozen.signals)


def test_freezing_the_same_elsewhere_gives_the_same_content(frozen: TrainingTable, study: Study, tmp_path: Path) -> None:
    other = Home.at(tmp_path / "other")
    ran(other, study, cohort(8)[::-1])
    again = freeze_examples(study, "movement", other)
    assert again.meta.content_sha256 == frozen.meta.content_sha256
    assert again.meta.fingerprint == frozen.meta.fingerprint


def test_a_freeze_that_was_killed_before_its_last_row_is_done_again(
    frozen: TrainingTable, study: Study, copied_home: Home
) -> None:
    lake, where = Lake(copied_home), {"task": "wrist.movement", "fingerprint": frozen.meta.fingerprint}
    half = lake.read("examples", where=where).slice(0, 5)
    lake.replace("examples", half, where=where)
    lake.replace("training_tables", lake.read("training_tables").slice(0, 0), where=where)
    again = freeze_examples(study, "movement", copied_home)
    assert again.meta.content_sha256 == frozen.meta.content_sha256
    assert lake.read("examples", where=where).num_rows == frozen.meta.examples


def test_another_seed_augments_otherwise_and_leaves_the_originals(home: Home, study: Study, tmp_path: Path) -> None:
    ran(home, study, cohort(8))
    one, two = (
        freeze_examples(found, "movement", home) for found in (study, with_text(tmp_path / "other", "seed: 7", "seed: 8"))
    )
    first, second = (dict(zip(table.example_id, table.signals, strict=True)) for table in (one, two))
    shared = first.keys() & second.keys()
    assert any(name.endswith("noise_1") for name in shared)
    for name in shared:
        assert np.array_equal(first[name], second[name]) == name.endswith(".original")


def test_the_signals_lie_in_parquet_as_lists_of_constant_length(frozen: TrainingTable, frozen_home: Home) -> None:
    ((path, _),) = Lake(frozen_home).parquet_files("examples")
    lists = pq.ParquetFile(path).read(columns=["signal"])["signal"]
    assert set(pc.list_value_length(lists).to_pylist()) == {40 * 8}
    assert np.array_equal(np.array(lists[3].as_py(), np.float32).reshape(40, 8), frozen.signals[3])


def test_examples_that_are_not_those_that_were_frozen_are_refused(frozen: TrainingTable, copied_home: Home) -> None:
    lake, where = Lake(copied_home), {"task": "wrist.movement", "fingerprint": frozen.meta.fingerprint}
    rows = lake.read("examples", where=where)
    label = pa.array(["wave", *rows["label"].to_pylist()[1:]])
    assert rows["label"][0].as_py() != "wave"
    lake.replace("examples", rows.set_column(rows.schema.get_field_index("label"), "label", label), where=where)
    with pytest.raises(LakeError, match="not those that were frozen"):
        load_examples("wrist.movement", frozen.meta.fingerprint, copied_home)


def test_an_unknown_fingerprint_is_refused(home: Home) -> None:
    with pytest.raises(UnknownName, match=r"no training table of 'wrist\.movement'"):
        load_examples("wrist.movement", "0" * 32, home)


def test_resampled_rows_that_vanished_meanwhile_are_missed(home: Home, study: Study) -> None:
    ran(home, study, cohort(4))
    rows = Lake(home).read("resampled")
    Lake(home).replace("resampled", rows.filter(pc.field("step") != 3), where={"batch_id": "b1"})
    with pytest.raises(LakeError, match="lacks resampled rows"):
        freeze_examples(study, "movement", home)


# --- copies, honesty


def test_of_two_recordings_with_the_same_values_only_the_earliest_received_counts(home: Home, study: Study) -> None:
    people = cohort(4)
    streams = {name: (t_ns + 86_400 * 10**9, values) for name, (t_ns, values) in people[0].streams.items()}
    copy = Recorded("a-copy", "P9", people[0].label, {**moving(77), "accelerometer": streams["accelerometer"]})
    ran(home, study, [copy], "b2", received_after_s=60)
    ran(home, study, people, "b1")
    table = freeze_examples(study, "movement", home)
    assert table.meta.copies_dropped == 1
    assert "a-copy" not in table.recording_id
    assert people[0].recording_id in table.recording_id


def test_a_set_aside_recording_does_not_push_out_its_copy(home: Home, study: Study) -> None:
    people = cohort(4)
    ran(home, study, [replace(people[0], recording_id="first", accepted=False)], "b0")
    ran(home, study, people, "b1", received_after_s=60)
    table = freeze_examples(study, "movement", home)
    assert table.meta.copies_dropped == 0
    assert people[0].recording_id in table.recording_id


def test_labels_of_one_person_each_are_split_by_recording_and_called_dishonest(home: Home, study: Study) -> None:
    people = [
        Recorded(f"{label}{number}", f"P{index}", label, moving(index * 10 + number))
        for index, label in enumerate(("shake", "turn", "wave"))
        for number in range(4)
    ]
    ran(home, study, people)
    table = freeze_examples(study, "movement", home)
    assert not table.meta.honest
    assert "only P0 recorded 'shake'" in table.meta.statement
    assert np.array_equal(table.groups, table.recording_id)
    for name in np.unique(table.recording_id):
        assert len({*table.split[table.recording_id == name]}) == 1


# --- fixed length


def test_a_signal_of_the_right_length_is_left_as_it_is() -> None:
    signals = np.random.default_rng(0).normal(size=(3, 40, 2)).astype(np.float32)
    assert np.array_equal(resize(signals, 40), signals)


@pytest.mark.parametrize("length", [8, 33, 64, 100, 333])
def test_a_ramp_stays_a_ramp_at_any_length(length: int) -> None:
    ramp = np.linspace(-5, 20, 100, dtype=np.float32)[np.newaxis, :, np.newaxis]
    assert np.allclose(resize(ramp, length)[0, :, 0], np.linspace(-5, 20, length), atol=1e-4)


def test_shrinking_damps_what_the_new_clock_cannot_hold() -> None:
    fast = np.sin(2 * np.pi * 0.25 * np.arange(400, dtype=np.float32) + 0.3)[np.newaxis, :, np.newaxis]
    slow = np.sin(2 * np.pi * 0.01 * np.arange(400, dtype=np.float32))[np.newaxis, :, np.newaxis]
    assert np.abs(resize(fast, 100)[0, 2:-2]).max() < 0.15
    assert np.abs(resize(slow, 100)).max() > 0.98


# --- another target, another protocol beside


def enrolled(people: int = 4) -> list[Recorded]:
    """Two sets of two labels by everybody."""
    return [
        Recorded(
            f"r{person}{label}{number}", f"P{person}", label, moving(person * 10 + 3 * number + index), session=f"set{number}"
        )
        for person in range(people)
        for number in (1, 2)
        for index, label in enumerate(("shake", "wave"))
    ]


def test_a_task_can_learn_who_somebody_is_from_some_sessions_and_be_tested_on_another(home: Home, tmp_path: Path) -> None:
    text = STUDY.replace("    input:", "    target: participant\n    input:", 1)
    study = wrist_study(tmp_path, text.replace("{group: participant, test: 0.25, folds: 3}", "{group: session, test: [set2]}"))
    ran(home, study, enrolled())
    table = freeze_examples(study, "movement", home)
    assert table.meta.target == "participant"
    assert table.meta.labels == ("P0", "P1", "P2", "P3")
    assert np.array_equal(table.labels, table.participant)
    assert table.meta.honest
    assert set(zip(table.groups, table.split, strict=True)) == {("set1", "train"), ("set2", "test")}


def test_a_task_can_learn_who_does_what_at_once(home: Home, tmp_path: Path) -> None:
    text = STUDY.replace("    input:", "    target: participant_and_label\n    input:", 1)
    study = wrist_study(tmp_path, text.replace("{group: participant, test: 0.25, folds: 3}", "{group: session, test: [set2]}"))
    ran(home, study, enrolled(people=2))
    table = freeze_examples(study, "movement", home)
    assert table.meta.labels == ("P0 shake", "P0 wave", "P1 shake", "P1 wave")
    assert set(zip(table.participant, table.labels, strict=True)) == {(name[:2], name) for name in table.meta.labels}
    assert "who of them it is and what they do" in table.meta.statement
    assert table.meta.honest


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> TrainingTable:
    """A frozen table with the protocol of the authors beside the one that decides."""
    text = STUDY.replace("folds: 3}", "folds: 3}\n    authors_split: {group: segment, test: 0.2, folds: 4}")
    study, home = wrist_study(tmp_path_factory.mktemp("both"), text), Home.at(tmp_path_factory.mktemp("home"))
    ran(home, study, cohort(6))
    return freeze_examples(study, "movement", home)


def test_both_protocols_test_originals_only_and_every_copy_is_on_the_side_of_its_original(both: TrainingTable) -> None:
    assert both.authors is not None
    for sides in (both, both.authors):
        held_out = sides.held_out()
        assert held_out is not None
        taught, tested = held_out
        assert both.original[tested].all()
        assert not both.original[taught].all()
        assert not set(both.segment_id[taught]) & set(both.segment_id[tested])
        for train, test in sides.rounds():
            assert both.original[test].all()
            assert not set(both.segment_id[train]) & set(both.segment_id[test])


def test_the_authors_protocol_leaves_the_one_that_decides_as_it_would_be_alone(
    both: TrainingTable, tmp_path: Path, home: Home
) -> None:
    study = wrist_study(tmp_path)
    ran(home, study, cohort(6))
    alone = freeze_examples(study, "movement", home)
    assert alone.authors is None
    assert (alone.meta.protocol, alone.meta.honest, alone.meta.authors_protocol) == (both.meta.protocol, True, None)
    own = dict(zip(alone.example_id, alone.split, strict=True))
    assert own.items() <= dict(zip(both.example_id, both.split, strict=True)).items()


def test_the_authors_protocol_says_what_it_is_worth(both: TrainingTable) -> None:
    assert both.meta.authors_protocol is not None
    assert "segments held out for the test" in both.meta.authors_protocol
    assert "taught and tested" in str(both.meta.authors_statement)
    assert both.authors is not None
    shared = set(both.recording_id[both.authors.split == "train"]) & set(both.recording_id[both.authors.split == "test"])
    assert shared


def test_another_session_is_another_fingerprint(home: Home, study: Study) -> None:
    ran(home, study, enrolled())
    before = training_fingerprint(study, "movement", home)
    first, *others = enrolled()
    ran(home, study, [replace(first, session="set9"), *others])
    assert training_fingerprint(study, "movement", home) != before
