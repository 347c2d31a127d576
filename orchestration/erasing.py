"""`kinelake erase`: a participant leaves vault, lake, warehouse, reports, registry and run logs, and it is proved.

Belongs here: what is to go, in which order, and the answer. Each room erases its own part; the search for what is left is
`orchestration.remains`.

What is to go is written to ``erasing/`` in the home before anything goes, and removed when nothing is found any more: killed
anywhere and started again, an erasure finishes. Every step may be repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import dagster as dg

from assets.clips import write_clip_pages
from assets.resources import delivered
from assets.warehouse import publish_home
from ingestion.erasure import erase_deliveries
from ingestion.receipt import Receipt
from ingestion.vault import Vault
from ml.erasure import erase_trainings
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.pose.bodies import keep_bodies
from orchestration.demo import forget_dirt
from orchestration.erasure_plan import ErasedFile, Plan, folder_of_plans, plan_of
from orchestration.instance import open_instance
from orchestration.liveness import no_runs
from orchestration.remains import Sought, remains, strays
from quality.copies import recordings_alike
from quality.judging import judge_batch
from quality.report import write_report
from studies import find_study
from studies.study import Study
from warehouse.batches import complete_batch
from warehouse.erasure import batches_of, batches_that_mention, erase_rows, find_traces, purge, vacuum
from warehouse.errors import Reason, UnknownName, did_you_mean
from warehouse.home import Home
from warehouse.lake import Lake

_PARTITION = "dagster/partition"


@dataclass(frozen=True)
class Erasure:
    """What was erased.

    Parameters
    ----------
    study, participant : str
    also_under : tuple of str
        Participants under whom the same sensor values lay, which went too.
    recordings, files, bytes : int
        Recordings, delivered files and their size.
    batches : tuple of str
        Those that were judged and reported again.
    models, runs : int
        Model versions that had learnt from them, and Dagster's runs, that went in this try.
    unread : tuple of str
        Batches of the study that were never read: what they hold under another name is not known.
    searched : int
        Files of the home that were searched afterwards.
    left : tuple of str
        Where something was still found; empty if all is gone.
    """

    study: str
    participant: str
    also_under: tuple[str, ...]
    recordings: int
    files: int
    bytes: int
    batches: tuple[str, ...]
    models: int
    runs: int
    unread: tuple[str, ...]
    searched: int
    left: tuple[str, ...]


def erase(participant: str, study: str, home: Home) -> Erasure:
    """Erase a participant of a study everywhere, and search the whole home for what is left.

    Parameters
    ----------
    participant : str
        As in the manifests.
    study : str
    home : Home

    Returns
    -------
    Erasure
        With an empty `left`, unless something lies where this must not reach: a delivery in the landing zone, or the same
        bytes delivered to another study.

    Raises
    ------
    UnknownName
        If the study is not known, or nobody of that name is in it; the error offers the nearest.
    KinelakeError
        ``runs_in_progress`` if a run is at work.
    """
    known = find_study(study)
    with no_runs(home):
        plan = _plan(participant, study, home)
        plan.write_down(home)
        models = erase_trainings(study, participant, recordings=plan.recordings, home=home)
        _erase_data(plan, known, home)
        runs = _erase_runs(plan, home)
        sought = _sought(plan, home)
        _erase_strays(plan, sought, home)
        searched, left = remains(sought, home, besides=folder_of_plans(home))
        if not left:
            plan.forget(home)
    return Erasure(
        study=study,
        participant=participant,
        also_under=plan.also_under,
        recordings=len(plan.recordings),
        files=len(plan.files),
        bytes=sum(file.bytes for file in plan.files),
        batches=plan.batches,
        models=models,
        runs=runs,
        unread=_unread(study, home),
        searched=searched,
        left=tuple(left),
    )


def _plan(participant: str, study: str, home: Home) -> Plan:
    receipts = [receipt for receipt in Vault(home).receipts() if receipt.study == study]
    batches = batches_of(study, home) | {receipt.batch_id for receipt in receipts}
    named = {file.sha256 for receipt in receipts for file in receipt.files if file.participant == participant}
    traces = find_traces(participant, batches=batches, sha256=named, home=home)
    if alike := recordings_alike(traces.recordings, find_study(study), home):
        traces = find_traces(participant, batches=batches, sha256=named, home=home, recordings=alike)
    files = {
        ErasedFile(receipt.batch_id, file.path, file.sha256, file.bytes)
        for receipt in receipts
        for file in receipt.files
        if file.participant == participant or file.sha256 in named or (receipt.batch_id, file.path) in traces.files
    }
    earlier = plan_of(participant, study, home)
    if not (files or traces.recordings or earlier):
        raise _unknown(participant, study, receipts)
    before = earlier or Plan(study, participant, (), (), (), ())
    recordings = traces.recordings | set(before.recordings)
    files |= set(before.files)
    mentioned = batches_that_mention(participant, recordings, batches=batches, home=home)
    touched = {file.batch_id for file in files} | {batch_id for batch_id, _ in traces.files} | mentioned | set(before.batches)
    also_under = traces.also_under | set(before.also_under)
    return Plan(
        study, participant, tuple(sorted(also_under)), tuple(sorted(recordings)), tuple(sorted(files)), tuple(sorted(touched))
    )


def _unknown(participant: str, study: str, receipts: Sequence[Receipt]) -> UnknownName:
    people = {file.participant for receipt in receipts for file in receipt.files}
    sentence = f"nobody called '{participant}' is in study '{study}'{did_you_mean(participant, people)}"
    return UnknownName(Reason("participant_unknown", sentence, remedy="spell the pseudonym as the manifest does"))


def _erase_data(plan: Plan, study: Study, home: Home) -> None:
    everywhere = batches_of(plan.study, home) | set(plan.batches)
    erase_rows(plan.participant, recordings=plan.recordings, sha256=plan.sha256, batches=everywhere, home=home)
    receipts = [receipt for receipt in Vault(home).receipts() if receipt.batch_id in plan.batches]
    for receipt in receipts:
        _bring_up_to_date(receipt.without(plan.paths.get(receipt.batch_id, ())), study, home)
    erase_deliveries(plan.paths, study=plan.study, home=home)
    # Before the old files go: whoever opens the warehouse from now on is not led to them.
    publish_home(home)
    purge(plan.batches, home)


def _bring_up_to_date(receipt: Receipt, study: Study, home: Home) -> None:
    """What a run of the batch does after reading it; a batch that was never complete is left to its run."""
    batch_id = receipt.batch_id
    if not Lake(home).read("batches", columns=["batch_id"], where={"batch_id": batch_id}).num_rows:
        return
    judge_batch(batch_id, study, home)
    resample_batch(batch_id, study, home)
    keep_bodies(batch_id, study, home)
    segment_batch(batch_id, study, home)
    write_report(batch_id, study, home)
    write_clip_pages(batch_id, study, home)
    complete_batch(delivered(receipt), home, contract_version=study.contract_version, recipe_version=study.recipe_version)


def _erase_runs(plan: Plan, home: Home) -> int:
    """Erase what Dagster wrote down of runs of the batches and of the study's tasks."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

    with open_instance(home) as instance:
        tasks = [key for key in instance.get_dynamic_partitions("task") if key.startswith(f"{plan.study}.")]
        runs = instance.get_runs(filters=dg.RunsFilter(tags={_PARTITION: [*plan.batches, *tasks]}))
        ids = [run.run_id for run in runs]
        for run_id in ids:
            instance.delete_run(run_id)
            instance.compute_log_manager.delete_logs(prefix=[run_id])
        storage = instance.event_log_storage
        if isinstance(storage, SqlEventLogStorage) and ids:
            with storage.index_connection() as connection:
                # Deleting a run leaves what its asset checks said.
                connection.execute(AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id.in_(ids)))
    _shrink(ids, home)
    return len(ids)


