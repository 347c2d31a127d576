-- How often a label of a study was recorded at one level of what may be taken for it: a device, a participant, a site or a batch.
-- study: Study.
-- factor: What is counted by: device, participant, site or batch_id.
-- level: The device, participant, site or batch; recordings of which it is not known are left out.
-- label: Label of the accepted recordings.
-- recordings: Accepted recordings with this label at this level.
-- participants: Participants of these.
-- share_of_label: Share of the label's recordings that were made at this level, 0 to 1; 1: nowhere else.
-- share_of_level: Share of the level's recordings that have this label, 0 to 1; 1: the level gives the label away.
WITH accepted AS (
    SELECT recording.study, recording.label, recording.participant AS person,
        recording.device, recording.participant, recording.site, recording.batch_id
    FROM recordings AS recording
    JOIN verdicts AS verdict ON verdict.batch_id = recording.batch_id AND verdict.recording_id = recording.recording_id
    WHERE verdict.accepted AND recording.label IS NOT NULL
),
long AS (
    FROM accepted UNPIVOT (level FOR factor IN (device, participant, site, batch_id))
)
SELECT
    study,
    factor,
    level,
    label,
    count(*) AS recordings,
    count(DISTINCT person) AS participants,
    count(*) / sum(count(*)) OVER (PARTITION BY study, factor, label) AS share_of_label,
    count(*) / sum(count(*)) OVER (PARTITION BY study, factor, level) AS share_of_level
FROM long
GROUP BY study, factor, level, label
ORDER BY study, factor, level, label
