"""`kinelake up`: Dagster's webserver and daemon and the MLflow UI, on loopback, until interrupted."""

from __future__ import annotations

import fcntl
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
        ``already_up`` if another process serves this home, ``port_in_use`` if a port is taken. ``server_ended`` if a server
        ends by itself; the others are stopped, its log is named.
    """
    prepare_environment(home)
    with _the_only_one(home):
        for option, number in (("--port", port), ("--mlflow-port", mlflow_port)):
            _check_free(option, number)
        _serve(home, servers(home, port=port, mlflow_port=mlflow_port), progress)


@contextmanager
def _the_only_one(home: Home) -> Iterator[None]:
    """Hold the home: of two daemons each would ask for everything that is to be done."""
    with (home.dagster / "up.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "use its pages, or interrupt it first; another home is named with --home"
            sentence = "another 'kinelake up' serves this home already"
            raise KinelakeError(Reason("already_up", sentence, str(home.root), remedy)) from None
        yield


def _check_free(option: str, port: int) -> None:
    """Refuse a port that is taken: Dagster would quietly take the next one, and the address that is told would be wrong."""
    with socket.socket() as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind((_LOOPBACK, port))
        except (OSError, OverflowError) as error:
            sentence = f"port {port} cannot be listened on: {getattr(error, 'strerror', None) or 'it is not between 0 and 65535'}"
            raise KinelakeError(Reason("port_in_use", sentence, option, f"choose another with {option}")) from error


def _serve(home: Home, planned: Sequence[Server], progress: Callable[[str], None]) -> None:
    # Made here, under their locks: servers that make a database at once would break each other's tables.
    MlflowStore(home.registry).prepare()
    with open_instance(home):
        pass
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
        remedy = f"read {logs / (ended.name + '.log')}"
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
