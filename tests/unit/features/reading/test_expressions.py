"""Expressions of a mapping: what they compute row by row, and that every way to reach outside the row is refused."""

import polars as pl
import pytest

from features.reading.expressions import LONGEST, parse


def computed(sql: str, *rows: dict[str, object]) -> list[tuple[object, object]]:
    expression = parse(sql)
    return pl.DataFrame(list(rows)).select(value=expression.value, fault=expression.fault).rows()


@pytest.mark.parametrize(
    ("sql", "row", "value"),
    [
        ("SPLIT_PART(item, ' of ', 1)", {"item": "1 of 3"}, "1"),
        ("day || ' ' || hour", {"day": "2024-02-29", "hour": "13:05"}, "2024-02-29 13:05"),
        ("day || ' ' || hour", {"day": "2024-02-29", "hour": None}, None),
        ("CONCAT_WS('-', year, office, serial)", {"year": "24", "office": "BR", "serial": "7"}, "24-BR-7"),
        ("100 * CAST(duty AS DOUBLE) / CAST(base AS DOUBLE)", {"duty": "5", "base": "40"}, 12.5),
        ("CASE WHEN kind = 'x' THEN '1' ELSE kind END", {"kind": "y"}, "y"),
        ("COALESCE(NULLIF(a, '-'), b)", {"a": "-", "b": "z"}, "z"),
        ("a IN ('x', 'y') AND b IS NULL", {"a": "x", "b": None}, True),
        ("REGEXP_REPLACE(a, '[^0-9]', '', 'g')", {"a": "6109.10-00"}, "61091000"),
        ("LPAD(a, 8, '0')", {"a": "9012100"}, "09012100"),
        ('LEFT("HS CODE", 6)', {"HS CODE": "610910000013"}, "610910"),
        ("TRY_CAST(a AS BIGINT)", {"a": "many"}, None),
        ("a NOT LIKE 'T%'", {"a": "TOTAL"}, False),
        ("REPLACE(a, ',', '.')", {"a": "1,5"}, "1.5"),
        ("UPPER(TRIM(a))", {"a": " it's "}, "IT'S"),
    ],
)
def test_what_a_line_says_of_itself(sql: str, row: dict[str, object], value: object) -> None:
    expression = parse(sql)
    frame = pl.DataFrame([row], schema=dict.fromkeys(row, pl.String))
    assert frame.select(value=expression.value, fault=expression.fault).row(0) == (value, None)
    assert expression.columns == set(row)


def test_a_cast_that_fails_is_a_fault_of_its_line_only_where_it_counts() -> None:
    sql = "CASE WHEN free = 'Y' THEN 0 ELSE CAST(rate AS DOUBLE) END"
    rows = [{"free": "N", "rate": "7.5"}, {"free": "Y", "rate": "exempt"}, {"free": "N", "rate": "exempt"}]
    assert computed(sql, *rows) == [(7.5, None), (0.0, None), (None, "'exempt' is not a number")]
    assert computed("COALESCE(CAST(a AS BIGINT), 0)", {"a": "x"}) == [(0, "'x' is not a whole number")]


@pytest.mark.parametrize(
    "sql",
    [
        *("SUM(a)", "COUNT(a)", "COUNT(*)", "MAX(a)", "FIRST(a)", "STRING_AGG(a, ',')", '"SUM"(a)', "sum\n(a)"),
        *("LAG(a) OVER (ORDER BY a)", "ROW_NUMBER() OVER ()", "SUM(a) OVER (PARTITION BY b)", "UNNEST(a)"),
        *("RANDOM()", "NOW()", "CURRENT_DATE", "current_timestamp", "a || CURRENT_DATE", "a IN (CURRENT_DATE)"),
        *("DATE '2024-02-29'", "TIMESTAMP '2024-02-29'", "INTERVAL '1 day'", "CAST(a AS DATE)", "STRPTIME(a, '%Y')"),
        *("read_csv('/etc/passwd')", "EXISTS(SELECT 1)", "EXISTS (SELECT * FROM read_csv('/etc/passwd'))"),
        *(
            "a IN (SELECT b FROM c)",
            "(SELECT 1)",
            "a || (VALUES (1))",
            "a; SELECT 1",
            "(WITH x AS (SELECT 1) SELECT 2)",
        ),
        *("*", "COLUMNS('a')", '"^a.*$"', "a.b", "a[1]", "a AS b", "STRUCT(a)", "ARRAY[a]", "STRING_TO_ARRAY(a, ',')"),
        *("a -- b", "a /* b */", "E'x' || a", "$$x$$ || a", "`a`", "@a", "x'41' || a", "$1 || a", "a::int"),
        *("REPEAT(a, 9)", "LPAD(a, 100000000, 'x')", "LPAD(a, CAST(b AS INT), 'x')", f"REPLACE(a, '', '{'x' * 99}')"),
        *(f"REPLACE(REPLACE(a, 'a', '{'a' * 20}'), 'a', '{'a' * 20}')", "REGEXP_REPLACE(a, '.*', '" + "$0" * 99 + "')"),
        *("REPLACE(a, b, 'x')", "REGEXP_LIKE(a, b)", "REGEXP_LIKE(a, '(')", "REGEXP_REPLACE(a, 'x', b)"),
        *(
            "'x'",
            "1",
            "1 + 1",
            "",
            "a " + "|| a" * LONGEST,
            "NOT " * 400 + "a",
            "(" * 300 + "a" + ")" * 300,
            "1e999 * a",
        ),
        *("a || ' " + "x' || 'y" * 120 + "'", "IF(a, SUM(b), 1)", "TRIM(BOTH 'x' FROM a)", "VERSION()"),
    ],
)
def test_what_does_not_stay_in_the_row_is_refused_before_anything_is_read(sql: str) -> None:
    with pytest.raises(ValueError, match=r"^sql "):
        parse(sql)


def test_a_refusal_names_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"SUM is no function of a mapping; allowed: ABS, CAST, .*, UPPER"):
        parse("SUM(a)")
    with pytest.raises(ValueError, match="nothing is cast to Int16; allowed: VARCHAR, INTEGER"):
        parse("CAST(a AS SMALLINT)")


def test_each_row_alone_gives_what_it_gives_among_others() -> None:
    rows = [{"a": text, "b": "7"} for text in ("1 of 3", "x", "", "12")]
    for sql in ("SPLIT_PART(a, ' of ', 1) || b", "TRY_CAST(a AS BIGINT) + CAST(b AS BIGINT)", "a < b", "LPAD(a, 3, b)"):
        try:
            together = computed(sql, *rows)
        except ValueError:
            continue
        assert together == [each for row in rows for each in computed(sql, row)]
