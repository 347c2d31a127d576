-- A label of a study: how much of it there is to learn from.
-- study: Study.
-- label: Label of the study's schema, or as delivered where the schema has none such; null where none was given.
-- recordings: Recordings with this label.
-- accepted: Those accepted.
-- quarantined: Those set aside.
-- participants: Participants with an accepted recording of it.
-- accepted_seconds: Duration of the accepted recordings together, in seconds.
-- share: Share of the study's accepted recordings, 0 to 1; null where none is accepted.
SELECT
    recording.study,
    recording.label,
    count(*) AS recordings,
    count(*) FILTER (WHERE verdict.accepted) AS accepted,
    count(*) FILTER (WHERE NOT verdict.accepted) AS quarantined,
    count(DISTINCT recording.participant) FILTER (WHERE verdict.accepted) AS participants,
    coalesce(sum(recording.duration_s) FILTER (WHERE verdict.accepted), 0) AS accepted_seconds,
    count(*) FILTER (WHERE verdict.accepted)
    / nullif(sum(count(*) FILTER (WHERE verdict.accepted)) OVER (PARTITION BY recording.study), 0) AS share
FROM recordings AS recording
JOIN verdicts AS verdict ON verdict.batch_id = recording.batch_id AND verdict.recording_id = recording.recording_id
GROUP BY recording.study, recording.label
ORDER BY recording.study, recording.label
