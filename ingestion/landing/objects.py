"""Objects of one S3 bucket, as the landing zone needs them: listed in pages, streamed, put, copied, deleted.

Belongs here: every call to boto3, and every failure of it as a `KinelakeError` that says what, where and what to do. Endpoint,
region and credentials are the AWS variables' and files' that boto3 knows. What keys mean is in `ingestion.landing.bucket`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import IO, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, NoCredentialsError, PartialCredentialsError

from ingestion.source import CHUNK_BYTES, changed
from warehouse.errors import DeliveryRefused, KinelakeError, Reason

#: Times that a download is taken up again at the same byte before it is given up.
MOST_RESUMED = 3

_DELETED_AT_ONCE = 1000  # the most that S3 takes
_COPIED_AT_ONCE = 5 << 30  # the most that S3 copies in one request
_PATIENCE = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 3})
_NO_ACCESS = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "403"})
_NOT_THERE = frozenset({"NoSuchKey", "404"})
_OTHERWISE = {**dict.fromkeys(_NOT_THERE, "vanished"), "PreconditionFailed": "changed", "412": "changed"}


@dataclass(frozen=True)
class Stored:
    """An object as listed, with the server's times: it changed if size, hash or time of modification did."""

    key: str
    bytes: int
    etag: str
    modified: datetime
    listed_at: datetime


class Bucket:
    """One bucket, equal to any other of its name. Threads may use it at the same time.

    Parameters
    ----------
    name : str

    Raises
    ------
    KinelakeError
        From every method: ``landing_no_access``, ``landing_bucket_missing`` or ``landing_unreachable``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        with self._failing_in_words(""):
            settings = frozenset(item for item in os.environ.items() if item[0].startswith("AWS_"))
            self._client = _client(os.getpid(), settings)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bucket) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def listed(self, prefix: str) -> Iterator[Stored]:
        """Give every object whose key begins so, sorted by key; a request per 1,000."""
        with self._failing_in_words(prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                date = page["ResponseMetadata"]["HTTPHeaders"].get("date")
                now = parsedate_to_datetime(date) if date else datetime.now(UTC)
                for found in page.get("Contents", ()):
                    yield Stored(found["Key"], found["Size"], found["ETag"], found["LastModified"], now)

    @contextmanager
    def opened(self, listed: Stored, place: str) -> Iterator[IO[bytes]]:
        """Stream an object from its start, as it was listed and not otherwise.

        Raises
        ------
        DeliveryRefused
            ``source_changed`` if it is another one by now, or gone; `place` is how the message names it.
        """
        with io.BufferedReader(_Stream(self, listed, place), CHUNK_BYTES) as stream:
            yield stream

    def text(self, key: str) -> str | None:
        """Return a small object as text; None if it is not there."""
        with self._failing_in_words(key):
            try:
                return str(self._client.get_object(Bucket=self.name, Key=key)["Body"].read().decode("utf-8", "replace"))
            except ClientError as error:
                if _code(error) in _NOT_THERE:
                    return None
                raise

    def put(self, key: str, text: str) -> None:
        """Write a text; it is there as a whole once the call returns."""
        with self._failing_in_words(key):
            self._client.put_object(Bucket=self.name, Key=key, Body=text.encode("utf-8", "replace"))

    def copy(self, listed: Stored, key: str) -> None:
        """Copy an object inside the bucket, unless it changed since it was listed."""
        source = {"Bucket": self.name, "Key": listed.key}
        with self._failing_in_words(listed.key):
            if listed.bytes <= _COPIED_AT_ONCE:
                self._client.copy_object(Bucket=self.name, Key=key, CopySource=source, CopySourceIfMatch=listed.etag)
            else:
                self._client.copy(source, self.name, key)

    def delete(self, objects: Sequence[Stored]) -> None:
        """Delete objects as they were listed, if the store can tell (AWS can); what is gone already is no error."""
        for start in range(0, len(objects), _DELETED_AT_ONCE):
            some = objects[start : start + _DELETED_AT_ONCE]
            doomed = [{"Key": one.key, "ETag": one.etag} for one in some]
            with self._failing_in_words(some[0].key):
                answer = self._client.delete_objects(Bucket=self.name, Delete={"Objects": doomed, "Quiet": True})
            self._refuse_undeleted(answer.get("Errors", ()))

    def _refuse_undeleted(self, errors: Sequence[dict[str, str]]) -> None:
        kept = [error for error in errors if error.get("Code") not in _OTHERWISE]
        if kept:
            sentence = f"{len(kept)} objects cannot be deleted ({kept[0].get('Code')}: {kept[0].get('Message')})"
            remedy = "allow s3:DeleteObject; the next look goes on from here"
            raise KinelakeError(Reason("landing_no_access", sentence, self.place(kept[0].get("Key", "")), remedy))

    def place(self, key: str) -> str:
        """Return how messages name a key."""
        return f"s3://{self.name}/{key}"

    def key(self, place: str) -> str:
        """Return the key that `place` named."""
        return place.removeprefix(f"s3://{self.name}/")

    def part(self, listed: Stored, start: int) -> Any:
        """Return the body of an object from a byte on; fails with the client's own errors."""
        rest = {"Range": f"bytes={start}-"} if start else {}
        return self._client.get_object(Bucket=self.name, Key=listed.key, IfMatch=listed.etag, **rest)["Body"]

    @contextmanager
    def _failing_in_words(self, key: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise self.failure(error, key) from error

    def failure(self, error: BotoCoreError | ClientError, key: str) -> KinelakeError:
        """Say what went wrong, where, and what to do."""
        code, place = _code(error), self.place(key)
        if code in _NO_ACCESS or isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
            remedy = (
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) to an account that may read and write there"
            )
            return KinelakeError(Reason("landing_no_access", f"the landing zone does not let us in: {error}", place, remedy))
        if code == "NoSuchBucket":
            sentence, remedy = f"there is no bucket '{self.name}'", "make it, or correct KINELAKE_LANDING and AWS_ENDPOINT_URL"
            return KinelakeError(Reason("landing_bucket_missing", sentence, place, remedy))
        remedy = "check AWS_ENDPOINT_URL, AWS_REGION and the network; the next look tries again"
        return KinelakeError(Reason("landing_unreachable", f"the landing zone cannot be used: {error}", place, remedy))


