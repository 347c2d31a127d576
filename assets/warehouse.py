"""Publish: a new `warehouse.duckdb`, swapped in under its readers."""

import dagster as dg

from assets.learning import train
from assets.quality import batches
from assets.resources import HomeResource, delivered
from ingestion.vault import Vault
from ml.registry import Registry
from warehouse.batches import received_rows
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.publish import Publication, publish


def publish_home(home: Home) -> Publication:
    """Publish everything that is complete, with today's champions and the deliveries still waiting to be read."""
    complete = {values["batch_id"] for values in Lake(home).partitions("batches")}
    vault = Vault(home)
    pending = [delivered(vault.receipt(batch_id)) for batch_id in vault.batch_ids() if batch_id not in complete]
    return publish(home, aliases=Registry(home).aliases(), received=received_rows(pending))


@dg.asset(
    deps=[
        dg.AssetDep(batches, partition_mapping=dg.AllPartitionMapping()),
        *(dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping()) for key in train.keys),
    ],
    group_name="warehouse",
    kinds={"duckdb"},
)
def warehouse(home: HomeResource) -> dg.MaterializeResult:
    """The DuckDB file that analysts open: views over one consistent set of table versions."""
    publication = publish_home(home.open())
    return dg.MaterializeResult(
        metadata={"path": dg.MetadataValue.path(publication.path), "views": len(publication.tables), **publication.versions}
    )
