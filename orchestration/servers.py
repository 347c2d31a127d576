"""`kinelake up`: Dagster's webserver and daemon and the MLflow UI, on loopback, until interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml.mlflow_store import MlflowStore
from orchestration.environment import prepare_environment
from orchestration.instance import open_instance
from warehouse.errors import KinelakeError, Reason
from warehouse.home import Home

_LOOPBACK = "127.0.0.1"
_MODULE = "orchestration.definitions"


@dataclass(frozen=True)
class Server:
    """One child process: what it is called, what it runs, and where a person finds it."""

    name: str
    command: tuple[str, ...]
    address: str = ""


def servers(home: Home, *, port: int, mlflow_port: int) -> tuple[Server, ...]:
    """The three servers of an installation; every one listens on loopback only."""
    store = f"sqlite:///{home.registry / 'mlflow.db'}"
    return (
        Server(
            "webserver",
            (_script("dagster-webserver"), "-h", _LOOPBACK, "-p", str(port), "-m", _MODULE, "--log-level", "warning"),
            f"http://{_LOOPBACK}:{port}",
        ),
        Server("daemon", (_script("dagster-daemon"), "run", "-m", _MODULE, "--log-level", "warning")),
        Server(
            "mlflow",
            (
                *(_script("mlflow"), "ui", "--host", _LOOPBACK, "--port", str(mlflow_port), "--workers", "1"),
                *("--backend-store-uri", store, "--default-artifact-root", (home.registry / "runs").as_uri()),
            ),
            f"http://{_LOOPBACK}:{mlflow_port}",
        ),
    )


def serve(home: Home, *, port: int, mlflow_port: int, progress: Callable[[str], None]) -> None:
    """Start the servers and wait; stop all of them on SIGINT or SIGTERM, or when one of them ends.

    Raises
    ------
    KinelakeError
        If a server ends by itself; the others are stopped, its log is named.
    """
    prepare_environment(home)
    # Made here, under their locks: servers that make a database at once would break each other's tables.
    MlflowStore(home.registry).prepare()
    with open_instance(home):
        pass
    planned = servers(home, port=port, mlflow_port=mlflow_port)
    logs = home.dagster / "logs"
    logs.mkdir(exist_ok=True)
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    running = [(server, _start(server, logs)) for server in planned]
    try:
        for server, process in running:
            progress(f"{server.name} (process {process.pid}) {server.address}".rstrip())
        ended = _wait(running, stopping)
    finally:
        _stop([process for _, process in running])
    if ended is not None:
        remedy = f"read {logs / (ended.name + '.log')}; is its port in use? choose others with --port and --mlflow-port"
        raise KinelakeError(Reason("server_ended", f"the {ended.name} ended by itself", remedy=remedy))


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _start(server: Server, logs: Path) -> subprocess.Popen[bytes]:
    with (logs / f"{server.name}.log").open("ab") as log:
        return subprocess.Popen(server.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)


def _wait(running: Sequence[tuple[Server, subprocess.Popen[bytes]]], stopping: list[int]) -> Server | None:
    while not stopping:
        for server, process in running:
            if process.poll() is not None:
                return server
        time.sleep(0.3)
    return None


def _stop(processes: Sequence[subprocess.Popen[bytes]], patience_s: float = 20.0) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + patience_s
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
