"""Taking deliveries out of the landing zones: found, held, delivered, answered, released, whatever kind of place they lie in."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from ingestion.bundles import unbundled
from ingestion.delivery import left_over, take_in
from ingestion.landing.folder import FolderZone
from ingestion.landing.zone import RECEIPT, REFUSED, Held, Waiting, Zone, refusal
from ingestion.readers import Hints
from ingestion.receipt import Receipt
from studies.loader import find_study
from warehouse.errors import DeliveryRefused, KinelakeError, Reason, UnknownName
from warehouse.home import Home

#: Names a place on S3 that is watched beside the home's own folder: ``s3://bucket`` or ``s3://bucket/prefix``.
LANDING = "KINELAKE_LANDING"


def zones(home: Home) -> Sequence[Zone]:
    """Return every place that is watched: the home's ``landing`` folder, and the bucket that ``$KINELAKE_LANDING`` names.

    Raises
    ------
    KinelakeError
        ``landing_setting`` if the variable names no place on S3.
    """
    address = os.environ.get(LANDING, "")
    if not address:
        return [FolderZone(home)]
    from ingestion.landing.bucket import BucketZone  # brings boto3, which most commands and homes do without

    return [FolderZone(home), BucketZone(address, home)]


def waiting(home: Home, *, quiet_s: float = 5.0, failed: Callable[[KinelakeError], object] | None = None) -> list[Waiting]:
    """List the deliveries that wait in the landing zones, without opening their files.

    Parameters
    ----------
    home : Home
    quiet_s : float
        Seconds without a change after which an entry counts as settled.
    failed : callable, optional
        Gets why a bucket could not be listed; the other zone's entries are returned all the same. Default: it is raised.

    Returns
    -------
    list of Waiting
        Sorted by place. Entries that were refused are left out until something in them changes.

    Raises
    ------
    KinelakeError
    """
    found = list(FolderZone(home).waiting(quiet_s=quiet_s))
    try:
        found += [entry for zone in zones(home)[1:] for entry in zone.waiting(quiet_s=quiet_s)]
    except KinelakeError as error:
        if failed is None:
            raise
        failed(error)
    return found


def take(entry: Waiting, home: Home) -> Receipt:
    """Deliver an entry of a landing zone and release it.

    The source is removed only when the receipt is on disk, only if it has not changed since, and never what the manifest
    does not name.

    Parameters
    ----------
    entry : Waiting
    home : Home

    Returns
    -------
    Receipt
        Of an earlier batch, if that has the same content.

    Raises
    ------
    DeliveryRefused
        With the reasons that were also left in ``<name>.refused.txt``; the source stays.
    KinelakeError
        If the vault or the landing zone cannot be used; the entry stays and can be taken again.
    """
    zone = zones(home)[-1] if entry.place.startswith("s3://") else FolderZone(home)
    with zone.held(entry) as held:
        if held is None:
            return _taken_by_another(entry, zone)
        receipt, unlisted = _delivered(entry, held, zone, home)
        zone.leave(entry, RECEIPT, receipt.to_json())
        zone.withdraw(entry, REFUSED)
        held.release(unlisted)
    return receipt


def _delivered(entry: Waiting, held: Held, zone: Zone, home: Home) -> tuple[Receipt, Sequence[str]]:
    try:
        study = find_study(entry.study)
        with held.opened() as sent, unbundled(sent, Hints.of(study)) as whole:
            return take_in(whole, study=study, site=entry.site, home=home, batch_id=entry.batch_id), left_over(whole)
    except (DeliveryRefused, UnknownName) as refused:
        zone.leave(entry, REFUSED, refusal(refused.reasons, held.signature))
        raise DeliveryRefused(*refused.reasons) from refused


def _taken_by_another(entry: Waiting, zone: Zone) -> Receipt:
    left = zone.note(entry, RECEIPT)
    if left is not None:
        return Receipt.from_json(left)
    sentence = "it is no longer in the landing zone, and no receipt lies in its place"
    raise DeliveryRefused(Reason("source_missing", sentence, entry.place, "put the delivery there again"))
