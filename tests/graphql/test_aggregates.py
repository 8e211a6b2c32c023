"""Counts and figures of one operation, which read all matching rows."""

import asyncio

from app.queries import billing, engineers, rates, statistics, tickets

YEAR = 'from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z"'


async def test_aggregates_of_an_operation_are_computed_one_after_another(monkeypatch, ask, make):
    running, concurrency = 0, []

    def observe(module, name):
        query = getattr(module, name)

        async def observed(*args, **kwargs):
            nonlocal running
            running += 1
            concurrency.append(running)
            try:
                await asyncio.sleep(0)
                return await query(*args, **kwargs)
            finally:
                running -= 1

        monkeypatch.setattr(module, name, observed)

    observe(tickets, "count")
    observe(engineers, "count")
    observe(rates, "count_of_engineer")
    observe(statistics, "ticket_figures")
    observe(billing, "totals")
    engineer = await make.engineer()
    await ask(
        f"""{{
            a: tickets(first: 1) {{ totalCount }}
            b: tickets(first: 1, filter: {{search: "b"}}) {{ totalCount }}
            engineers {{ totalCount }}
            hourlyRates(engineerId: "{engineer}") {{ totalCount }}
            c: statistics({YEAR}) {{ tickets {{ total: __typename }} }}
            d: statistics({YEAR}) {{ tickets {{ total: __typename }} }}
            billableTime({YEAR}) {{ totals {{ lines }} lines {{ totalCount }} }}
        }}"""
    )
    assert concurrency == [1] * 8
