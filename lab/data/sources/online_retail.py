"""Online Retail (UCI 352): a year of a British gift-ware shop."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from lab.data.schema import CANCELLATION
from lab.data.sources.public import PublicLog
from lab.data.sources.table import Table


@dataclass(frozen=True, kw_only=True)
class OnlineRetail(PublicLog):
    """A British gift-ware shop (UCI Online Retail), by minute, December 2010 to December 2011.

    Invoices that begin with C are cancellations. A quarter of the rows has no customer and is left out.
    There are no categories. The shop's clock is read as UTC, so that hours stay those of the shop.
    """

    name: ClassVar[str] = "online_retail"
    licence: ClassVar[str | None] = "CC BY 4.0"
    citation: ClassVar[str | None] = (
        "Chen, D.: Online Retail. UCI Machine Learning Repository (2015). doi:10.24432/C5BW33"
    )
    homepage: ClassVar[str | None] = "https://archive.ics.uci.edu/dataset/352/online+retail"
    files: ClassVar[tuple[str, ...]] = (
        "online_retail.csv", "online_retail.csv.gz", "Online Retail.csv", "online_retail_by_day_concat.csv.gz",
    )  # fmt: skip

    path: str = "data/online_retail"
    """The folder of online_retail.csv (the sheet of the original, saved as CSV), or the file itself."""

    def table(self) -> Table:
        cancelled = pl.col("InvoiceNo").str.starts_with("C")
        units = pl.col("Quantity").cast(pl.Float64, strict=False)
        return Table(
            path=self.place(),
            user="customer",
            item="StockCode",
            time="InvoiceDate",
            behaviour="behaviour",
            price="UnitPrice",
            quantity="units",
            text="Description",
            behaviours={name: name for name in ("purchase", CANCELLATION)},
            identity=("InvoiceNo",),
            derive={
                "customer": pl.col("CustomerID").str.strip_suffix(".0"),
                "behaviour": pl.when(cancelled).then(pl.lit(CANCELLATION)).otherwise(pl.lit("purchase")),
                "units": pl.when(cancelled).then(units.abs()).otherwise(units),
            },
        )