@lru_cache(maxsize=1)
def _client(_process: int, _settings: frozenset[tuple[str, str]]) -> Any:
    """Make a client, which is slow, once; never the one of the process that this one was forked from: it has its connections."""
    return boto3.session.Session().client("s3", config=_PATIENCE)


class _Stream(io.RawIOBase):
    """The bytes of one object; where the connection breaks it goes on from there."""

    def __init__(self, bucket: Bucket, listed: Stored, place: str) -> None:
        self._bucket, self._listed, self._place = bucket, listed, place
        self._at, self._broken = 0, 0
        self._body: Any = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if self._at == self._listed.bytes:
            return 0
        chunk = self._next(len(view))
        view[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
        super().close()

    def _next(self, most: int) -> bytes:
        while True:
            try:
                self._body = self._body or self._bucket.part(self._listed, self._at)
                chunk = bytes(self._body.read(most))
            except ClientError as error:
                if _code(error) in _OTHERWISE:
                    raise DeliveryRefused(changed(self._place, _OTHERWISE[_code(error)])) from error
                raise self._bucket.failure(error, self._listed.key) from error
            except BotoCoreError as error:
                self._body, self._broken = None, self._broken + 1
                if self._broken > MOST_RESUMED:
                    raise self._bucket.failure(error, self._listed.key) from error
                continue
            if not chunk:
                raise DeliveryRefused(changed(self._place, "ended early"))
            self._broken = 0
            return chunk


def _code(error: BotoCoreError | ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
