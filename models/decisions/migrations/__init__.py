"""The steps that bring a database of decisions from one release to the next, by Alembic."""
