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

-- name: suggested_engineers(tier, equipment_id, customer, passed_over, first)
-- Those of the tier who take work, or everybody who does where nobody is named for the tier. Nobody has written down
-- where a customer is, so it is where who was sent first about their newest ticket works. Of equals, the one who has
-- least to do, as when a ticket is escalated by itself.
SELECT matching.skills AS matching_skills,
    coalesce(e.home_region = (
        SELECT sent.home_region
        FROM service_tickets t
        JOIN engineer_assignments a ON a.ticket_id = t.id AND a.assignment_sequence = 1
        JOIN engineers sent ON sent.id = a.engineer_id AND sent.home_region <> ''
        WHERE t.customer_name = $3
        ORDER BY t.created_at DESC
        LIMIT 1), false) AS same_region,
    (SELECT count(*)
    FROM engineer_assignments held
    WHERE held.engineer_id = e.id AND held.status IN ('assigned', 'accepted', 'in_progress')) AS active_assignments,
    {columns}
FROM engineers e
LEFT JOIN equipment q ON q.id = $2
CROSS JOIN LATERAL (
    SELECT ARRAY(
        SELECT skill
        FROM unnest(e.skills) AS skill
        WHERE lower(skill) IN (lower(q.category), lower(q.model), lower(q.manufacturer))) AS skills
) AS matching
WHERE e.is_active AND e.id IS DISTINCT FROM $4::uuid
  AND (e.id IN (SELECT p.engineer_id FROM engineer_tiers p WHERE p.tier = $1)
      OR NOT EXISTS (SELECT FROM engineer_tiers p WHERE p.tier = $1))
ORDER BY cardinality(matching.skills) DESC, same_region DESC, active_assignments, e.name, e.id
LIMIT $5;
