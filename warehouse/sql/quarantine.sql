-- A reason why a recording is in quarantine; one with several reasons has several rows.
-- study: Study.
-- site: Who delivered.
-- batch_id: The delivery that it came with.
-- recording_id: The capture; joins with recordings.recording_id.
-- participant: Pseudonym of the person.
-- label: Label of the study's schema, or as delivered where the schema has none such.
-- code: Stable name of what was found.
-- sentence: What was found and what is allowed.
-- place: File, row, column or key.
-- remedy: What to do.
-- judged_at: When, UTC.
SELECT
    recording.study,
    recording.site,
    verdict.batch_id,
    verdict.recording_id,
    verdict.participant,
    recording.label,
    why.reason.code AS code,
    why.reason.sentence AS sentence,
    why.reason.place AS place,
    why.reason.remedy AS remedy,
    verdict.judged_at
FROM verdicts AS verdict
JOIN recordings AS recording ON recording.batch_id = verdict.batch_id AND recording.recording_id = verdict.recording_id,
    unnest(CASE WHEN len(verdict.reasons) > 0 THEN verdict.reasons ELSE [NULL] END) AS why(reason)
WHERE NOT verdict.accepted
