-- A participant of a study: what was recorded of them.
-- study: Study.
-- participant: Pseudonym of the person, as in the manifest.
-- recordings: Recordings of them.
-- accepted: Those accepted.
-- labels: Labels of their accepted recordings, sorted.
-- devices: Devices that recorded them.
-- accepted_seconds: Duration of the accepted recordings together, in seconds.
-- first_at: Start of their first recording, UTC.
-- last_at: Start of their last recording, UTC.
SELECT
    recording.study,
    recording.participant,
    count(*) AS recordings,
    count(*) FILTER (WHERE verdict.accepted) AS accepted,
    coalesce(list_sort(list(DISTINCT recording.label) FILTER (WHERE verdict.accepted AND recording.label IS NOT NULL)), []) AS labels,
    count(DISTINCT recording.device) AS devices,
    coalesce(sum(recording.duration_s) FILTER (WHERE verdict.accepted), 0) AS accepted_seconds,
    min(recording.started_at) AS first_at,
    max(recording.started_at) AS last_at
FROM recordings AS recording
JOIN verdicts AS verdict ON verdict.batch_id = recording.batch_id AND verdict.recording_id = recording.recording_id
GROUP BY recording.study, recording.participant
ORDER BY recording.study, recording.participant
