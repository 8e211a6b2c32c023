-- What was worked and used up in assignments that ended from $1 on and before $2, and what that costs. The end decides
-- both the period and the rate: an assignment tells its hours in one number, which a correction changes in its row.

-- fragment: ended_at
coalesce(a.completed_at, a.rejected_at)

-- fragment: billable
-- Who did not even begin has nothing to bill. Who began and told no hours is not passed over.
{ended_at} >= $1 AND {ended_at} < $2
  AND a.status IN ('completed', 'failed', 'rejected', 'escalated', 'cancelled')
  AND (a.status IN ('completed', 'failed') OR a.started_at IS NOT NULL OR a.time_spent_hours IS NOT NULL
      OR a.parts_used <> '[]')
  AND ($3::text IS NULL OR a.ticket_id IN (SELECT t.id FROM service_tickets t WHERE t.customer_name = $3))
  AND ($4::text IS NULL OR a.ticket_id = $4)

-- fragment: line
a.ticket_id, a.engineer_id, coalesce(r.id, 0) AS rate_id, r.hourly_rate, r.valid_from AS rate_valid_from,
    count(*) AS assignments,
    sum(a.time_spent_hours) AS hours,
    count(*) - count(a.time_spent_hours) AS assignments_without_hours,
    round(sum(a.time_spent_hours) * r.hourly_rate, 2) AS labour_cost,
    coalesce(sum(u.cost), CASE WHEN sum(u.without_price) = 0 THEN 0.00 END) AS parts_cost,
    sum(u.without_price)::bigint AS parts_without_price,
    CASE WHEN count(*) = count(a.time_spent_hours) AND sum(u.without_price) = 0
        THEN round(sum(a.time_spent_hours) * r.hourly_rate, 2) + coalesce(sum(u.cost), 0) END AS cost,
    jsonb_path_query_array(jsonb_agg(u.parts ORDER BY a.assignment_sequence), '$[*][*]') AS parts

-- fragment: priced
FROM engineer_assignments a
LEFT JOIN LATERAL (
    SELECT r.id, r.hourly_rate, r.valid_from
    FROM hourly_rates r
    WHERE r.engineer_id = a.engineer_id AND r.valid_from <= {ended_at}
    ORDER BY r.valid_from DESC, r.id DESC
    LIMIT 1
) AS r ON true
CROSS JOIN LATERAL (
    SELECT sum(p.cost) AS cost, count(*) - count(p.cost) AS without_price,
        coalesce(jsonb_agg(jsonb_build_object('part_number', p.part_number, 'part_name', p.part_name,
            'quantity', p.quantity, 'price', p.price::text, 'cost', p.cost::text)), '[]') AS parts
    FROM (
        SELECT p.part_number, p.part_name, p.quantity, p.price, round(p.quantity * p.price, 2) AS cost
        FROM (
            -- Old rows may say anything in place of a number, or nothing.
            SELECT j.part->>'part_number' AS part_number, j.part->>'part_name' AS part_name,
                CASE WHEN j.part->>'quantity' ~ '^\d{1,5}$' THEN (j.part->>'quantity')::int END AS quantity,
                CASE WHEN j.part->>'cost' ~ '^\d{1,7}(\.\d{1,4})?$' THEN (j.part->>'cost')::numeric END AS price
            FROM jsonb_array_elements(a.parts_used) AS j (part)
        ) AS p
    ) AS p
) AS u

-- fragment: by_line
GROUP BY a.ticket_id, a.engineer_id, r.id, r.hourly_rate, r.valid_from

-- fragment: lines
(
    SELECT {line}
    {priced}
    WHERE {billable}
    {by_line}
) AS l

-- fragment: shown
l.ticket_id, l.engineer_id, l.rate_id, l.hourly_rate, l.rate_valid_from, l.assignments, l.hours,
    l.assignments_without_hours, l.labour_cost, l.parts_cost, l.parts_without_price, l.cost, l.parts,
    t.ticket_number, t.customer_name, e.name AS engineer_name

-- fragment: named
JOIN service_tickets t ON t.id = l.ticket_id
JOIN engineers e ON e.id = l.engineer_id

-- fragment: in_order
ORDER BY l.ticket_id, l.engineer_id, l.rate_id

-- name: billable_lines(start, until, customer, ticket_id, after_ticket, after_engineer, after_rate, first)
-- By ticket, engineer and rate. So many tickets have as many lines at least, so no others need to be priced.
WITH page AS (
    SELECT DISTINCT ended.ticket_id
    FROM (
        SELECT a.ticket_id
        FROM engineer_assignments a
        WHERE {billable}
          AND ($5::text IS NULL OR a.ticket_id >= $5)
        -- Or all tickets would be walked by id: up to the period, where ids grow with time, those are years.
        OFFSET 0
    ) AS ended
    ORDER BY ended.ticket_id
    LIMIT $8::bigint + 1
)
SELECT {shown}
FROM (
    SELECT {line}
    {priced}
    WHERE {billable}
      -- Not IN: where few were expected, each ticket would be priced before it is looked for in the page.
      AND a.ticket_id = ANY (ARRAY(SELECT page.ticket_id FROM page))
    {by_line}
) AS l
{named}
WHERE $5::text IS NULL OR (l.ticket_id, l.engineer_id, l.rate_id) > ($5, $6::uuid, $7::bigint)
{in_order}
LIMIT $8;

-- name: every_billable_line(start, until, customer, ticket_id)
-- Without a page, in which each of many tickets would have to be looked for.
SELECT {shown}
FROM {lines}
{named}
{in_order};

-- name: billable_totals(start, until, customer, ticket_id)
-- Each is the sum of a column of the lines: what is rounded in a line is not rounded again.
SELECT count(*) AS lines,
    count(*) - count(l.cost) AS lines_without_cost,
    coalesce(sum(l.assignments), 0)::bigint AS assignments,
    coalesce(sum(l.hours), 0.00) AS hours,
    coalesce(sum(l.hours) FILTER (WHERE l.hourly_rate IS NULL), 0.00) AS unpriced_hours,
    coalesce(sum(l.assignments_without_hours), 0)::bigint AS assignments_without_hours,
    coalesce(sum(l.labour_cost), 0.00) AS labour_cost,
    coalesce(sum(l.parts_cost), 0.00) AS parts_cost,
    coalesce(sum(l.parts_without_price), 0)::bigint AS parts_without_price,
    coalesce(sum(l.cost), 0.00) AS cost
FROM {lines};
