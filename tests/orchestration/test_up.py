"""`kinelake up`: a batch dropped into the landing folder becomes a registered model version with nobody touching anything."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ml.registry import Registry
from orchestration.servers import _the_only_one, serve
from tests.orchestration.conftest import simulated
from warehouse.errors import KinelakeError
from warehouse.home import Home
from warehouse.query import query

_TASK = "quick_exercises.exercise_class"
_PATIENCE_S = 240


@pytest.fixture
def up(home: Home) -> Iterator[int]:
    """The servers of a home; gives the webserver's port."""
    port, mlflow_port = _free_port(), _free_port()
    kinelake = str(Path(sys.executable).with_name("kinelake"))
    command = [kinelake, "--home", str(home.root), "up", "--port", str(port), "--mlflow-port", str(mlflow_port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.mark.slow
def test_a_dropped_batch_becomes_a_registered_model_and_a_published_warehouse(up: int, home: Home, tmp_path: Path) -> None:
    site = home.landing / "north" / "quick_exercises"
    site.mkdir(parents=True)
    shutil.copytree(simulated(tmp_path / "delivery"), site / "monday.part")
    (site / "monday.part").rename(site / "monday")
    champion = _wait(lambda: Registry(home).champion(_TASK))
    assert champion is not None
    assert (site / "monday.receipt.json").exists()
    assert not (site / "monday").exists()
    published = _wait(lambda: home.warehouse.exists() and query(home, "SELECT version FROM models").to_pylist())
    assert published == [{"version": champion.version}]
    assert _server_info(up)["dagster_webserver_version"]


def test_the_servers_stop_when_interrupted_and_leave_nothing_running(home: Home) -> None:
    command = [str(Path(sys.executable).with_name("kinelake")), "--home", str(home.root), "up"]
    command += ["--port", str(_free_port()), "--mlflow-port", str(_free_port())]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = [process.stderr.readline() for _ in range(4)]
    children = [int(line.split("process ")[1].split(")")[0]) for line in said[1:]]
    assert len(children) == 3
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_a_home_is_served_once(home: Home) -> None:
    with _the_only_one(home), pytest.raises(KinelakeError, match="already_up"):
        serve(home, port=_free_port(), mlflow_port=_free_port(), progress=str)


def test_a_port_that_is_taken_is_named_and_nothing_is_started(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for refused, said in ((port, "in use"), (70_000, "65535")):
            with pytest.raises(KinelakeError, match=f"port_in_use.*{refused}.*{said}"):
                serve(home, port=refused, mlflow_port=_free_port(), progress=str)
    assert not (home.dagster / "logs").exists()


def _wait(look: Callable[[], object]) -> object:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(1)
    raise AssertionError(f"nothing after {_PATIENCE_S} s")


def _server_info(port: int) -> dict[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=30) as answer:
        return dict(json.load(answer))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
