"""Customs' own tables are read, and what is wrong in them is named by file, line and column."""

import pytest

from features.messages import Tables

OFFICES, RATES = "element,code,office\n", "hs_code,origin_country,tax_type,tax_rate_pct\n"


def tables(folder, offices="", rates=""):
    for name, head, lines in (("offices.csv", OFFICES, offices), ("rates.csv", RATES, rates)):
        if lines:
            (folder / name).write_text(head + lines, "utf-8")
    return Tables.of(folder)


def test_offices_are_found_by_element_and_code(tmp_path):
    found = tables(tmp_path, "office,GB000060,010\r\ngoods_location,LHRLHRLHR,020\n")
    assert found.office("office", "GB000060") == "010"
    assert found.office("goods_location", "LHRLHRLHR") == "020"
    assert found.office("office", "LHRLHRLHR") is None
    assert found.rates == {}


def test_tables_are_kept_and_read_again_and_named_by_their_content(tmp_path):
    found = tables(tmp_path, "office,B,010\noffice,A,020\n", "09,,,8.1\n0901,CO,300,0\n")
    assert Tables.from_json(found.as_json) == found
    (tmp_path / "offices.csv").write_text(OFFICES + "office,A,020\noffice,B,010\n")
    assert Tables.of(tmp_path).digest == found.digest
    (tmp_path / "offices.csv").write_text(OFFICES + "office,A,020\noffice,B,011\n")
    assert Tables.of(tmp_path).digest != found.digest


@pytest.mark.parametrize(
    ("goods", "rate"),
    [
        (("0901210000", "CO", "100"), 5.0),  # tariff and country
        (("0901210000", "BR", "100"), 6.0),  # tariff
        (("0901210000", "CO", "300"), 7.0),  # country
        (("0901210000", "BR", "300"), 8.0),  # all
        (("0901220000", "CO", "100"), 9.5),  # a shorter code
        (("0902", "CO", "100"), 0.0),
        (("6109", "CO", "100"), None),
        (("", "CO", "100"), None),
    ],
)
def test_a_rate_is_that_of_the_longest_code_and_then_the_closest(tmp_path, goods, rate):
    lines = "090121,CO,100,5\n090121,,100,6\n090121,CO,,7\n090121,,,8.0\n0901,CO,100,9.5\n09,,,0\n"
    assert tables(tmp_path, rates=lines).tax_rate_pct(*goods) == rate


@pytest.mark.parametrize(
    ("offices", "rates", "told"),
    [
        ("", "", "has no tables; allowed: a folder with offices.csv, rates.csv or both"),
        ("port,X,010\n", "", r"offices.csv, line 2, column element: 'port'; allowed: office or goods_location"),
        ("office,A,010\noffice,,010\n", "", "offices.csv, line 3, column code: ''; allowed: 1 to 64 characters"),
        ("office,A,no such\n", "", r"offices.csv, line 2, column office: 'no such'; allowed: text that matches"),
        ("office,A\n", "", "offices.csv, line 2: 2 values; allowed: 3, one for each of element, code, office"),
        ("office,A,1\noffice,A,2\n", "", "offices.csv, line 3, column office: office, A has 1 already; allowed: each"),
        ('office,"A,1\n', "", "offices.csv, line 2: unexpected end of data; allowed: values with commas between"),
        ("", "9,,,5\n", "rates.csv, line 2, column hs_code: '9'; allowed: 2 to 12 digits"),
        ("", "09,XX,,5\n", "rates.csv, line 2, column origin_country: 'XX'; allowed: a code of ISO 3166-1 alpha-2"),
        ("", "09,,a b,5\n", "rates.csv, line 2, column tax_type: 'a b'; allowed: text that matches .*, or nothing"),
        ("", "09,,,\n", "rates.csv, line 2, column tax_rate_pct: ''; allowed: a number from 0 to 2000"),
        ("", "09,,,2000.5\n", "rates.csv, line 2, column tax_rate_pct: '2000.5'; allowed: a number from 0 to 2000"),
        ("", "09,,,nan\n", "rates.csv, line 2, column tax_rate_pct: 'nan'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, offices, rates, told):
    with pytest.raises(ValueError, match=told):
        tables(tmp_path, offices, rates)


def test_another_header_or_encoding_is_refused(tmp_path):
    for text, shown in (("hs_code,rate\n09,5\n", "'hs_code,rate'"), ("", "''")):
        (tmp_path / "rates.csv").write_text(text)
        with pytest.raises(ValueError, match=rf"rates.csv, line 1: {shown}; allowed: hs_code,origin_country,tax_type,"):
            Tables.of(tmp_path)
    (tmp_path / "rates.csv").write_bytes(RATES.encode() + b"09,,\xe9,5\n")
    with pytest.raises(ValueError, match=r"rates.csv: it is not UTF-8; allowed: text in UTF-8"):
        Tables.of(tmp_path)
