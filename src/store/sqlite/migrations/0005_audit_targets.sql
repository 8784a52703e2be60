-- The newest entry about a resource, for when an older one is pruned. Most entries are about sessions,
-- and nobody looks for those by their target.
CREATE INDEX audit_by_target ON audit (target, sequence)
WHERE action <> 'session.create' AND action <> 'session.revoke';
