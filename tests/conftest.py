"""What every test shares: where the real recordings lie, and a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ingestion.video.environment import pose_python
from warehouse.errors import UnreadableFile
from warehouse.home import Home

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `real` or `pose` where the recordings or the pose environment are not there, and say so."""
    absent = {} if REAL.is_dir() else {"real": f"real recordings are not at {REAL}"}
    try:
        pose_python()
    except UnreadableFile as reason:
        absent["pose"] = str(reason)
    for item in items:
        for marker in filter(item.get_closest_marker, absent):
            item.add_marker(pytest.mark.skip(reason=absent[marker]))


@pytest.fixture
def real() -> Path:
    """The folder of real recordings."""
    return REAL


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home.at(tmp_path / "home")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an S3 server on this machine."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of that server with one empty bucket, ``clinics``; the AWS variables name the server."""
    import boto3
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    settings = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    for name, value in {**settings, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].reset()
    client = boto3.session.Session().client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="clinics")
    return client
