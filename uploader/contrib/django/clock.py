"""The database's clock: what leases end by, however the clocks of machines differ.

Rule: an expression, so that reading the time and acting on it is one statement.
"""

from __future__ import annotations

from typing import Any

from django.db.models import FloatField, Func


class DatabaseTime(Func):
    """Seconds since the epoch, as the database counts them.

    SQLite tells milliseconds, Oracle whole seconds.
    """

    arity = 0
    output_field = FloatField()

    def as_sql(self, compiler: Any, connection: Any, *_: Any, **__: Any) -> Any:
        # From standard SQL alone; a database that is none of those below may know it.
        template = "EXTRACT(EPOCH FROM CURRENT_TIMESTAMP)"
        return super().as_sql(compiler, connection, template=template)

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:
        template = "EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP())::double precision"
        return super().as_sql(compiler, connection, template=template)

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:
        # The Julian day of 1970-01-01 00:00.
        template = "((JULIANDAY('now') - 2440587.5) * 86400.0)"
        return super().as_sql(compiler, connection, template=template)

    def as_mysql(self, compiler: Any, connection: Any, **_: Any) -> Any:
        # Not UNIX_TIMESTAMP(NOW()), which takes an hour of autumn for another in some time zones.
        template = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000.0)"
        return super().as_sql(compiler, connection, template=template)

    def as_oracle(self, compiler: Any, connection: Any, **_: Any) -> Any:
        template = "((CAST(SYS_EXTRACT_UTC(SYSTIMESTAMP) AS DATE) - DATE '1970-01-01') * 86400)"
        return super().as_sql(compiler, connection, template=template)
