"""Code lists of the contract: ISO 3166, UN M49, ISO 4217, UN/ECE Rec. 19, HS sections, inspection channels,
party roles, register attributes.
"""

from functools import cache

import pycountry

# UN/ECE Recommendation 19, first digit.
TRANSPORT_MODES = {
    "0": "not specified",
    "1": "maritime",
    "2": "rail",
    "3": "road",
    "4": "air",
    "5": "mail",
    "6": "multimodal",
    "7": "fixed installation",
    "8": "inland water",
    "9": "not applicable",
}

# The lanes that customs systems (ASYCUDA among them) assign.
INSPECTION_CHANNELS = {
    "red": "physical inspection",
    "yellow": "documentary check",
    "blue": "post-clearance audit",
    "green": "release",
}

# Roles in which a declaration names parties.
PARTY_ROLES = {
    "importer": "importer",
    "seller": "seller abroad",
    "declarant": "declarant or customs broker",
    "courier": "express courier",
}

# What a company register tells of a company.
REGISTER_ATTRIBUTES = {
    "name": "trade name",
    "address": "registered address",
    "person": "director, partner or beneficial owner",
    "phone": "telephone number",
    "bank_account": "bank account, IBAN where there is one",
    "predecessor": "the company whose business it took over",
    "parent": "the company that owns or controls it",
    "owner": "who owns a part of it or is its beneficial owner, by name",
    "share": "per cent that the parent or owner of the same entry holds",
}

# HS 2022: section number, first and last chapter.
HS_SECTIONS = (
    ("I", 1, 5, "live animals and animal products"),
    ("II", 6, 14, "vegetable products"),
    ("III", 15, 15, "fats and oils"),
    ("IV", 16, 24, "prepared foodstuffs, beverages, tobacco"),
    ("V", 25, 27, "mineral products"),
    ("VI", 28, 38, "chemicals"),
    ("VII", 39, 40, "plastics and rubber"),
    ("VIII", 41, 43, "hides, leather, furs"),
    ("IX", 44, 46, "wood"),
    ("X", 47, 49, "pulp and paper"),
    ("XI", 50, 63, "textiles"),
    ("XII", 64, 67, "footwear, headgear"),
    ("XIII", 68, 70, "stone, ceramics, glass"),
    ("XIV", 71, 71, "pearls, precious stones and metals"),
    ("XV", 72, 83, "base metals"),
    ("XVI", 84, 85, "machinery and electrical equipment"),
    ("XVII", 86, 89, "vehicles, aircraft, vessels"),
    ("XVIII", 90, 92, "instruments, clocks, musical instruments"),
    ("XIX", 93, 93, "arms and ammunition"),
    ("XX", 94, 96, "miscellaneous manufactures"),
    ("XXI", 97, 97, "works of art"),
    ("national", 98, 99, "national use"),
)

# Countries withdrawn from ISO 3166-1 since 1990, and where they lay. Older declarations still name them.
FORMER_COUNTRIES = {
    "AN": "Caribbean",
    "BU": "South-eastern Asia",
    "CS": "Southern Europe",
    "DD": "Western Europe",
    "FX": "Western Europe",
    "NT": "Western Asia",
    "SU": "Eastern Europe",
    "TP": "South-eastern Asia",
    "YD": "Western Asia",
    "YU": "Southern Europe",
    "ZR": "Middle Africa",
}

# Places that customs declare and ISO 3166-1 does not list, from the Geonomenclature of the European Union.
CUSTOMS_PLACES = {
    "EU": "unknown",  # the Union, where no member is named
    "QP": "unknown",  # high seas
    "QQ": "unknown",  # stores and provisions, here and below
    "QR": "unknown",
    "QS": "unknown",
    "QU": "unknown",  # not specified, here and below
    "QV": "unknown",
    "QW": "unknown",
    "QX": "unknown",
    "QY": "unknown",
    "QZ": "unknown",
    "XC": "Southern Europe",  # Ceuta
    "XI": "Northern Europe",  # Northern Ireland
    "XL": "Southern Europe",  # Melilla
    "XM": "Southern Europe",  # Montenegro, 2005
    "XS": "Southern Europe",  # Serbia
    "XU": "Northern Europe",  # Great Britain
}

# ISO 4217, list three: withdrawn since 1990.
FORMER_CURRENCIES = frozenset({
    "AFA", "ANG", "AON", "AOR", "ARA", "ATS", "AYM", "AZM", "BAD", "BEC", "BEF", "BEL", "BGL", "BGN", "BRC", "BRE",
    "BRN", "BRR", "BYB", "BYR", "CSD", "CSK", "CUC", "CYP", "DDM", "DEM", "ECS", "ECV", "EEK", "ESA", "ESB", "ESP",
    "FIM", "FRF", "GEK", "GHC", "GRD", "GWP", "HRD", "HRK", "IEP", "ITL", "LTL", "LTT", "LUF", "LVL", "LVR", "MGF",
    "MRO", "MTL", "MTP", "MXP", "MZM", "NIC", "NLG", "PEI", "PES", "PLZ", "PTE", "ROL", "RUR", "SDD", "SDP", "SIT",
    "SKK", "SLL", "SRG", "STD", "SUR", "TJR", "TMM", "TPE", "TRL", "UAK", "UGS", "UYP", "VEB", "VEF", "XEU", "YDD",
    "YUD", "YUM", "YUN", "ZAL", "ZMK", "ZRN", "ZRZ", "ZWD", "ZWL", "ZWN", "ZWR",
})  # fmt: skip

# ISO 3166-1 leaves these to users; customs data use them for 'unknown' (ZZ), Kosovo (XK) and high seas (XZ).
USER_ASSIGNED_COUNTRIES = frozenset({"ZZ", "XK", "XZ"})


@cache
def countries() -> frozenset[str]:
    """Return the ISO 3166-1 alpha-2 codes, now or formerly in force, and the other codes that customs data use."""
    now = frozenset(c.alpha_2 for c in pycountry.countries)
    return now | USER_ASSIGNED_COUNTRIES | FORMER_COUNTRIES.keys() | CUSTOMS_PLACES.keys()


@cache
def region_of_country() -> dict[str, str]:
    """Return the UN M49 sub-region of each ISO 3166-1 alpha-2 code; codes that stand for no country are `unknown`.

    >>> region_of_country()["KR"], region_of_country()["GB"], region_of_country()["ZZ"]
    ('Eastern Asia', 'Northern Europe', 'unknown')
    """
    from country_converter import CountryConverter  # here, because it loads pandas and only evaluation asks

    table = CountryConverter().data
    # By alpha-3: the table's alpha-2 column says EL and UK where ISO says GR and GB.
    by_alpha_3 = dict(zip(table["ISO3"], table["UNregion"], strict=True))
    regions = {country.alpha_2: by_alpha_3[country.alpha_3] for country in pycountry.countries}
    others = dict.fromkeys(sorted(USER_ASSIGNED_COUNTRIES), "unknown") | {"XK": "Southern Europe"}
    return others | CUSTOMS_PLACES | FORMER_COUNTRIES | regions


@cache
def currencies() -> frozenset[str]:
    """Return the ISO 4217 alphabetic codes, now or formerly in force."""
    return frozenset(c.alpha_3 for c in pycountry.currencies) | FORMER_CURRENCIES


@cache
def section_of_chapter() -> dict[str, str]:
    """Return the section number of each HS chapter ('01' to '99', as text); chapter 77 is reserved and has none."""
    return {
        f"{chapter:02d}": section
        for section, first, last, _ in HS_SECTIONS
        for chapter in range(first, last + 1)
        if chapter != 77
    }
