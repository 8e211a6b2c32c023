-- fragment: columns
e.id, e.name, e.email, e.engineer_level AS level, e.home_region AS region, e.skills, e.is_active

-- fragment: active_assignments
(SELECT count(*)
    FROM engineer_assignments active
    WHERE active.engineer_id = e.id AND active.status IN ('assigned', 'accepted', 'in_progress'))

-- fragment: matches_search_1
$1::text IS NULL
    OR regexp_replace(e.name, {tickets.white_space}, ' ', 'g') ILIKE $1
    OR regexp_replace(e.home_region, {tickets.white_space}, ' ', 'g') ILIKE $1

-- name: engineers_by_ids(engineer_ids)
SELECT {columns}
FROM engineers e
WHERE e.id = ANY ($1::uuid[]);

-- name: engineers_by_name(search, after_name, after_id, first)
SELECT {columns}
FROM engineers e
WHERE ({matches_search_1})
  AND (e.name, e.id) > (coalesce($2::text, ''), coalesce($3::uuid, '00000000-0000-0000-0000-000000000000'))
ORDER BY e.name, e.id
LIMIT $4;

-- name: count_engineers(search)
SELECT count(*)
FROM engineers e
WHERE {matches_search_1};

-- name: suggested_engineers(tier, equipment_id, customer, excluded, first)
-- The active engineers of the tier, or all active engineers if the tier has none. The customer's region is not stored, so
-- the region of the engineer first assigned to the customer's newest ticket is used. Ties go to the engineer with the
-- fewest active assignments, as in automatic escalation.
SELECT matching.skills AS matching_skills,
    coalesce(e.home_region = (
        SELECT first_engineer.home_region
        FROM service_tickets t
        JOIN engineer_assignments a ON a.ticket_id = t.id AND a.assignment_sequence = 1
        JOIN engineers first_engineer ON first_engineer.id = a.engineer_id AND first_engineer.home_region <> ''
        WHERE t.customer_name = $3
        ORDER BY t.created_at DESC
        LIMIT 1), false) AS same_region,
    {active_assignments} AS active_assignments,
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
