-- Answers of models that clients may come back to, each with what it answered.
CREATE TABLE responses (
    number INTEGER PRIMARY KEY,
    -- NULL once nobody may ask for it, but another one goes on from it.
    id TEXT UNIQUE,
    owner INTEGER NOT NULL,
    -- The one that it goes on from.
    previous INTEGER REFERENCES responses (number),
    -- Seconds since 1970.
    created INTEGER NOT NULL,
    -- It is still being made.
    pending INTEGER NOT NULL,
    -- All that clients are told of it but its output.
    body TEXT NOT NULL,
    -- Of its body and its items.
    bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX responses_by_previous ON responses (previous);
CREATE INDEX responses_by_age ON responses (created, bytes);

-- What was said, called and answered.
CREATE TABLE items (
    number INTEGER PRIMARY KEY,
    response INTEGER NOT NULL REFERENCES responses (number) ON DELETE CASCADE,
    -- 0 of the input, 1 of the output.
    kind INTEGER NOT NULL,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (response, kind, position)
) STRICT;
CREATE INDEX items_by_id ON items (id);
