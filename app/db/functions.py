"""Looks into JSON columns that the two databases write differently. Each is a plain expression of the row."""

from typing import Any

from sqlalchemy import Boolean, Float, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class MemberText(FunctionElement[Any]):
    """The text of an object's member, `true` or `false` for those; null for anything else. Arguments: object, name."""

    type = Text()
    inherit_cache = True


class MemberNumber(FunctionElement[Any]):
    """An object's member where it is a number, else null. Arguments: object, name."""

    type = Float()
    inherit_cache = True


class HasMember(FunctionElement[Any]):
    """Whether an object has a member that is not null. Arguments: object, name."""

    type = Boolean()
    inherit_cache = True


class Largest(FunctionElement[Any]):
    """The largest number of a list of numbers; null for null. Argument: list."""

    type = Float()
    inherit_cache = True


class Holds(FunctionElement[Any]):
    """Whether a list holds a whole number; no null list does. Arguments: list, number."""

    type = Boolean()
    inherit_cache = True


class AnyMemberLike(FunctionElement[Any]):
    """Whether a value of an object is like a pattern, `/` being the escape. Arguments: object, lower-case pattern."""

    type = Boolean()
    inherit_cache = True


class Tested(FunctionElement[Any]):
    """A column as it is, which SQLite tests but does not look up by an index. Argument: column."""

    inherit_cache = True

    def __init__(self, column: Any) -> None:
        self.type = column.type
        super().__init__(column)


SQLITE = {
    Tested: "+{0}",
    MemberText: "(SELECT CASE type WHEN 'text' THEN value WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' END"
    " FROM json_each({0}) WHERE key = {1})",
    MemberNumber: "(SELECT CASE WHEN type IN ('integer', 'real') THEN value END FROM json_each({0}) WHERE key = {1})",
    HasMember: "EXISTS (SELECT 1 FROM json_each({0}) WHERE key = {1} AND type <> 'null')",
    Largest: "(SELECT max(value) FROM json_each({0}))",
    Holds: "EXISTS (SELECT 1 FROM json_each({0}) WHERE value = {1})",
    AnyMemberLike: "EXISTS (SELECT 1 FROM json_each({0}) WHERE lower(value) LIKE {1} ESCAPE '/')",
}
POSTGRESQL = {
    Tested: "{0}",
    MemberText: "CASE WHEN jsonb_typeof({0} -> {1}::text) IN ('string', 'boolean') THEN {0} ->> {1}::text END",
    MemberNumber: "CASE WHEN jsonb_typeof({0} -> {1}::text) = 'number' THEN ({0} ->> {1}::text)::float8 END",
    HasMember: "coalesce(jsonb_typeof({0} -> {1}::text), 'null') <> 'null'",
    Largest: "(SELECT max(value::float8) FROM jsonb_array_elements_text({0}))",
    Holds: "coalesce({0} @> to_jsonb({1}::bigint), false)",
    AnyMemberLike: "EXISTS (SELECT 1 FROM jsonb_each_text({0}) WHERE lower(value) LIKE {1} ESCAPE '/')",
}


def _teach(dialect: str, forms: dict[type[FunctionElement[Any]], str]) -> None:
    for kind, form in forms.items():

        def written(element: Any, compiler: Any, _form: str = form, **more: Any) -> str:
            return _form.format(*(compiler.process(each, **more) for each in element.clauses))

        compiles(kind, dialect)(written)


_teach("sqlite", SQLITE)
_teach("postgresql", POSTGRESQL)
