"""Pages of clips: what ingestion may show of a recording, what quality tells of it, and what champions say, on one page each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import dagster as dg

from assets.partitions import BATCHES
from assets.quality import verdicts
from assets.resources import HomeResource
from ingestion.readers import DeviceFile
from ingestion.vault import Vault
from ingestion.video.faces import SETTING, Seen, faces_hidden
from ingestion.video.stills import read_stills
from ml.assessing import segments_about
from ml.inference import Champion, NoAnswer
from ml.preprocessing.blocks import Readings
from ml.preprocessing.pose.bodies import tables_of
from ml.preprocessing.recordings import by_stream, read_streams, values_of
from quality.clip_page import Opinion, Stills, remove_pages, write_clip_page
from quality.clips import Clip, clips_of, frames_by_recording
from quality.strips import Moment, moments_of
from studies.sensors import sensor_of
from studies.study import Study
from warehouse.errors import KinelakeError
from warehouse.home import Home
from warehouse.lake import Lake

_COLUMNS = ("recording_id", "stream", "t_ns", "x", "y", "z", "w")


@dg.asset(deps=[verdicts, "squats", "segments"], partitions_def=BATCHES, group_name="quality", kinds={"html"})
def clip_pages(context: dg.AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult:
    """A page for each recording of a body: frames with the skeleton and without faces, its curves, and what champions say."""
    _, study = home.batch(context.partition_key)
    pages = write_clip_pages(context.partition_key, study, home.open())
    return dg.MaterializeResult(metadata={"pages": len(pages), "bytes": sum(page.stat().st_size for page in pages)})


def write_clip_pages(batch_id: str, study: Study, home: Home) -> list[Path]:
    """Write the page of every recording of a batch that shows a body, and remove those of recordings that are gone.

    Parameters
    ----------
    batch_id : str
        A batch that was judged and segmented; before that its pages tell less.
    study : Study
    home : Home

    Returns
    -------
    list of Path
    """
    lake = Lake(home)
    remove_pages(batch_id, home, besides=frames_by_recording(batch_id, lake))
    pages: list[Path] = []
    champions: list[Champion] = []
    for clip in clips_of(batch_id, study, lake):
        champions = champions if pages else _champions(study, home)
        streams = _streams(clip, home)
        clip = clip if clip.line.usable else _with_body(clip, streams)
        moments = moments_of(clip)
        stills, opinions = _stills(clip, moments, home), _opinions(clip, streams, champions)
        pages.append(write_clip_page(clip, study, home, moments=moments, stills=stills, opinions=opinions))
    return pages


def _streams(clip: Clip, home: Home) -> dict[str, Readings]:
    of = {"batch_id": [clip.batch_id], "recording_id": [clip.line.recording_id]}
    rows = by_stream(read_streams("samples", _COLUMNS, home, of=of)).get(clip.line.recording_id, {})
    return {name: (own["t_ns"].to_numpy(), values_of(own, name)) for name, own in rows.items()}


def _with_body(clip: Clip, streams: Mapping[str, Readings]) -> Clip:
    """The clip with angles and squats, which the tables have of accepted recordings only."""
    if not any(sensor_of(name) == "joint" for name in streams):
        return clip
    angles, squats = tables_of(clip.line.recording_id, clip.line.participant, streams)
    return replace(clip, angles=angles, squats=tuple(squats.to_pylist()))


def _stills(clip: Clip, moments: Sequence[Moment], home: Home) -> Stills:
    """What may be shown of a clip, and what is said of it."""
    if clip.facts is None or clip.sha256 is None:
        return Stills({}, "The poses came without a clip: the skeleton stands on black.")
    several = bool(clip.facts["frames_with_several"])
    wanted = {int(clip.frame[moment.row]): Seen(clip.image[moment.row], clip.visibility[moment.row]) for moment in moments}
    try:
        file = DeviceFile.at(Vault(home).path(clip.sha256), clip.source, scratch=home.scratch)
        pictures = read_stills(file, wanted, several=several)
    except KinelakeError as error:
        return Stills({}, f"No frame can be shown: {error.reasons[0].sentence}.")
    if not faces_hidden():
        return Stills(pictures, f"Faces are shown, for {SETTING} is off.")
    if several:
        said = "More than one person was seen in this clip, and it is not known where the others' faces are: no frame is shown."
        return Stills({}, said)
    left_out = len(wanted) - len(pictures)
    frames = f"{left_out} frames are" if left_out > 1 else "One frame is"
    why = f" {frames} not shown, for it is not known where the face is." if left_out else ""
    return Stills(pictures, f"The face, and all that lies around the body, was averaged away for good.{why}")


def _champions(study: Study, home: Home) -> list[Champion]:
    """The champions of the study's tasks that could answer for one recording; of tasks that have none there is nothing to say."""
    found = []
    for task, asked in study.tasks.items():
        if asked.input.baseline is None and asked.target == "label":
            try:
                found.append(Champion.of(study, task, home))
            except KinelakeError:
                continue  # no champion yet, or a damaged one: 'kinelake verify' tells, a page about a clip need not
    return found


def _opinions(clip: Clip, streams: Mapping[str, Readings], champions: Sequence[Champion]) -> list[Opinion]:
    """What champions say of a clip, whether or not it was accepted."""
    opinions = []
    for champion in champions:
        name = f"{champion.version.task}, version {champion.version.version}"
        try:
            answer = champion.answer(streams)
        except NoAnswer as silent:
            opinions.append(Opinion(name, f"No answer: {silent.reasons[0].sentence}.", {}))
            continue
        about = segments_about([squat["deepest_ns"] for squat in clip.squats], answer)
        judged = {
            squat["repetition"]: answer.segments[segment][2:]
            for squat, segment in zip(clip.squats, about, strict=True)
            if segment is not None
        }
        known = (
            " It learnt from this participant, so that it says little." if clip.line.participant in champion.learnt_from else ""
        )
        opinions.append(Opinion(name, answer.sentence + known, judged))
    return opinions
