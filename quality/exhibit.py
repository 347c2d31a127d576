"""The page of one recording for whoever decides about it: every reason, and a picture of what each is about.

Belongs here: choosing what is drawn and laying the page out (``exhibit.html``); what is known of a recording comes from
`quality.quarantine`. Text from outside reaches the page as text and is escaped there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quality.charts import signal_and_steps
from quality.evidence import offending
from quality.headings import heading
from quality.pages import write_page
from quality.previews import MOST_READINGS, read_readings
from quality.quarantine import show
from quality.reasons import figure, sign, spoken
from studies.study import Study
from warehouse.home import Home
from warehouse.lake import Lake

_MOST_STREAMS = 4


def write_exhibit(recording_id: str, study: Study, home: Home) -> Path:
    """Write the page of a recording.

    Parameters
    ----------
    recording_id : str
    study : Study
        Of the recording; its limits are drawn beside what was measured.
    home : Home

    Returns
    -------
    Path
        ``<home>/reports/quarantine/<recording_id>.html``, self-contained; the page before is replaced at once, never half.

    Raises
    ------
    UnknownName
        If there is no such recording; the error offers the nearest.
    """
    found = show(home, recording_id)
    content = {"found": found, "pictures": _pictures(found, study, Lake(home)), "written_at": datetime.now(UTC)}
    filters: dict[str, Callable[..., Any]] = {"figure": figure, "spoken": spoken, "sign": sign, "heading": heading}
    return write_page(home.reports / "quarantine" / f"{found['recording_id']}.html", "exhibit.html", content, filters=filters)


def _pictures(found: Mapping[str, Any], study: Study, lake: Lake) -> list[dict[str, Any]]:
    from markupsafe import Markup

    chosen = _chosen(found)
    wanted = [(found["recording_id"], row["stream"]) for row in chosen if row["rows"] <= MOST_READINGS]
    readings = read_readings(found["batch_id"], wanted, lake) if wanted else {}
    pictures = []
    for row in chosen:
        t_ns, values = readings.get((found["recording_id"], row["stream"]), (None, None))
        contract = study.contract_of(row["stream"])
        if t_ns is None or values is None or t_ns.size < 2 or contract is None:
            continue
        stretches = offending(t_ns, values, contract, _codes(row, found["reasons"]))
        # Safe: quality.charts draws numbers and the lake's own names, no text from outside.
        drawn = Markup(signal_and_steps(t_ns, values, stretches, contract))
        pictures.append({"row": row, "svg": drawn, "stretches": len(stretches), "codes": _codes(row, found["reasons"])})
    return pictures


def _chosen(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The streams that reasons are about; of a recording whose reasons are about none, the first."""
    held = [row for row in found["streams"] if (row["rows"] or 0) > 1]
    meant = [row for row in held if _codes(row, found["reasons"])]
    return (meant or held[:1])[:_MOST_STREAMS]


def _codes(row: Mapping[str, Any], reasons: Sequence[Mapping[str, str]]) -> list[str]:
    place = f"{row['source']}, {spoken(row['stream'])}" if row["source"] else spoken(row["stream"])
    return [reason["code"] for reason in reasons if reason["place"] == place]
