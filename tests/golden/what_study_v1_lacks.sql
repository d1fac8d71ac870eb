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
PRAGMA user_version = 2;
