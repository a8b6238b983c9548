"""What Alembic runs: it migrates over the connection that the log gives it (see log.py)."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
