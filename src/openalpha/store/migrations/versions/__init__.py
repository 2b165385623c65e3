"""One file a step of the schema; the newest is `store.database.REVISION`."""
