"""What assets are given to work with: the home, and what is looked up in it for a partition key."""

import dagster as dg

from ingestion.receipt import Receipt
from ingestion.vault import Vault
from studies import Study, find_study
from warehouse.batches import Delivered
from warehouse.home import Home


class HomeResource(dg.ConfigurableResource):
    """The installation's folder; an empty path means ``$KINELAKE_HOME``, else ``./kinelake-home``."""

    path: str = ""

    def open(self) -> Home:
        """Return the home, its folders made."""
        return Home.at(self.path or None)

    def batch(self, batch_id: str) -> tuple[Receipt, Study]:
        """Return the receipt of a batch and the study it belongs to."""
        receipt = Vault(self.open()).receipt(batch_id)
        return receipt, find_study(receipt.study)


def delivered(receipt: Receipt) -> Delivered:
    """What the `batches` table says of a receipt."""
    return Delivered(
        batch_id=receipt.batch_id,
        study=receipt.study,
        site=receipt.site,
        received_at=receipt.received_at,
        files=len(receipt.files),
        bytes=sum(file.bytes for file in receipt.files),
        content_sha256=receipt.content_sha256,
    )


def split_task(key: str) -> tuple[Study, str]:
    """Return the study and the bare task name of a task partition ``<study>.<task>``."""
    study, _, task = key.partition(".")
    return find_study(study), task