def _shrink(run_ids: Collection[str], home: Home) -> None:
    for path in home.dagster.rglob("*.db*"):
        if path.name.split(".")[0] in run_ids:
            path.unlink(missing_ok=True)
    for name in ("index", "runs", "schedules"):
        for path in home.dagster.rglob(f"{name}.db"):
            vacuum(path)


def _erase_strays(plan: Plan, sought: Sought, home: Home) -> None:
    for batch_id, paths in plan.paths.items():
        forget_dirt(batch_id, paths, home)
    for path in strays(sought, home.reports):
        path.unlink()


def _sought(plan: Plan, home: Home) -> Sought:
    receipts = Vault(home).receipts()
    others = {file.path for receipt in receipts for file in receipt.files}
    own = {receipt.batch_id for receipt in receipts if receipt.study == plan.study}
    return Sought(
        study=plan.study,
        participant=plan.participant,
        batches=frozenset(own | batches_of(plan.study, home) | set(plan.batches)),
        recordings=frozenset(plan.recordings),
        sha256=plan.sha256,
        paths=frozenset(file.path for file in plan.files) - others,
    )


def _unread(study: str, home: Home) -> tuple[str, ...]:
    read = batches_of(study, home) | {values["batch_id"] for values in Lake(home).partitions("batches")}
    waiting = (receipt for receipt in Vault(home).receipts() if receipt.study == study)
    return tuple(receipt.batch_id for receipt in waiting if receipt.batch_id not in read)
