-- The ledger is append-only, also against a bug.
CREATE TRIGGER ledger_keeps BEFORE UPDATE ON ledger
BEGIN SELECT RAISE (ABORT, 'ledger entries are never changed'); END;
CREATE TRIGGER ledger_stays BEFORE DELETE ON ledger
BEGIN SELECT RAISE (ABORT, 'ledger entries are never removed'); END;
CREATE TRIGGER leaf_commitment_keeps BEFORE UPDATE OF seq, leaf, commitment ON ledger_leaves
BEGIN SELECT RAISE (ABORT, 'ledger commitments are never changed'); END;
CREATE TRIGGER leaf_stays BEFORE DELETE ON ledger_leaves
BEGIN SELECT RAISE (ABORT, 'ledger commitments are never removed'); END;
