-- fragment: columns
r.id, r.engineer_id, r.hourly_rate, r.valid_from, r.set_by, r.set_at

-- name: rate_snapshot(engineer_id, valid_from, actor, idempotency_key)
-- Everything SetHourlyRate decides on: whether the engineer exists, the stored idempotency key, and the rate that
-- already applies from exactly that moment.
SELECT app_now() AS now,
    EXISTS (SELECT FROM engineers e WHERE e.id = $1) AS engineer_exists,
    k.request_hash,
    k.hourly_rate_id,
    {columns}
FROM (SELECT) AS one_row
LEFT JOIN idempotency_keys k ON k.actor = $3 AND k.key = $4
LEFT JOIN hourly_rates r ON r.engineer_id = $1 AND r.valid_from = $2
ORDER BY r.id DESC
LIMIT 1;

-- name: add_rate(engineer_id, hourly_rate, valid_from, set_by, set_at, request_id, token_id)
INSERT INTO hourly_rates AS r (engineer_id, hourly_rate, valid_from, set_by, set_at, request_id, token_id)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING {columns};

-- name: insert_rate_key(actor, idempotency_key, request_hash, hourly_rate_id, now)
-- As in assignments.save_change, a key must not end before it began.
INSERT INTO idempotency_keys (actor, key, request_hash, hourly_rate_id, created_at, day)
VALUES ($1, $2, $3, $4, $5, (greatest(app_now(), $5) AT TIME ZONE 'UTC')::date);

-- name: rate_by_id(hourly_rate_id)
SELECT {columns}
FROM hourly_rates r
WHERE r.id = $1;

-- name: rates_of_engineer(engineer_id, after_valid_from, after_id, first)
-- Newest first. Of rates with the same valid_from, the one that applies comes first.
SELECT {columns}
FROM hourly_rates r
WHERE r.engineer_id = $1
  AND ($2::timestamptz IS NULL OR (r.valid_from, r.id) < ($2, $3::bigint))
ORDER BY r.valid_from DESC, r.id DESC
LIMIT $4;

-- name: count_rates_of_engineer(engineer_id)
SELECT count(*)
FROM hourly_rates r
WHERE r.engineer_id = $1;
