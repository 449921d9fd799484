-- People who may sign in, by the number of their owner among the principals.
CREATE TABLE people (
    owner INTEGER PRIMARY KEY REFERENCES principals (number),
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    -- As the Password Hashing Competition writes it, with what it takes to compute it.
    password_hash TEXT NOT NULL,
    -- Seconds since 1970, here and below.
    created INTEGER NOT NULL,
    password_changed INTEGER NOT NULL
) STRICT;

-- Browsers that are signed in.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    -- SHA-256 of what the browser has.
    hash BLOB NOT NULL UNIQUE,
    owner INTEGER NOT NULL REFERENCES people (owner) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    address TEXT,
    agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_owner ON sessions (owner);

-- Where the audit log begins and ends, so that what was cut off from it is missed.
CREATE TABLE audit (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- The last entry that was removed with age, and its hash; 0 and zeros if none was.
    removed INTEGER NOT NULL,
    removed_hash BLOB NOT NULL,
    -- The last entry, and its hash.
    last INTEGER NOT NULL,
    last_hash BLOB NOT NULL
) STRICT;
