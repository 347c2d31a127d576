"""Vault and read: a delivery's bytes under a receipt, then its recordings in SI units."""

from collections.abc import Iterator

import dagster as dg

from assets.partitions import BATCHES
from assets.resources import HomeResource
from ingestion.batch import read_batch
from ingestion.landing import take, waiting
from ingestion.receipt import Receipt
from ingestion.rows import READ_TABLES
from ingestion.vault import Vault
from warehouse.errors import DeliveryRefused, KinelakeError
from warehouse.home import Home
from warehouse.schemas import TABLES


@dg.asset(partitions_def=BATCHES, group_name="ingestion", output_required=False, kinds={"file"})
def raw_files(context: dg.AssetExecutionContext, home: HomeResource) -> Iterator[dg.MaterializeResult]:
    """A delivery's bytes in the vault, named by their sha256, under a receipt.

    A batch that is still in the landing zone is delivered first. If the same content came before under another id,
    nothing follows: that batch has it.
    """
    receipt = _receipt_or_delivery(context.partition_key, home.open())
    if receipt.batch_id != context.partition_key:
        context.log.info(f"{context.partition_key} has the same content as batch {receipt.batch_id}: nothing to do")
        return
    yield dg.MaterializeResult(
        metadata={
            "study": receipt.study,
            "site": receipt.site,
            "files": len(receipt.files),
            "bytes": sum(file.bytes for file in receipt.files),
        },
        data_version=dg.DataVersion(receipt.content_sha256[:16]),
    )


@dg.multi_asset(
    specs=[dg.AssetSpec(name, deps=[raw_files], description=TABLES[name].comment, kinds={"deltalake"}) for name in READ_TABLES],
    partitions_def=BATCHES,
    group_name="ingestion",
    name="read",
)
def read(context: dg.AssetExecutionContext, home: HomeResource) -> Iterator[dg.MaterializeResult]:
    """Device files to recordings, streams and samples."""
    receipt, study = home.batch(context.partition_key)
    summary = read_batch(receipt, study, home.open())
    context.log.info(f"{summary.files} files, {summary.recordings} recordings, {summary.samples:,} readings")
    for name in READ_TABLES:
        yield dg.MaterializeResult(asset_key=name, metadata={"rows": getattr(summary, name, 0)})


def _receipt_or_delivery(batch_id: str, home: Home) -> Receipt:
    """The landing zone comes first: an entry of that name may hold what was delivered, or other bytes, which are refused."""
    unseen: list[KinelakeError] = []
    landed = [entry for entry in waiting(home, failed=unseen.append) if entry.batch_id == batch_id and entry.settled]
    if not landed:
        if unseen and batch_id not in Vault(home).batch_ids():
            raise unseen[0]
        return Vault(home).receipt(batch_id)
    try:
        return take(landed[0], home)
    except DeliveryRefused as refusal:
        raise dg.Failure(f"delivery refused: {refusal}", allow_retries=False) from None
