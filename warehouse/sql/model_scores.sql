-- A model version with its scores over all labels, the newest of a task first.
-- task: What is learnt: <study>.<task>.
-- version: Version in the registry, counted per task.
-- family: Model family.
-- champion: True for the version that answers now.
-- newest: True for the versions of the task's newest training.
-- honest: True if it was scored on participants that it never saw.
-- scored_on: test, or cross_validation where nothing was held out.
-- macro_f1: Mean of the labels' F1, 0 to 1.
-- accuracy: Share of right answers, 0 to 1.
-- precision: Precision over all labels, 0 to 1.
-- recall: Recall over all labels, 0 to 1.
-- gate: Why it was promoted or not.
-- fingerprint: Hash of the training table's content and of the recipe and code that made it.
-- trained_at: When, UTC.
WITH scored AS (
    SELECT
        task,
        version,
        protocol,
        max(value) FILTER (WHERE metric = 'macro_f1') AS macro_f1,
        max(value) FILTER (WHERE metric = 'accuracy') AS accuracy,
        max(value) FILTER (WHERE metric = 'precision') AS precision,
        max(value) FILTER (WHERE metric = 'recall') AS recall,
        row_number() OVER (PARTITION BY task, version ORDER BY protocol = 'test' DESC) AS place
    FROM evaluations
    WHERE label IS NULL AND predicted IS NULL
    GROUP BY task, version, protocol
),
newest AS (
    SELECT task, arg_max(fingerprint, version) AS fingerprint
    FROM models
    GROUP BY task
)
SELECT
    model.task,
    model.version,
    model.family,
    coalesce(model.alias = 'champion', false) AS champion,
    model.fingerprint = newest.fingerprint AS newest,
    model.honest,
    scored.protocol AS scored_on,
    scored.macro_f1,
    scored.accuracy,
    scored.precision,
    scored.recall,
    model.gate,
    model.fingerprint,
    model.trained_at
FROM models AS model
JOIN newest ON newest.task = model.task
LEFT JOIN scored ON scored.task = model.task AND scored.version = model.version AND scored.place = 1
ORDER BY model.task, model.version DESC
