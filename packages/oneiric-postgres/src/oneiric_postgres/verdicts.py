"""Whether a query leaves its session as it was, as the server's catalog says.

A SELECT can change its session by whatever it calls: `set_config`, an advisory lock, a function that somebody wrote, which may
be reached through a view, a row security policy, an operator, a cast, an index's expression, or a name that is found before
the one of the system. So a query is clean only where every name in its text is looked up, in all schemas, and none is

- a view, a foreign table, a table with rules or row security (or whose partitions have any), or with a column of a type that
  isn't the system's own (enums are allowed);
- a function that isn't the system's, or that is volatile, or that runs what it is given as text;
- a type that isn't the system's; nor is an operator in it one that somebody made for the system's types, nor a cast.

That is more than what the query means: a column `lower` is taken for the function. What is not proved to be clean is dirty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

    from oneiric_postgres.statement import Statement

LIFETIME = 5.0
"""Seconds that a verdict holds: what somebody else creates meanwhile is seen after that."""

_HARMLESS = (
    "random", "random_normal", "clock_timestamp", "timeofday", "gen_random_uuid", "uuidv4", "uuidv7", "pg_sleep",
    "pg_backend_pid", "txid_current", "pg_current_xact_id",
)  # fmt: skip
"""Volatile functions of the system that leave a session as it is."""

_QUERY = """
WITH RECURSIVE named AS (
  SELECT c.oid, c.relkind, c.relam, c.relrowsecurity, c.relhasrules
  FROM pg_catalog.pg_class c
  WHERE c.relname {op}= ANY ($1::pg_catalog.name[]) AND c.oid {op}>= 16384::pg_catalog.oid
    AND c.relkind {op}= ANY ('{{r,p,v,m,f}}'::pg_catalog."char"[])
  UNION
  SELECT c.oid, c.relkind, c.relam, c.relrowsecurity, c.relhasrules
  FROM named
  JOIN pg_catalog.pg_inherits i ON i.inhparent {op}= named.oid
  JOIN pg_catalog.pg_class c ON c.oid {op}= i.inhrelid
),
foreign_types AS (
  SELECT t.oid FROM pg_catalog.pg_type t
  WHERE t.oid {op}>= 16384::pg_catalog.oid AND t.typtype {op}= 'b'::pg_catalog."char" AND t.typelem {op}= 0::pg_catalog.oid
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_cast k
      WHERE k.casttarget {op}= t.oid AND k.castsource {op}< 16384::pg_catalog.oid
        AND k.castcontext {op}= 'i'::pg_catalog."char")
)
SELECT NOT (
  EXISTS (
    SELECT FROM named n
    WHERE n.relkind {op}= ANY ('{{v,f}}'::pg_catalog."char"[]) OR n.relrowsecurity
      OR (n.relhasrules AND n.relkind {op}<> 'm'::pg_catalog."char") OR n.relam {op}>= 16384::pg_catalog.oid)
  OR EXISTS (
    SELECT FROM named n
    JOIN pg_catalog.pg_attribute a ON a.attrelid {op}= n.oid AND a.attnum {op}> 0::pg_catalog.int2 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid {op}= a.atttypid
    LEFT JOIN pg_catalog.pg_type e ON e.oid {op}= t.typelem
    WHERE a.attgenerated {op}= 'v'::pg_catalog."char" OR (
      t.oid {op}>= 16384::pg_catalog.oid AND t.typtype {op}<> 'e'::pg_catalog."char"
      AND NOT COALESCE(e.typtype {op}= 'e'::pg_catalog."char", false)))
  OR EXISTS (
    SELECT FROM pg_catalog.pg_proc p
    WHERE p.proname {op}= ANY ($1::pg_catalog.name[]) AND CASE WHEN p.oid {op}< 16384::pg_catalog.oid
      THEN (p.provolatile {op}= 'v'::pg_catalog."char" AND NOT (p.proname {op}= ANY ($3::pg_catalog.name[])))
        OR p.proargtypes::pg_catalog.oid[] {op}&& ARRAY[2275, 2281]::pg_catalog.oid[]
        OR p.proname::pg_catalog.text {op}~ '_to_xml|^pg_input_'::pg_catalog.text
      ELSE NOT (
        p.proargtypes::pg_catalog.oid[] {op}&& ARRAY(SELECT f.oid FROM foreign_types f)
        AND EXISTS (SELECT FROM pg_catalog.pg_proc b
          WHERE b.proname {op}= p.proname AND b.oid {op}< 16384::pg_catalog.oid)) END)
  OR EXISTS (
    SELECT FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_class c ON c.oid {op}= t.typrelid
    WHERE t.typname {op}= ANY ($1::pg_catalog.name[]) AND t.oid {op}>= 16384::pg_catalog.oid
      AND t.typtype {op}<> 'e'::pg_catalog."char"
      AND NOT COALESCE(c.relkind {op}= ANY ('{{r,p,m,S}}'::pg_catalog."char"[]), false))
  OR EXISTS (
    SELECT FROM pg_catalog.pg_operator o
    WHERE o.oprname {op}= ANY ($2::pg_catalog.name[]) AND o.oid {op}>= 16384::pg_catalog.oid AND NOT (
      ARRAY[o.oprleft, o.oprright] {op}&& ARRAY(SELECT f.oid FROM foreign_types f)
      AND EXISTS (SELECT FROM pg_catalog.pg_operator b
        WHERE b.oprname {op}= o.oprname AND b.oid {op}< 16384::pg_catalog.oid)))
  OR EXISTS (
    SELECT FROM pg_catalog.pg_cast k
    WHERE k.oid {op}>= 16384::pg_catalog.oid AND k.castsource {op}< 16384::pg_catalog.oid
      AND k.casttarget {op}< 16384::pg_catalog.oid)
  OR EXISTS (
    SELECT FROM named n CROSS JOIN LATERAL (
      SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AS class, n.oid AS object
      UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, i.indexrelid
        FROM pg_catalog.pg_index i WHERE i.indrelid {op}= n.oid
      UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid, k.oid
        FROM pg_catalog.pg_constraint k WHERE k.conrelid {op}= n.oid
      UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass::pg_catalog.oid, s.oid
        FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid {op}= n.oid
    ) part
    JOIN pg_catalog.pg_depend d ON d.classid {op}= part.class AND d.objid {op}= part.object
    WHERE d.refclassid {op}= ANY (ARRAY[
      'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid,
      'pg_catalog.pg_operator'::pg_catalog.regclass::pg_catalog.oid]))
)
"""


def _with_operators_of_the_system(sql: str) -> str:
    """`{op}=` as `OPERATOR(pg_catalog.=)`: a search path may have somebody's own operators before the system's."""
    for symbol in ("<>", ">=", "&&", "=", "<", ">", "~"):
        sql = sql.replace(f"{{op}}{symbol} ", f"OPERATOR(pg_catalog.{symbol}) ")
    return sql.replace("{{", "{").replace("}}", "}")


_SQL = _with_operators_of_the_system(_QUERY)


async def is_clean(connection: asyncpg.Connection, known: Statement, timeout: float) -> bool:
    """Whether the catalog proves that the query leaves its session as it was. The session itself has to be clean."""
    found = await connection.fetchval(
        _SQL, sorted(known.names), sorted(known.operators), list(_HARMLESS), timeout=timeout
    )
    return bool(found)
