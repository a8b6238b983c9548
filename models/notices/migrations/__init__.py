"""The steps that bring the tables of the outbox from one release to the next, by Alembic."""
