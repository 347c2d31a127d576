-- How much one factor (device, participant, site or batch) tells about the label of a study's accepted recordings.
-- study: Study.
-- factor: What might be told instead of the label: device, participant, site or batch_id.
-- levels: Devices, participants, sites or batches counted.
-- labels: Labels counted.
-- recordings: Accepted recordings of which label and level are known.
-- label_entropy: Entropy of the label, in bits: what there is to tell.
-- explained: Share of that entropy which the level tells, 0 to 1, chance not taken off; null where there is one label.
-- by_chance: About how much of it chance alone would tell: (levels - 1)(labels - 1) / (2 n ln 2) bits, at most 1; compare with explained.
-- labels_at_one_level: Labels that were recorded at one level only.
-- levels_of_one_label: Levels at which one label only was recorded.
WITH cell AS (
    SELECT
        *,
        sum(recordings) OVER (PARTITION BY study, factor) AS total,
        sum(recordings) OVER (PARTITION BY study, factor, label) AS of_label,
        sum(recordings) OVER (PARTITION BY study, factor, level) AS of_level,
        count(*) OVER (PARTITION BY study, factor, label) AS levels_of_label,
        count(*) OVER (PARTITION BY study, factor, level) AS labels_of_level
    FROM contingency
),
told AS (
    SELECT
        study,
        factor,
        count(DISTINCT level) AS levels,
        count(DISTINCT label) AS labels,
        sum(recordings)::BIGINT AS recordings,
        -sum(recordings / total * log2(of_label / total)) AS label_entropy,
        sum(recordings / total * log2(recordings * total / (of_label * of_level))) AS information,
        count(DISTINCT label) FILTER (WHERE levels_of_label = 1) AS labels_at_one_level,
        count(DISTINCT level) FILTER (WHERE labels_of_level = 1) AS levels_of_one_label
    FROM cell
    GROUP BY study, factor
)
SELECT
    study,
    factor,
    levels,
    labels,
    recordings,
    label_entropy,
    CASE WHEN labels > 1 THEN information / label_entropy END AS explained,
    CASE WHEN labels > 1 THEN least(1, (levels - 1) * (labels - 1) / (2 * recordings * ln(2)) / label_entropy) END AS by_chance,
    labels_at_one_level,
    levels_of_one_label
FROM told
ORDER BY study, factor
