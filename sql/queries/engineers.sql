-- fragment: columns
e.id, e.name, e.email, e.engineer_level AS level, e.home_region AS region, e.skills, e.is_active

-- name: engineers_by_ids(engineer_ids)
SELECT {columns}
FROM engineers e
WHERE e.id = ANY ($1::uuid[]);

-- name: engineers_by_name(search, after_name, after_id, first)
SELECT {columns}
FROM engineers e
WHERE ($1::text IS NULL OR e.name ILIKE $1 OR e.home_region ILIKE $1)
  AND (e.name, e.id) > (coalesce($2::text, ''), coalesce($3::uuid, '00000000-0000-0000-0000-000000000000'))
ORDER BY e.name, e.id
LIMIT $4;

-- name: count_engineers(search)
SELECT count(*)
FROM engineers e
WHERE $1::text IS NULL OR e.name ILIKE $1 OR e.home_region ILIKE $1;
