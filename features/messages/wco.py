"""Which element of a WCO declaration becomes which column of the contract: the one table, for the code and the page.

Data model 3.6, in the names of the DMS declaration. Not here: how XML is read (xml_form).
"""

from typing import Final, Literal, NamedTuple

NAMESPACE: Final = "urn:wco:datamodel:WCO:DEC-DMS:2"
METADATA: Final = "urn:wco:datamodel:WCO:DocumentMetaData-DMS:2"
MODEL_VERSION: Final = "3.6"

SHIPMENT: Final = "GoodsShipment"
ITEM: Final = f"{SHIPMENT}/GovernmentAgencyGoodsItem"
_DOCUMENTS = "contains(' 703 704 705 710 714 740 741 ', concat(' ', TypeCode, ' '))"
_PRICE_IS_VALUE = (
    "CustomsValuation/MethodCode='1' and not(CustomsValuation/ChargeDeduction) and not(../CustomsValuation)"
)

# `one`: the element may be given once. `first`: the first one that says something counts. `sum`: all of them together,
# and each must say something. `kg`: once, in kilograms. `container`: the first that is a container's number.
Taking = Literal["one", "first", "sum", "kg", "container"]


class Mapped(NamedTuple):
    """A contract column, and where it is: the first of `paths` that is there, followed by what `then` has.

    A path is XPath below Declaration. `rule` says in words what the paths cannot.
    """

    column: str
    paths: tuple[str, ...]
    taking: Taking = "one"
    then: str | None = None
    rule: str = ""


_VALUE = (f"{ITEM}/CustomsValueAmount", f"{ITEM}[{_PRICE_IS_VALUE}]/Commodity/InvoiceLine/ItemChargeAmount")
_VALUE_RULE = (
    "the price stands for the customs value only by valuation method 1, with no addition or deduction declared"
)

MAPPED: Final = (
    Mapped("declaration_id", ("FunctionalReferenceID",), rule="the trader's reference, not the number customs gives"),
    Mapped("item_number", (f"{ITEM}/SequenceNumeric",)),
    Mapped("office", ("DeclarationOfficeID",)),
    Mapped(
        "procedure",
        (f"{ITEM}/GovernmentProcedure[1]/CurrentCode",),
        then=f"{ITEM}/GovernmentProcedure[1]/PreviousCode",
        rule="requested and previous procedure, one after the other",
    ),
    Mapped("import_type", (f"{ITEM}/TransactionNatureCode", f"{SHIPMENT}/TransactionNatureCode")),
    Mapped("payment_type", (f"{ITEM}/Commodity/DutyTaxFee/Payment/MethodCode",), "first"),
    Mapped("transport_mode", ("BorderTransportMeans/ModeCode",)),
    Mapped("declarant_id", ("Declarant/ID",)),
    Mapped("importer_id", (f"{SHIPMENT}/Importer/ID",)),
    Mapped("seller_id", (f"{ITEM}/Seller/ID", f"{SHIPMENT}/Seller/ID", "Exporter/ID")),
    Mapped(
        "hs_code",
        (f"{ITEM}/Commodity/Classification[IdentificationTypeCode='TSP' or IdentificationTypeCode='HS']/ID",),
        then=f"{ITEM}/Commodity/Classification[IdentificationTypeCode='TRC']/ID",
        rule="the code followed by its national digits",
    ),
    Mapped("departure_country", (f"{ITEM}/ExportCountry/ID", f"{SHIPMENT}/ExportCountry/ID")),
    Mapped(
        "origin_country",
        (f"{ITEM}/Origin[TypeCode='1' or not(TypeCode)]/CountryCode", f"{ITEM}/Origin[TypeCode='2']/CountryCode"),
        rule="non-preferential origin before preferential origin",
    ),
    Mapped("tax_rate_pct", (f"{ITEM}/Commodity/DutyTaxFee/TaxRateNumeric",), "sum", rule="of every duty, added up"),
    Mapped("tax_type", (f"{ITEM}/Commodity/DutyTaxFee/DutyRegimeCode",), "first"),
    Mapped("net_mass_kg", (f"{ITEM}/Commodity/GoodsMeasure/NetNetWeightMeasure",), "kg"),
    Mapped("item_value", _VALUE, rule=_VALUE_RULE),
    Mapped("currency", tuple(f"{path}/@currencyID" for path in _VALUE)),
    Mapped("goods_description", (f"{ITEM}/Commodity/Description",)),
    Mapped("quantity", (f"{ITEM}/Commodity/GoodsMeasure/TariffQuantity",)),
    Mapped("quantity_unit", (f"{ITEM}/Commodity/GoodsMeasure/TariffQuantity/@unitCode",)),
    Mapped("gross_mass_kg", (f"{ITEM}/Commodity/GoodsMeasure/GrossMassMeasure",), "kg"),
    Mapped(
        "container_id",
        (f"{ITEM}/Commodity/TransportEquipment/ID", f"{SHIPMENT}/Consignment/TransportEquipment/ID"),
        "container",
        rule="the first of the form of ISO 6346, that of the shipment only if it has no other; another identification, "
        "as of a trailer, is left out with a remark",
    ),
    Mapped(
        "transport_document_id",
        (
            f"{ITEM}/AdditionalDocument[{_DOCUMENTS}]/ID",
            f"{ITEM}/PreviousDocument[{_DOCUMENTS}]/ID",
            f"{SHIPMENT}/PreviousDocument[{_DOCUMENTS}]/ID",
        ),
        "first",
    ),
)

# What is no column, and tells customs' tables which office is meant.
GOODS_LOCATION: Final = Mapped("goods_location", (f"{SHIPMENT}/Consignment/GoodsLocation/Name",), "first")
