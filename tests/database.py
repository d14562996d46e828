"""How the database is emptied after a test that commits: back to what the migrations left, in milliseconds.

Django's `flush` truncates every table with all its indexes, and writes content types and permissions anew. For hundreds
of tests that was a minute of the suite; and what migrations had written was gone after the first of them.
"""

from django.db import connection
from django.test import TransactionTestCase

EMPTY = "DELETE FROM {table};"
# Rewritten only when touched, so that a table nobody touches does not fill with dead rows.
BRING_BACK = """
    IF EXISTS (
        (TABLE {table} EXCEPT TABLE pristine.{table}) UNION ALL (TABLE pristine.{table} EXCEPT TABLE {table})
    ) THEN
        DELETE FROM {table};
        INSERT INTO {table} TABLE pristine.{table};
    END IF;
"""
# The lock waits for whoever still writes, as TRUNCATE would. As a replica the server fires no trigger: neither foreign
# keys, all of which hold again at the end, nor the ones that make tables append-only.
RESTORE = """
    CREATE FUNCTION pristine.restore() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$
    BEGIN
        LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE;
        {statements}
    END $$
"""


def remember_pristine() -> None:
    """Copy what the migrations left, and from now on bring that back after each test that commits.

    It takes a superuser, which the tests' own server gives; elsewhere Django's way stays.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() != (True,):
            return
        names = sorted(connection.introspection.django_table_names(only_existing=True, include_views=False))
        tables = [connection.ops.quote_name(name) for name in names]
        cursor.execute("CREATE SCHEMA pristine")
        statements = []
        for table in tables:
            cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
            has_rows = cursor.fetchone() == (True,)
            if has_rows:
                cursor.execute(f"CREATE TABLE pristine.{table} AS TABLE {table}")
            statements.append((BRING_BACK if has_rows else EMPTY).format(table=table))
        cursor.execute(RESTORE.format(tables=", ".join(tables), statements="\n".join(statements)))
    TransactionTestCase._fixture_teardown = _restore  # type: ignore[attr-defined]


def empty_database() -> None:
    """For what commits outside a test, such as a fixture of a whole module."""
    TransactionTestCase()._fixture_teardown()  # type: ignore[attr-defined]


def _restore(_: TransactionTestCase) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pristine.restore()")
