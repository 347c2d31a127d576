"""Arrays on disk behave like arrays in memory, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import spool


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    monkeypatch.setattr(spool, "BLOCK_ROWS", 7)


def spooled(array: np.ndarray, folder: Path) -> np.ndarray:
    growing = spool.Growing(array.dtype, array.shape[1] if array.ndim == 2 else None, folder=folder)
    for part in spool.blocks(len(array)):
        growing.add(array[part])
    return growing.array()


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 5), st.sampled_from([None, 1, 3]))
def test_what_was_spooled_reads_back_and_scales_and_maps_like_in_memory(tmp_path_factory, rows, seed, axes):
    folder = tmp_path_factory.mktemp("scratch")
    array = np.random.default_rng(seed).normal(size=(rows, axes) if axes else rows).astype(np.float32)
    long = spooled(array, folder)
    np.testing.assert_array_equal(long, array)
    np.testing.assert_array_equal(spool.mapped(np.add, long, array), array + array)
    np.testing.assert_array_equal(spool.scaled(long, 3.0), array * np.float32(3))
    np.testing.assert_array_equal(long, array * np.float32(3))
    assert list(folder.iterdir()) == []


def test_a_result_lies_where_its_first_input_lies(tmp_path):
    long, short = spooled(np.arange(20.0), tmp_path), np.arange(20.0)
    assert spool.spooled_like(spool.mapped(np.add, long, short)) == tmp_path
    assert spool.spooled_like(spool.mapped(np.add, short, long)) is None
    assert spool.mapped(lambda block: block[block > 10], long).tolist() == list(range(11, 20))


def test_values_that_were_let_go_are_still_there(tmp_path):
    long = spooled(np.arange(3000.0), tmp_path)
    long += 1
    spool.let_go(long)
    np.testing.assert_array_equal(long, np.arange(1.0, 3001.0))


def test_a_killed_process_leaves_no_file_behind(tmp_path):
    code = (
        "import sys, time, numpy as np; from pathlib import Path; from ingestion.spool import Growing\n"
        "growing = Growing(np.int64, folder=Path(sys.argv[1])); growing.add(np.arange(1000))\n"
        "array = growing.array(); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.kill(process.pid, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []
