"""Work that operations share: key batches, coalesced queries, events. Only app.graphql imports it."""
