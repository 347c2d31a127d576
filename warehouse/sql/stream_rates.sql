-- A sensor of a device: how regularly it samples, over all its recordings, accepted or not.
-- study: Study.
-- site: Who delivered.
-- format: Reader that knew the files by content.
-- device: Manifest's device, else a hash of the serial that the file names.
-- stream: Sensor.
-- recordings: Recordings that have it.
-- declared_rate_hz: Median of the rates that the files claim, in Hz; null if they claim none.
-- rate_hz: Median of the recordings' sampling rates, in Hz.
-- lowest_rate_hz: Lowest of them, in Hz.
-- highest_rate_hz: Highest of them, in Hz.
-- worst_jitter: Largest standard deviation of the steps over the median step; no unit.
-- gaps: Steps longer than 2.5 median steps, in all recordings together.
-- longest_gap_s: Longest step, in seconds.
SELECT
    recording.study,
    recording.site,
    recording.format,
    recording.device,
    stream.stream,
    count(*) AS recordings,
    median(stream.declared_rate_hz) AS declared_rate_hz,
    median(stream.rate_hz) AS rate_hz,
    min(stream.rate_hz) AS lowest_rate_hz,
    max(stream.rate_hz) AS highest_rate_hz,
    max(stream.jitter) AS worst_jitter,
    CAST(sum(stream.gaps) AS BIGINT) AS gaps,
    max(stream.longest_gap_s) AS longest_gap_s
FROM streams AS stream
JOIN recordings AS recording ON recording.batch_id = stream.batch_id AND recording.recording_id = stream.recording_id
GROUP BY recording.study, recording.site, recording.format, recording.device, stream.stream
ORDER BY recording.study, recording.site, recording.format, recording.device, stream.stream
