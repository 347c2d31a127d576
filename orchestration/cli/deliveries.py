"""Commands for whoever delivers: convert-pickles, manifest, submit, report, erase."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from ingestion.pickles.conversion import TableFormat
from ingestion.pickles.conversion import convert_pickles as convert_folder
from orchestration.cli.face import face, results_in
from studies import find_study
from warehouse.errors import KinelakeError, Reason


def manifest(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder or zip with device files.")],
    study: Annotated[str | None, typer.Option(help="Take pattern and defaults from this study.")] = None,
    pattern: Annotated[str | None, typer.Option(help="Path with fields, such as '{participant}-{label}-{load}_*'.")] = None,
    participant_from: Annotated[str | None, typer.Option(help="'device': one participant per device serial, hashed.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write it; default DIR/manifest.csv, '-' for stdout.")] = None,
) -> None:
    """Draft a manifest for a folder that has none."""
    text = draft_manifest(folder, find_study(study) if study else None, pattern=pattern, participant_from=participant_from)
    shown = face(context)
    if str(out) == "-":
        sys.stdout.write(text)
        return
    target = out or (folder / "manifest.csv" if folder.is_dir() else folder.with_suffix(".manifest.csv"))
    if target.parent.exists() and not target.parent.stat().st_mode & 0o222:  # the administrator could write there, and should not
        reason = Reason("not_writable", f"{target.parent} is read-only", str(target), "name another place with --out")
        raise KinelakeError(reason)
    if target.exists():
        reason = Reason("manifest_exists", f"{target} is there already", str(target), "remove it, or name another with --out")
        raise KinelakeError(reason)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = Reason(
            "not_writable", f"{target} cannot be written: {error.strerror}", str(target), "name another place with --out"
        )
        raise KinelakeError(reason) from error
    rows = text.count("\n") - 1
    shown.answer({"manifest": target, "files": rows}, f"{rows} files drafted in {target}: check it, then submit")


def convert_pickles(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder with pickled tables; its subfolders count.")],
    out: Annotated[Path, typer.Option(help="Folder for the converted tables, under the same relative names.")],
    to: Annotated[TableFormat, typer.Option(help="Format of the tables.")] = "csv",
) -> None:
    """Convert pickled pandas tables into CSV or Parquet, once, without loading a pickle."""
    shown = face(context)
    with results_in(out, option="--out"):
        done = convert_folder(folder, out, to=to)
    rows = sum(one.rows for one in done.converted)
    answer = {**vars(done), "converted": [vars(one) for one in done.converted], "refused": [vars(one) for one in done.refused]}
    lines = [f"converted  {len(done.converted)} pickles, {rows:,} rows, into {out}", f"refused    {len(done.refused) or 'none'}"]
    lines += [f"           {reason}" for reason in done.refused]
    shown.answer(answer, "\n".join([*lines, f"next       kinelake manifest {out} --study STUDY"]))
    if done.refused:
        raise typer.Exit(1)


def submit(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Folder or zip with a manifest.csv at its root.")],
    study: Annotated[str, typer.Option(help="Study that the delivery belongs to.")],
    site: Annotated[str, typer.Option(help="Who delivers.")],
    batch: Annotated[str | None, typer.Option(help="Batch id; default: study and hash of the content.")] = None,
    manifest: Annotated[Path | None, typer.Option(help="Manifest, if it does not lie in the delivery.")] = None,
) -> None:
    """Deliver a batch and print the receipt."""
    shown, began = face(context), datetime.now(UTC)
    receipt = deliver(path, study=find_study(study), site=site, home=shown.home, batch_id=batch, manifest=manifest)
    size = sum(file.bytes for file in receipt.files)
    lines = [
        f"receipt    {receipt.batch_id}",
        f"received   {receipt.received_at:%Y-%m-%d %H:%M:%S} UTC from {receipt.site} for {receipt.study}",
        f"content    {len(receipt.files)} files, {size:,} bytes, sha256 {receipt.content_sha256}",
    ]
    if receipt.received_at < began:
        lines.append("known      the same content was delivered before; this is its receipt of then, and no second batch")
    if receipt.unlisted:
        lines.append(
            f"not taken  {len(receipt.unlisted)} files that the manifest does not name: {', '.join(receipt.unlisted[:5])}"
        )
    shown.answer(receipt.to_dict(), "\n".join([*lines, "next       kinelake run"]))


def report(context: typer.Context, batch: Annotated[str, typer.Argument(help="Batch id.")]) -> None:
    """Write the quality report of a batch and the page of each of its clips (HTML), and print where it is."""
    from assets.clips import write_clip_pages
    from ingestion.vault import Vault
    from quality.report import write_report

    shown = face(context)
    receipt = Vault(shown.home).receipt(batch)
    study = find_study(receipt.study)
    page, clips = write_report(batch, study, shown.home), write_clip_pages(batch, study, shown.home)
    shown.answer({"report": page, "clips": clips}, str(page))


def erase(
    context: typer.Context,
    participant: Annotated[str, typer.Argument(help="Pseudonym, as in the manifests.")],
    study: Annotated[str, typer.Option(help="Study in which it is this person.")],
) -> None:
    """Erase a participant everywhere, for good, and search the whole home for what is left."""
    from orchestration.erasing import erase as erase_everywhere

    shown = face(context)
    done = erase_everywhere(participant, study, shown.home)
    lines = [
        f"erased     {participant} of {study}: {done.recordings} recordings, {done.files} files, {done.bytes:,} bytes",
        f"with it    {done.models} model versions that learnt from it, {done.runs} run logs",
        f"anew       {len(done.batches)} batches judged and reported",
    ]
    lines += [f"also under {', '.join(done.also_under)}: the same sensor values, which are erased too"] if done.also_under else []
    lines += [f"unread     {', '.join(done.unread)}: what they hold under another name is not known"] if done.unread else []
    lines += [f"searched   {done.searched} files of the home; something is left in {len(done.left) or 'none'}"]
    shown.answer(done, "\n".join([*lines, *(f"left       {place}" for place in done.left), "next       kinelake run"]))
    if done.left:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (convert_pickles, manifest, submit, report, erase):
        app.command()(command)
