-- Those for whom paired boxes ask, principals of the kind `peer`, are found by their labels: the number of the box's key, a slash, and
-- what the box calls them.
CREATE UNIQUE INDEX principals_of_peers ON principals (label) WHERE kind = 'peer';
