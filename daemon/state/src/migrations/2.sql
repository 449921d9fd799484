-- Whoever has something of their own here. A number is never given twice, so that what is left of somebody who is gone is nobody's.
CREATE TABLE principals (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    -- local, key or person.
    kind TEXT NOT NULL,
    -- What logs and lists call them by: a key's id, a person's name.
    label TEXT NOT NULL,
    -- Seconds since 1970.
    created INTEGER NOT NULL
) STRICT;
INSERT INTO principals (number, kind, label, created) VALUES (0, 'local', 'local', 0);

-- What programs are known by. They stay when they are revoked: for the lists of what was used.
CREATE TABLE keys (
    owner INTEGER PRIMARY KEY REFERENCES principals (number),
    id TEXT NOT NULL UNIQUE,
    -- SHA-256 of the key's text, which is kept nowhere.
    hash BLOB NOT NULL UNIQUE,
    -- Its first and last characters.
    shown TEXT NOT NULL,
    name TEXT NOT NULL,
    -- What it may, and how much, as JSON.
    policy TEXT NOT NULL,
    -- Seconds since 1970, as are all below.
    created INTEGER NOT NULL,
    expires INTEGER,
    last_used INTEGER,
    revoked INTEGER
) STRICT;

-- What was asked and answered, by whom, on which day.
CREATE TABLE usage (
    owner INTEGER NOT NULL REFERENCES principals (number),
    -- Days since 1970, by UTC.
    day INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    PRIMARY KEY (owner, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_by_day ON usage (day);
