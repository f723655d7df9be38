"""Online Retail (UCI 352): a year of a British gift-ware shop."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from lab.data.schema import CANCELLATION
from lab.data.sources.download import Download
from lab.data.sources.files import head_lines
from lab.data.sources.public import OpenLog
from lab.data.sources.table import Table


@dataclass(frozen=True, kw_only=True)
class OnlineRetail(OpenLog):
    """A British gift-ware shop (UCI Online Retail), by minute, December 2010 to December 2011.

    Invoices that begin with C are cancellations. A quarter of the rows has no customer and is left out.
    There are no categories. The shop's clock is read as UTC, so that hours stay those of the shop. UCI
    publishes no checksum.
    """

    name: ClassVar[str] = "online_retail"
    licence: ClassVar[str | None] = "CC BY 4.0"
    citation: ClassVar[str | None] = (
        "Chen, D.: Online Retail. UCI Machine Learning Repository (2015). doi:10.24432/C5BW33"
    )
    homepage: ClassVar[str | None] = "https://archive.ics.uci.edu/dataset/352/online+retail"
    path: str = "data/online_retail"
    """The folder of online_retail.csv (the sheet of the original, saved as CSV), or the file itself."""

    def names(self) -> tuple[tuple[str, ...], ...]:
        others = ("Online Retail.csv", "data.csv", "online_retail_by_day_concat.csv.gz")
        return (("online_retail.csv", "online_retail.csv.gz", *others),)

    def downloads(self) -> tuple[Download, ...]:
        url = "https://archive.ics.uci.edu/static/public/352/data.csv"
        return (Download(url, "online_retail.csv", instead=self.names()[0]),)

    def table(self) -> Table:
        # UCI's CSV writes 12/1/2010 8:26, month first; its sheet saved by pandas 2010-12-01 08:26:00.
        american = any("/2010 " in line or "/2011 " in line for line in head_lines(Path(self.place()), "utf-8"))
        cancelled = pl.col("InvoiceNo").str.starts_with("C")
        units = pl.col("Quantity").cast(pl.Float64, strict=False)
        return Table(
            path=self.place(),
            user="customer",
            item="StockCode",
            time="InvoiceDate",
            time_format="%m/%d/%Y %H:%M" if american else "iso",
            separator=",",
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
