-- name: forget_keys(kept, batch)
-- The oldest first. What another server is about to forget is left to it.
WITH forgotten AS (
    DELETE FROM idempotency_keys k
    WHERE k.ctid = ANY (ARRAY(
        SELECT old.ctid
        FROM idempotency_keys old
        WHERE old.created_at < (SELECT app_now()) - $1::interval
        ORDER BY old.created_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED))
    RETURNING k.key
)
SELECT count(*) FROM forgotten;
