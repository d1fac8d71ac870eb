-- A study of format 1 as its first version wrote it: every state, and an interrupted trial.
CREATE TABLE trials (
    trial INTEGER PRIMARY KEY,
    candidate INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    fold INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'running', 'done', 'failed', 'pruned')),
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
INSERT INTO trials VALUES (1, 1, 0, 0, 'done', 2, '');
INSERT INTO trials VALUES (2, 1, 1, 0, 'failed', 1, 'diverged in epoch 2');
INSERT INTO trials VALUES (3, 2, 0, 0, 'pruned', 1, 'no longer promising');
INSERT INTO trials VALUES (4, 2, 1, 0, 'running', 0, '');
INSERT INTO trials VALUES (5, 3, 0, 0, 'pending', 0, '');
INSERT INTO epochs VALUES (1, 1, 0.25, 1.5, 0.5, 1.25);
INSERT INTO epochs VALUES (1, 2, 0.1, 0.30000000000000004, 0.75, 1e-300);
INSERT INTO epochs VALUES (2, 1, 0.25, 1.5, 0.5, 1.25);
INSERT INTO epochs VALUES (3, 1, 0.5, 1.0, 0.5, 1.0);
PRAGMA user_version = 1;
