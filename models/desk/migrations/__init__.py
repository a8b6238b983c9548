"""The steps that bring the desk's tables from one release to the next, by Alembic."""
