"""The tables of a study's record, and how a record of an earlier format becomes one of this."""

from __future__ import annotations

SCHEMA_VERSION = 3
STATES = ("pending", "running", "done", "failed", "pruned")

_FORMAT_1 = f"""
CREATE TABLE trials (
    trial INTEGER PRIMARY KEY,
    candidate INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    fold INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN {STATES}),
    epoch INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT ''
);
CREATE TABLE epochs (
    trial INTEGER NOT NULL REFERENCES trials,
    epoch INTEGER NOT NULL,
    accuracy REAL NOT NULL,
    loss REAL NOT NULL,
    val_accuracy REAL NOT NULL,
    val_loss REAL NOT NULL,
    PRIMARY KEY (trial, epoch)
) WITHOUT ROWID;
"""

# The arrays are little-endian.
_WHAT_FORMAT_1_LACKS = """
CREATE TABLE divisions (
    fold INTEGER PRIMARY KEY,
    images BLOB NOT NULL,
    labels BLOB NOT NULL,
    units BLOB NOT NULL
);
CREATE TABLE predictions (
    trial INTEGER PRIMARY KEY REFERENCES trials,
    log_probabilities BLOB NOT NULL
);
"""

# Format 2 kept the predictions of one epoch, the one that the study's rule chose. Those of large
# validation sets lie in several parts, each within SQLite's limit for a value.
_WHAT_FORMAT_2_LACKS = f"""
ALTER TABLE predictions RENAME TO predictions_of_format_2;
CREATE TABLE predictions (
    trial INTEGER NOT NULL REFERENCES trials,
    epoch INTEGER NOT NULL,
    part INTEGER NOT NULL,
    log_probabilities BLOB NOT NULL,
    PRIMARY KEY (trial, epoch, part)
);
INSERT INTO predictions
    SELECT trial, epoch, 0, log_probabilities
    FROM predictions_of_format_2 JOIN trials USING (trial);
DROP TABLE predictions_of_format_2;
PRAGMA user_version = {SCHEMA_VERSION};
"""

# Made where the rule of a study needs the score of each epoch, and not in other studies.
SCORES = """
CREATE TABLE IF NOT EXISTS scores (
    trial INTEGER NOT NULL REFERENCES trials,
    epoch INTEGER NOT NULL,
    val_score REAL NOT NULL,
    PRIMARY KEY (trial, epoch)
) WITHOUT ROWID
"""


def statements(version: int) -> list[str] | None:
    """What makes a record of format `version` (0: an empty file) one of the present format.

    None for a format that is not known here.
    """
    missing = {
        0: _FORMAT_1 + _WHAT_FORMAT_1_LACKS + _WHAT_FORMAT_2_LACKS,
        1: _WHAT_FORMAT_1_LACKS + _WHAT_FORMAT_2_LACKS,
        2: _WHAT_FORMAT_2_LACKS,
        SCHEMA_VERSION: "",
    }.get(version)
    return None if missing is None else [each for each in missing.split(";") if each.strip()]
