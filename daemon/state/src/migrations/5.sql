-- What people and programs talk about with models.
CREATE TABLE conversations (
    number INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES principals (number),
    -- Whoever began it chose it. Somebody else may have the same.
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    model TEXT NOT NULL,
    -- How the model is asked, as JSON.
    settings TEXT NOT NULL,
    -- The message up to which it is shown.
    leaf TEXT,
    -- Seconds since 1970, here and below.
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    -- Its place among its owner's by its last message, whatever the clock said.
    touched INTEGER NOT NULL,
    -- How often something of it was written.
    revision INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    text_bytes INTEGER NOT NULL,
    image_bytes INTEGER NOT NULL,
    UNIQUE (owner, id),
    UNIQUE (owner, touched)
) STRICT;

-- A tree: what was said otherwise, or answered again, has the same parent.
CREATE TABLE messages (
    number INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
    id TEXT NOT NULL,
    -- NULL for one that it begins with. No message is removed before its conversation is.
    parent TEXT,
    role TEXT NOT NULL,
    content TEXT NOT NULL,
    -- All else that is told of it but its images, as JSON.
    body TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (conversation, id)
) STRICT;

-- Beside the messages, as these are read through when something is searched for.
CREATE TABLE images (
    number INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES messages (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (message, position)
) STRICT;

-- Who was somebody before there were roles owns the box.
ALTER TABLE people ADD COLUMN role TEXT NOT NULL DEFAULT 'owner';
-- When they were last seen, if they ever were.
ALTER TABLE people ADD COLUMN seen INTEGER;
