-- Whom a delta is for: taken in from elsewhere, learned by a night from the owner's own texts and so for the owner alone,
-- or distilled for others and past the leakage gate. What is known before this is a night's where a night names it.
ALTER TABLE deltas ADD COLUMN kind TEXT NOT NULL DEFAULT 'imported' CHECK (kind IN ('imported', 'private', 'public'));
UPDATE deltas SET kind = 'private' WHERE hash IN (SELECT delta FROM nights WHERE delta IS NOT NULL);
-- A private one takes no seat among others.
DELETE FROM seats WHERE delta IN (SELECT hash FROM deltas WHERE kind = 'private');

-- While something for others is made of what a night learned: the sealed object of the delta that passed the test. And
-- the delta for others that it made.
ALTER TABLE nights ADD COLUMN tested BLOB CHECK (tested IS NULL OR length(tested) = 32);
ALTER TABLE nights ADD COLUMN shared BLOB CHECK (shared IS NULL OR length(shared) = 32);
