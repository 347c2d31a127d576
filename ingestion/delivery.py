"""Taking a delivery in: checked whole, its bytes into the vault, then the receipt.

Belongs here: what makes a delivery a batch. Listing and opening what was sent is `ingestion.source`'s, the manifest's
rows are `ingestion.manifest`'s, and how bytes are kept safe is `ingestion.vault`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from ingestion.bundles import SEPARATOR, unbundled
from ingestion.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest, Row, read_manifest
from ingestion.readers import Hints
from ingestion.receipt import DeliveredFile, Receipt, content_sha256
from ingestion.source import Source, normal_path, open_source
from ingestion.vault import BATCH_ID, WRITERS, StoredFile, Vault, hash_of
from studies.study import Study
from warehouse.errors import DeliveryRefused, KinelakeError, Reason
from warehouse.home import Home

#: A site names folders and is part of batch ids; without dots, so that an id tells where the site ends.
SITE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def deliver(
    source: Path, *, study: Study, site: str, home: Home, batch_id: str | None = None, manifest: Path | None = None
) -> Receipt:
    """Take a folder or zip in as one batch.

    The receipt exists only once every byte that the manifest names is in the vault: hashed, fsynced and read back.
    The same content of the same study is one batch: delivering it again, under any name, at once or later, returns
    the receipt that is there, and mends the vault where a file of it was damaged.

    Parameters
    ----------
    source : Path
        Folder or zip. The manifest lies at its root, or at the root of the one folder that holds everything. A zip of device
        files in a folder counts as the files in it (`ingestion.bundles`).
    study : Study
    site : str
        Who delivers: ``a-z 0-9 _ -``.
    home : Home
    batch_id : str, optional
        ``a-z 0-9 . _ -``, capitals are lowered; default ``<study>-<first 12 digits of the content's hash>``.
    manifest : Path, optional
        A manifest that does not lie in the delivery; its paths are as seen from the delivery's root.

    Returns
    -------
    Receipt

    Raises
    ------
    DeliveryRefused
        With every reason found; then there is no batch.
    KinelakeError
        If the vault cannot be written.

    Examples
    --------
    ``deliver(Path("visit1.zip"), study=find_study("barbell"), site="clinic_a", home=Home.at())``
    """
    with open_source(source) as sent, unbundled(sent, Hints(study.formats)) as whole:
        return take_in(whole, study=study, site=site, home=home, batch_id=batch_id, manifest=manifest)


def take_in(
    whole: Source, *, study: Study, site: str, home: Home, batch_id: str | None = None, manifest: Path | None = None
) -> Receipt:
    """Take an open source in as one batch, wherever it lies; all else is as in `deliver`."""
    _check_names(site, batch_id)
    vault = Vault(home)
    vault.sweep()
    sent, listed = _with_manifest(whole, manifest)
    files = _hashed(sent, listed)
    content = content_sha256(files)
    receipt = Receipt(
        batch_id=batch_id.lower() if batch_id else f"{study.study}-{content[:12]}",
        study=study.study,
        site=site,
        received_at=datetime.now(UTC),
        content_sha256=content,
        files=files,
        unlisted=unlisted(sent, files),
    )
    earlier = vault.known(receipt)  # refuses an id that is taken before a byte is written
    # What was erased from a batch does not come back with the same delivery.
    _store(sent, earlier.files if earlier else files, vault)
    return vault.register(replace(receipt, received_at=datetime.now(UTC)))


def unlisted(sent: Source, files: Iterable[DeliveredFile]) -> tuple[str, ...]:
    """Return the paths that came along and are neither delivered files nor the manifest, sorted."""
    named = {file.path for file in files}
    return tuple(sorted(path for path in sent.files if path not in named and path != manifest_path(sent)))


def left_over(whole: Source) -> tuple[str, ...]:
    """Return the paths of a sound delivery that its own manifest does not name, as `whole` has them, sorted.

    A bundle is among them where one of its members is.
    """
    sent, listed = _with_manifest(whole, None)
    above = "" if sent is whole else f"{whole.top}/"
    known = {normal_path(row.path) for row in listed.rows} | {manifest_path(sent)}
    left = [above + path for path in sent.files if path not in known]
    return tuple(sorted({*left, *(path.partition(SEPARATOR)[0] for path in left)}))


def manifest_path(sent: Source) -> str | None:
    """Return the path of the manifest at the root of a delivery, capitals or not; None if there is none."""
    return next((path for path in sent.files if path.casefold() == MANIFEST_NAME), None)


def rooted(whole: Source) -> Source:
    """Return the delivery as seen from its manifest: its root, or the one folder that holds everything."""
    top = whole.top
    inside = whole.below(top) if top and not manifest_path(whole) else whole
    return inside if manifest_path(inside) else whole


def _check_names(site: str, batch_id: str | None) -> None:
    faults = []
    if not SITE.fullmatch(site):
        sentence = f"site {site[:80]!r} is not allowed: a-z, 0-9, '_' and '-', first a letter or digit, at most 63"
        faults.append(Reason("site_invalid", sentence, "site", "it names folders: choose one short name and keep it"))
    if batch_id is not None and not BATCH_ID.fullmatch(batch_id.lower()):
        sentence = f"batch id {batch_id[:150]!r} is not allowed: a-z, 0-9, '.', '_' and '-', first a letter or digit, at most 128"
        faults.append(Reason("batch_id_invalid", sentence, "batch_id", "choose another, or none: one is made from the content"))
    if faults:
        raise DeliveryRefused(*faults)


def _with_manifest(whole: Source, given: Path | None) -> tuple[Source, Manifest]:
    if given is None:
        sent = rooted(whole)
        path = manifest_path(sent)
        if path is None:
            raise DeliveryRefused(_manifest_missing(whole))
        return sent, read_manifest(_start_of(sent.chunks(path)), name=sent.place(path), present=sent.files)
    try:
        with given.open("rb") as handle:
            content = handle.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        sentence = f"the manifest cannot be read: {error.strerror}"
        raise DeliveryRefused(Reason("manifest_missing", sentence, str(given), "`kinelake manifest DIR` drafts one")) from error
    views = [whole, *([whole.below(whole.top)] if whole.top else [])]
    read = [(view, read_manifest(content, name=given.name, present=view.files)) for view in views]
    return min(read, key=lambda found: len(found[1].faults))


def _start_of(chunks: Iterable[bytes]) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > MAX_MANIFEST_BYTES:
            break  # refused as too long by whoever reads it
    return bytes(content)


def _manifest_missing(whole: Source) -> Reason:
    deeper = sorted(path for path in whole.files if path.casefold().endswith(f"/{MANIFEST_NAME}"))
    there = f"; there is one at {deeper[0]}, which is not its root" if deeper else ""
    sentence = f"no {MANIFEST_NAME} at the root of the delivery{there}"
    remedy = f"`kinelake manifest {whole.where}` drafts one to check and send along"
    return Reason("manifest_missing", sentence, whole.place(MANIFEST_NAME), remedy)


def _hashed(sent: Source, manifest: Manifest) -> tuple[DeliveredFile, ...]:
    found = _each(lambda row: StoredFile(*hash_of(sent.chunks(normal_path(row.path)))), manifest.rows)
    _raise_what_is_no_refusal(found)
    faults = list(manifest.faults)
    files = []
    for row, result in zip(manifest.rows, found, strict=True):
        if isinstance(result, StoredFile) and row.sha256 in (None, result.sha256):
            files.append(_delivered(row, result))
        else:
            faults += result.reasons if isinstance(result, KinelakeError) else [_wrong_hash(manifest, row, result.sha256)]
    if faults:
        raise DeliveryRefused(*faults)
    return tuple(sorted(files, key=lambda file: file.path))


def _delivered(row: Row, stored: StoredFile) -> DeliveredFile:
    return DeliveredFile(
        path=normal_path(row.path),
        sha256=stored.sha256,
        bytes=stored.bytes,
        participant=row.participant,
        attributes=row.attributes,
        **row.described,
    )


def _wrong_hash(manifest: Manifest, row: Row, found: str) -> Reason:
    sentence = f"'{row.path}' arrived with sha256 {found}; the manifest says {row.sha256}"
    return Reason("sha256_wrong", sentence, f"{manifest.name} row {row.number} column sha256", "send the file again")


def _store(sent: Source, files: Sequence[DeliveredFile], vault: Vault) -> None:
    once = list({file.sha256: file for file in files}.values())
    results = _each(lambda file: vault.store(file.sha256, sent.chunks(file.path)), once)
    refused = [
        replace(reason, place=reason.place or sent.place(file.path))
        for file, result in zip(once, results, strict=True)
        if isinstance(result, DeliveryRefused)
        for reason in result.reasons
    ]
    if refused:
        raise DeliveryRefused(*refused)
    _raise_what_is_no_refusal(results)


def _raise_what_is_no_refusal(results: Iterable[object]) -> None:
    """A disk or a network that fails is nothing that the sender could mend."""
    for result in results:
        if isinstance(result, KinelakeError) and not isinstance(result, DeliveryRefused):
            raise result


def _each(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result | KinelakeError]:
    """Do the work for every item, some at a time; what one refuses is its result, so that all faults come together."""

    def outcome(item: _Item) -> _Result | KinelakeError:
        try:
            return work(item)
        except KinelakeError as error:
            return error

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(outcome, items))
