"""Pickles: a folder of tables is converted once by a child that runs nothing; everything hostile is refused and does nothing."""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from ingestion.pickles import conversion
from ingestion.pickles.conversion import convert_pickles, read_pickle
from ingestion.readers import NO_HINTS, known_by_content
from tests.ingestion.device_files import device_file
from warehouse.errors import DeliveryRefused, UnreadableFile


class _Calls:
    """Pickles into a call of a function, as attacks do."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@dataclass(frozen=True)
class _Global:
    """A name in a pickle, whether or not it can be imported here."""

    path: str

    def __call__(self) -> None:
        """Only so that pickle takes it for something to be called."""


@dataclass(frozen=True)
class _Made:
    """An object that a pickle makes by calling a name and giving the result a state."""

    maker: str
    arguments: tuple[Any, ...] = ()
    state: Any = None

    def __reduce__(self) -> Any:
        return (_Global(self.maker), self.arguments, self.state)


class _Pickler(pickle._Pickler):
    """Writes names as they are, as other versions of pandas and numpy wrote them."""

    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Pickler.dispatch)

    def save_name(self, named: _Global) -> None:
        module, _, name = named.path.partition(":")
        self.save(module)
        self.save(name)
        self.write(pickle.STACK_GLOBAL)

    dispatch[_Global] = save_name


def _pickled(value: Any) -> bytes:
    written = io.BytesIO()
    _Pickler(written, protocol=4).dump(value)
    return written.getvalue()


def _array(shape: tuple[int, ...], dtype: str, order: str, content: Any) -> _Made:
    """An array as numpy pickles it: reconstructed empty, then given its state."""
    kind = _Made("numpy:dtype", (dtype, 0, 1), (3, order, None, None, None, -1, -1, 0))
    start = (_Global("numpy:ndarray"), (0,), b"b")
    return _Made("numpy.core.multiarray:_reconstruct", start, (1, shape, kind, False, content))


def _frame(texts: list[Any], numbers: np.ndarray[Any, Any], names: list[str]) -> bytes:
    """A table as pandas 0.23 pickles it: texts in the first column, numbers in the others."""
    index = (_Global("pandas.core.indexes.base:Index"), {"data": _array((len(names),), "O8", "|", names), "name": None})
    blocks = [
        {"values": _array((1, numbers.shape[1]), "O8", "|", texts), "mgr_locs": slice(0, 1, 1)},
        {"values": _array(numbers.shape, "f8", "<", numbers.tobytes()), "mgr_locs": slice(1, len(names), 1)},
    ]
    layout = {"axes": [_Made("pandas.core.indexes.base:_new_Index", index)], "blocks": blocks}
    manager = _Made("pandas.core.internals:BlockManager", (), ([], [], [], {"0.14.1": layout}))
    return _pickled(_Made("pandas.core.frame:DataFrame", (), {"_data": manager, "_typ": "dataframe"}))


_NUMBERS = np.array([[0.1, -9.80665, 1e-7], [3.0, 2.0**-40, -20.0]])


def _sound() -> bytes:
    return _frame(["squat", "squat", None], _NUMBERS, ["activity", "acc-x", "acc-y"])


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_a_pickled_table_becomes_a_file_with_the_same_names_texts_and_exact_numbers(tmp_path: Path, to: Any) -> None:
    source = tmp_path / "in" / "set 1" / "one.pckl"
    source.parent.mkdir(parents=True)
    source.write_bytes(_sound())
    done = convert_pickles(tmp_path / "in", tmp_path / "out", to=to)
    assert [(one.source, one.rows) for one in done.converted] == [("set 1/one.pckl", 3)]
    written = tmp_path / "out" / "set 1" / f"one.{to}"
    table = pa_csv.read_csv(written) if to == "csv" else pq.read_table(written)
    assert table.column_names == ["activity", "acc-x", "acc-y"]
    assert table["acc-x"].to_pylist() == _NUMBERS[0].tolist()
    assert table["acc-y"].to_pylist() == _NUMBERS[1].tolist()
    assert table["activity"].to_pylist()[:2] == ["squat", "squat"]


def test_converting_twice_gives_the_same_bytes_and_leaves_nothing_unfinished(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(_sound())
    outs = []
    for _ in range(2):
        convert_pickles(tmp_path, tmp_path / "out")
        outs.append({path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()})
    assert outs[0] == outs[1]
    assert list(outs[0]) == ["a.csv"]


def test_two_pickles_that_differ_in_their_suffix_only_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for name in ("a.pkl", "a.pickle"):
        (tmp_path / name).write_bytes(_sound())
    convert_pickles(tmp_path, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.pickle.csv", "a.pkl.csv"]


def test_a_folder_without_pickles_is_refused_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefused) as refused:
        convert_pickles(tmp_path, tmp_path / "out")
    assert refused.value.reasons[0].code == "no_pickles"


def _hostile(marker: Path) -> dict[str, tuple[bytes, str, str]]:
    import os

    command = f"touch {marker}"
    inside = _sound()[:-1] + b"0" + pickle.dumps(_Calls(os.system, command), protocol=4)[2:]
    return {
        "a command": (pickle.dumps(_Calls(os.system, command)), "pickle_names_global", "posix.system"),
        "an expression": (
            pickle.dumps(_Calls(eval, f"open({str(marker)!r}, 'w')")),
            "pickle_names_global",
            "builtins.eval",
        ),
        "a command in an old protocol": (
            pickle.dumps(_Calls(os.system, command), protocol=0),
            "pickle_names_global",
            "posix.system",
        ),
        "a command after a sound table": (inside, "pickle_names_global", "posix.system"),
        "a command nested in a list of lists": (
            pickle.dumps([[_Calls(os.system, command)]]),
            "pickle_names_global",
            "posix.system",
        ),
        "a name hidden behind dots": (
            _pickled(_Global("numpy:ndarray.__class__.__base__")),
            "pickle_names_global",
            "numpy.ndarray.__class__",
        ),
        "getattr on what is allowed": (
            _pickled(_Made("builtins:getattr", (_Global("numpy:ndarray"), "__subclasses__"))),
            "pickle_names_global",
            "builtins.getattr",
        ),
        "a name of the extension registry": (b"\x80\x04\x82\x01.", "pickle_broken", ""),
        "cut off": (_sound()[:200], "pickle_broken", ""),
        "nothing": (b"", "pickle_broken", ""),
        "no table": (pickle.dumps({"a": [1, 2, 3]}), "pickle_not_a_table", ""),
        "another table's shape": (
            _frame(["squat"], np.zeros((3, 3)), ["activity", "a", "b"]),
            "pickle_not_a_table",
            "",
        ),
        # The memo would take 16 GiB: the limit of the child's memory ends it.
        "a claim of a huge memo": (b"\x80\x04Nr" + struct.pack("<I", 2**31 - 1) + b".", "pickle_broken", "MemoryError"),
        "a claim of huge bytes": (b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.", "pickle_broken", ""),
        "nested beyond any depth": (b"\x80\x04" + b"(" * 300_000 + b"t" * 300_000 + b".", "pickle_", ""),
    }


@pytest.mark.parametrize("case", list(_hostile(Path("x"))))
def test_a_hostile_pickle_is_refused_by_name_and_nothing_in_it_ever_runs(tmp_path: Path, case: str) -> None:
    marker = tmp_path / "ran"
    content, code, named = _hostile(marker)[case]
    path = tmp_path / "bad.pkl"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as refused:
        read_pickle(path, name="set/bad.pkl")
    reason = refused.value.reasons[0]
    assert reason.code.startswith(code)
    assert named in reason.sentence
    assert reason.place == "set/bad.pkl"
    assert not marker.exists()


def test_a_hostile_pickle_costs_itself_and_not_its_folder(tmp_path: Path) -> None:
    (tmp_path / "good.pkl").write_bytes(_sound())
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(_Calls(eval, "1")))
    done = convert_pickles(tmp_path, tmp_path / "out")
    assert [one.source for one in done.converted] == ["good.pkl"]
    assert [(reason.code, reason.place) for reason in done.refused] == [("pickle_names_global", "bad.pkl")]


def test_a_file_that_is_too_large_is_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "MOST_BYTES", 10)
    (tmp_path / "a.pkl").write_bytes(_sound())
    with pytest.raises(UnreadableFile) as refused:
        read_pickle(tmp_path / "a.pkl", name="a.pkl")
    assert refused.value.reasons[0].code == "pickle_too_large"


@pytest.mark.parametrize("content", [pickle.dumps({"a": 1}, protocol=4), pickle.dumps({"a": 1}, protocol=0), b""])
def test_the_pipeline_knows_a_pickle_and_refuses_it_with_the_command_to_use(content: bytes) -> None:
    file = device_file("sets/one.pckl", content)
    reader = known_by_content(file)
    assert reader is not None
    findings = reader.read([file], NO_HINTS).findings
    assert [(found.reason.code, found.severity) for found in findings] == [("pickle_refused", "error")]
    assert "kinelake convert-pickles" in findings[0].reason.remedy


def test_a_pickle_under_another_name_is_known_by_its_content() -> None:
    reader = known_by_content(device_file("walk.csv", pickle.dumps(list(range(100)), protocol=4)))
    assert reader is not None
    assert reader.name == "pickle"


@pytest.mark.real
def test_the_real_pickles_convert_to_the_very_numbers_that_were_published_as_csv(real: Path, tmp_path: Path) -> None:
    folder = real / "fitness_ble"
    expected = pa_csv.read_csv(folder / "all_recordings.csv").to_pandas()
    done = convert_pickles(folder / "original" / "data_collected" / "7", tmp_path)
    assert len(done.converted) == 7
    for one in done.converted:
        table = pa_csv.read_csv(one.target).to_pandas()
        wanted = expected[expected["source_file"] == f"data_collected/7/{one.source}"]
        assert len(wanted) == one.rows == 80
        axes = [name for name in table.columns if name != "activity"]
        assert (table[axes].to_numpy() == wanted[axes].to_numpy()).all()
        assert (table["activity"].to_numpy() == wanted["activity"].to_numpy()).all()
