"""What Alembic runs: it migrates over the connection that it is given (see models/database.py).

The other tables of the same database have migrations of their own.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], transactional_ddl=True, version_table="notices_version"
)
with context.begin_transaction():
    context.run_migrations()
