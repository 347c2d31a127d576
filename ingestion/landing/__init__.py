"""The landing zone: deliveries that are put where the platform watches, and taken from there by themselves.

One module for each kind of place: `folder` for this machine's, `bucket` for S3; what they agree on is in `zone`. Beside an
entry ``<name>`` lies, afterwards, ``<name>.receipt.json`` or ``<name>.refused.txt``. What the manifest did not name is not
lost either: it then stays under ``<name>.unlisted``.
"""

from ingestion.landing.taking import LANDING, take, waiting, zones
from ingestion.landing.zone import Waiting

__all__ = ["LANDING", "Waiting", "take", "waiting", "zones"]
