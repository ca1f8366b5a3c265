"""When silence begins: models of weekly hazards, and what they say of subscribers at the end of a month."""

from __future__ import annotations

from visitgrain.tables.model import Kind, Table, col, key

HAZARD_MODELS = Table(
    name="hazard_models",
    kind=Kind.OUTPUT,
    grain="one row per training month and learner",
    description="How each learner of hazards did on cut-offs that it had not seen. MLflow has the rest, under run_id.",
    columns=(
        key("month", "date", "first day of the month by whose end silences were known"),
        key("learner", "string", "logistic, lightgbm"),
        key("run_id", "string", "MLflow run"),
        col("version", "int", "version in the registry; only the best learner gets one"),
        col("promoted", "boolean", "became champion; null = was not put forward"),
        col("verdict", "string", "what the gate said, in words"),
        key("feature_hash", "string", "of the features and their definitions"),
        key("person_weeks", "bigint", "rows it learnt from: one per subscriber, cut-off and week"),
        key("test_rows", "bigint", "subscribers and cut-offs it was tested on"),
        *(
            col(name, "double", text)
            for name, text in {
                "c_index": "share of pairs with the earlier silence at the higher risk, censoring weighted out (Uno)",
                "auc_4w": "AUC of silence within four weeks",
                "auc_horizon": "AUC of silence within the horizon",
                "integrated_brier": "mean squared error over the weeks, censoring weighted out",
                "brier_gain": "1 - that over the error of one curve for everybody",
                "ece_4w": "expected calibration error of silence within four weeks",
                "silent_4w": "share that went silent within four weeks",
                "mean_4w": "mean estimate of it",
            }.items()
        ),
        key("choosing_log_loss", "double", "log-loss of the choosing weeks: the least one is put forward"),
        key("training_seconds", "double", "time that training took", unit="s"),
    ),
    key=("month", "learner"),
    partition="month",
)

SILENCE_HAZARDS = Table(
    name="silence_hazards",
    kind=Kind.OUTPUT,
    grain="one row per subscriber and month with an active day on the label channel, who is not silent at its end",
    description="When silence will begin, and who has fallen far below the own habit. Nothing of later days enters.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("month", "date", "first day of the month; the cut-off is its end"),
        key("hazard_1w", "double", "probability that silence begins in the first week after the cut-off"),
        key("p_silent_4w", "double", "probability that it begins within four weeks"),
        key(
            "expected_days", "double", "mean time until it begins; beyond the horizon at a constant hazard", unit="days"
        ),
        col("median_days", "double", "time by which it has begun at even odds; null = beyond the horizon", unit="days"),
        key("change_moment", "boolean", "activity is too little for the own habit to be chance"),
        col("change_moment_reason", "string", "what fell, in words, beside the usual; null = no change moment"),
        col("change_moment_reason_zh", "string", "the same in Chinese"),
        key("model_version", "int", "version of silence_hazard in the registry"),
        key("feature_hash", "string", "of the features and their definitions"),
    ),
    key=("subscriber_id", "month"),
    partition="month",
)
