-- Who made a lease, by name, since not everybody who does has a uid; in which
-- systemd unit its claimant must be; and the hash of the token that may claim
-- it in its place: empty for none. The token itself is nowhere.
ALTER TABLE lease ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE lease ADD COLUMN claimant_unit TEXT NOT NULL DEFAULT '';
ALTER TABLE lease ADD COLUMN token_hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE lease ADD COLUMN token_expires_us INTEGER NOT NULL DEFAULT 0;
UPDATE lease SET owner = 'uid:' || owner_uid;
