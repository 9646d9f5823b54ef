"""Wrong databases: what becomes of values and statements, and what errors say of them."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from oneiric.errors import ConstraintViolation, OneiricError, QueryError
from oneiric.testing.memory import MemoryDatabase

from mutants.databases import TestRight
from mutants.harness import Mutant

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence


class FormatsValuesIntoTheSql(MemoryDatabase):
    """Quotes and all; it is right for nearly every value."""

    async def fetch_all(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        for number, value in reversed([*enumerate(values, 1)]):
            sql = sql.replace(
                f"${number}", "NULL" if value is None else f"'{value}'" if isinstance(value, str) else f"{value}"
            )
        return await super().fetch_all(sql, timeout=timeout)


class EscapesQuotesByBackslash(MemoryDatabase):
    """As some other database would have it."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        escaped = [value.replace("'", "\\'") if isinstance(value, str) else value for value in values]
        return await super().execute(sql, *escaped, timeout=timeout)


class ReplacesPlaceholdersInStrings(MemoryDatabase):
    """`$1` becomes `?1` by a plain replacement."""

    async def fetch_one(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        return await super().fetch_one(sql.replace("$", "?"), *values, timeout=timeout)


class IgnoresValuesTooMany(MemoryDatabase):
    """What has no placeholder is dropped."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        return await super().execute(sql, *values[:3], timeout=timeout)


class GivesTuples(MemoryDatabase):
    """Rows without names."""

    async def fetch_all(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        return [tuple(row) for row in await super().fetch_all(sql, *values, timeout=timeout)]


class GivesDicts(MemoryDatabase):
    """Rows without an index; and of two columns with one name one is lost."""

    async def fetch_one(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        row = await super().fetch_one(sql, *values, timeout=timeout)
        return None if row is None else dict(row)


class CutsTextAtNul(MemoryDatabase):
    """As C does."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        cut = [value.partition("\0")[0] if isinstance(value, str) else value for value in values]
        return await super().execute(sql, *cut, timeout=timeout)


class KeepsIntegersAsFloats(MemoryDatabase):
    """They are right up to 2**53."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        rounded = [int(float(v)) if isinstance(v, int) and abs(v) < 2**62 else v for v in values]
        return await super().execute(sql, *rounded, timeout=timeout)


class StoresWhatStrMakesOfIt(MemoryDatabase):
    """An object of any type becomes text."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        known = (bool, int, float, str, bytes, type(None))
        return await super().execute(sql, *(v if isinstance(v, known) else str(v) for v in values), timeout=timeout)


class RaisesTheDriversErrors(MemoryDatabase):
    """A broken constraint is sqlite3's own."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        try:
            return await super().execute(sql, *values, timeout=timeout)
        except OneiricError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError):
                raise error.__cause__ from None
            raise


class RepeatsTheValues(MemoryDatabase):
    """In the sentence of an error."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        try:
            return await super().execute(sql, *values, timeout=timeout)
        except OneiricError as error:
            error.message += f" The values were {values!r}."
            raise


class RunsListsOfStatements(MemoryDatabase):
    """One after the other."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        if not values and isinstance(sql, str) and "; " in sql:
            return sum(
                [await super(RunsListsOfStatements, self).execute(each, timeout=timeout) for each in sql.split("; ")]
            )
        return await super().execute(sql, *values, timeout=timeout)


class NotesTheValues(MemoryDatabase):
    """Beside the sentence of an error."""

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None) -> int:
        listed = [*rows]
        try:
            return await super().execute_many(sql, listed, timeout=timeout)
        except OneiricError as error:
            error.add_note(f"The rows were {listed!r}.")
            raise


class RepeatsTheValuesOfInsertMany(MemoryDatabase):
    """There alone, as it takes another way."""

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None
    ) -> int:
        listed = [*rows]
        try:
            return await super().insert_many(table, columns, listed, timeout=timeout)
        except QueryError as error:
            raise QueryError(f"A row of {listed!r} can't be.", adapter=self.name) from error


class RepeatsTheKeyThatIsTaken(MemoryDatabase):
    """As PostgreSQL's detail does."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        try:
            return await super().execute(sql, *values, timeout=timeout)
        except ConstraintViolation as error:
            error.hint = f"Key (s)=({values[0]}) already exists."
            raise


class GivesMemoryviews(MemoryDatabase):
    """Which are equal to the bytes, and can't be hashed, split or decoded."""

    async def fetch_value(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        value = await super().fetch_value(sql, *values, timeout=timeout)
        return memoryview(value) if isinstance(value, bytes) else value


class GivesFloatsAsIntegers(MemoryDatabase):
    """Where they are whole."""

    async def fetch_value(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        value = await super().fetch_value(sql, *values, timeout=timeout)
        return int(value) if isinstance(value, float) and value.is_integer() else value


class StreamsListsOfStatements(MemoryDatabase):
    """It is another way to the driver, and lacks the check."""

    async def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Any]:
        last = sql.split("; ")[-1] if isinstance(sql, str) else sql
        async for row in super().stream(last, *values, batch_size=batch_size, timeout=timeout):
            yield row


class LooksForBeginAtTheBeginning(MemoryDatabase):
    """A comment before it, and it is none."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        if isinstance(sql, str) and sql.startswith("/*"):
            return await self._run(lambda database: database.execute(sql).rowcount, timeout)
        return await super().execute(sql, *values, timeout=timeout)


class CutsStatementsAtNul(MemoryDatabase):
    """As C does."""

    async def fetch_all(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        return await super().fetch_all(
            sql.partition("\0")[0] if isinstance(sql, str) else sql, *values, timeout=timeout
        )


class TakesATextForColumns(MemoryDatabase):
    """Of one letter each."""

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None
    ) -> int:
        listed = [row[:1] for row in rows] if isinstance(columns, str) else rows
        return await super().insert_many(
            table, [columns] if isinstance(columns, str) else columns, listed, timeout=timeout
        )


MUTANTS = [
    Mutant(FormatsValuesIntoTheSql, TestRight, "test_a_value_is_never_sql"),
    Mutant(EscapesQuotesByBackslash, TestRight, "test_a_text_comes_back"),
    Mutant(ReplacesPlaceholdersInStrings, TestRight, "test_what_looks_like_a_placeholder_in_a_string_is_text"),
    Mutant(IgnoresValuesTooMany, TestRight, "test_the_wrong_number_of_values_is_refused"),
    Mutant(GivesTuples, TestRight, "test_a_row_is_read_by_name"),
    Mutant(GivesDicts, TestRight, "test_two_columns_of_one_name_are_both_there"),
    Mutant(CutsTextAtNul, TestRight, "test_a_nul_is_kept_or_refused"),
    Mutant(KeepsIntegersAsFloats, TestRight, "test_an_integer_comes_back"),
    Mutant(StoresWhatStrMakesOfIt, TestRight, "test_an_object_is_refused"),
    Mutant(RaisesTheDriversErrors, TestRight, "test_a_broken_constraint_is_a_constraint_violation"),
    Mutant(RepeatsTheValues, TestRight, "test_an_error_does_not_repeat_a_value"),
    Mutant(RunsListsOfStatements, TestRight, "test_a_second_statement_is_refused"),
    Mutant(NotesTheValues, TestRight, "test_an_error_does_not_repeat_a_value"),
    Mutant(RepeatsTheValuesOfInsertMany, TestRight, "test_an_error_does_not_repeat_a_value"),
    Mutant(RepeatsTheKeyThatIsTaken, TestRight, "test_an_error_does_not_repeat_a_key_that_is_taken"),
    Mutant(GivesMemoryviews, TestRight, "test_bytes_come_back"),
    Mutant(GivesFloatsAsIntegers, TestRight, "test_a_float_comes_back"),
    Mutant(StreamsListsOfStatements, TestRight, "test_a_second_statement_is_refused"),
    Mutant(LooksForBeginAtTheBeginning, TestRight, "test_a_transaction_is_not_begun_by_a_statement"),
    Mutant(CutsStatementsAtNul, TestRight, "test_a_wrong_statement_is_a_query_error"),
    Mutant(TakesATextForColumns, TestRight, "test_insert_many_into_columns_that_can_not_be"),
]
