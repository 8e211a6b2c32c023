-- Hours and parts of assignments that ended from $1 (included) to $2 (excluded), and their cost. The end of an assignment
-- decides both its period and its rate: its hours are a single number, which a correction changes in place.

-- fragment: is_billable
-- An assignment that was never started has nothing to bill. A started one counts even if its hours are missing.
{assignments.ended_at} >= $1 AND {assignments.ended_at} < $2
  AND {assignments.has_ended}
  AND (a.status IN ('completed', 'failed') OR a.started_at IS NOT NULL OR a.time_spent_hours IS NOT NULL
      OR a.parts_used <> '[]')
  AND ($3::text IS NULL OR a.ticket_id IN (SELECT t.id FROM service_tickets t WHERE t.customer_name = $3))
  AND ($4::text IS NULL OR a.ticket_id = $4)

-- fragment: line_columns
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

-- fragment: from_assignments_with_cost
FROM engineer_assignments a
LEFT JOIN LATERAL (
    SELECT r.id, r.hourly_rate, r.valid_from
    FROM hourly_rates r
    WHERE r.engineer_id = a.engineer_id AND r.valid_from <= {assignments.ended_at}
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
            -- Rows from the old application may lack numbers or contain other text.
            SELECT j.part->>'part_number' AS part_number, j.part->>'part_name' AS part_name,
                CASE WHEN j.part->>'quantity' ~ '^\d{1,5}$' THEN (j.part->>'quantity')::int END AS quantity,
                CASE WHEN j.part->>'cost' ~ '^\d{1,7}(\.\d{1,4})?$' THEN (j.part->>'cost')::numeric END AS price
            FROM jsonb_array_elements(a.parts_used) AS j (part)
        ) AS p
    ) AS p
) AS u

-- fragment: group_by_line
GROUP BY a.ticket_id, a.engineer_id, r.id, r.hourly_rate, r.valid_from

-- fragment: lines
(
    SELECT {line_columns}
    {from_assignments_with_cost}
    WHERE {is_billable}
    {group_by_line}
) AS l

-- fragment: columns
l.ticket_id, l.engineer_id, l.rate_id, l.assignments, l.hours, l.assignments_without_hours, l.hourly_rate,
    l.rate_valid_from, l.labour_cost, l.parts, l.parts_cost, l.parts_without_price, l.cost,
    t.ticket_number, t.customer_name, e.name AS engineer_name

-- fragment: join_names
JOIN service_tickets t ON t.id = l.ticket_id
JOIN engineers e ON e.id = l.engineer_id

-- fragment: order_by
ORDER BY l.ticket_id, l.engineer_id, l.rate_id

-- name: billable_lines(start, until, customer, ticket_id, after_ticket, after_engineer, after_rate, first)
-- Ordered by ticket, engineer and rate. A page of $8 lines needs at most $8 + 1 tickets, so only those are priced.
WITH page AS (
    SELECT DISTINCT ended.ticket_id
    FROM (
        SELECT a.ticket_id
        FROM engineer_assignments a
        WHERE {is_billable}
          AND ($5::text IS NULL OR a.ticket_id >= $5)
        -- OFFSET keeps the planner from scanning all tickets by id: before the period, that may be years of them.
        OFFSET 0
    ) AS ended
    ORDER BY ended.ticket_id
    LIMIT $8::bigint + 1
)
SELECT {columns}
FROM (
    SELECT {line_columns}
    {from_assignments_with_cost}
    WHERE {is_billable}
      -- Not IN: if the planner expects few rows, it would price each ticket before it checks the page.
      AND a.ticket_id = ANY (ARRAY(SELECT page.ticket_id FROM page))
    {group_by_line}
) AS l
{join_names}
WHERE $5::text IS NULL OR (l.ticket_id, l.engineer_id, l.rate_id) > ($5, $6::uuid, $7::bigint)
{order_by}
LIMIT $8;

-- name: every_billable_line(start, until, customer, ticket_id)
-- All lines in one statement: checking a page would cost time for each of many tickets.
SELECT {columns}
FROM {lines}
{join_names}
{order_by};

-- name: billable_totals(start, until, customer, ticket_id)
-- Sums the rounded values of the lines, so the totals equal the sums of what the lines show.
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
