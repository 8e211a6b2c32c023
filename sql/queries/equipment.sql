-- fragment: columns
e.id, e.name, e.serial_number, e.manufacturer, e.model, e.category

-- name: equipment_by_ids(equipment_ids)
SELECT {columns}
FROM equipment e
WHERE e.id = ANY ($1::text[]);
