"""Open e-commerce 1.0: five years of Amazon purchases of US households."""

from dataclasses import dataclass, replace
from typing import ClassVar

import polars as pl

from lab.core.errors import InputError
from lab.data.sources.base import Scan
from lab.data.sources.download import Download
from lab.data.sources.public import OpenLog, only
from lab.data.sources.table import Table
from lab.data.timeline import date_text, instant

CENSORED_AFTER = "2022-08-30"
"""Users were surveyed one by one from 2022-09-21 on, and each history stops at its survey: from here on
silence says nothing. Ending at the first instant of this day leaves a margin of three weeks, and puts the
test cutoff of a 30-day horizon on 2022-07-31."""


@dataclass(frozen=True, kw_only=True)
class OpenEcommerce(OpenLog):
    """Amazon purchases of US households (Open e-commerce 1.0), by day, 2018 to 2022.

    Events after 2022-08-30 are left out, since histories end with each user's survey from September 2022
    on; `--cleaning.until` moves that, `--cleaning.no-time-range` lifts it.
    """

    name: ClassVar[str] = "open_ecommerce"
    licence: ClassVar[str | None] = "CC0 1.0"
    citation: ClassVar[str | None] = (
        "Berke, Calacci, Mahari, Yabe, Larson, Pentland: Open e-commerce 1.0, five years of crowdsourced U.S. Amazon "
        "purchase histories with user demographics. Scientific Data 11, 491 (2024). doi:10.1038/s41597-024-03329-6"
    )
    homepage: ClassVar[str | None] = "https://doi.org/10.7910/DVN/YGLYDY"
    path: str = "data/open_ecommerce"
    """The folder of amazon-purchases.csv and survey.csv (or of purchases.csv.gz and user_attributes.csv)."""
    home_state_only: bool = True
    """Where only some states' files are there (a column home_state_in_subset says of which users): only
    users whose home state is among them, since the histories of the others have holes."""

    def names(self) -> tuple[tuple[str, ...], ...]:
        return (
            ("amazon-purchases.csv", "purchases.csv.gz", "purchases.csv"),
            ("user_attributes.csv", "survey.csv"),
        )

    def downloads(self) -> tuple[Download, ...]:
        """The originals at Harvard Dataverse, as they were before it made tables of them; no checksum is known here."""
        events, users = self.names()
        file = "https://dataverse.harvard.edu/api/access/datafile/{}?format=original"
        return (
            Download(file.format(7616235), events[0], instead=events),
            Download(file.format(7616231), "survey.csv", instead=users),
        )

    def table(self) -> Table:
        return Table(
            path=self.place(),
            user="Survey ResponseID",
            item="ASIN/ISBN (Product Code)",
            time="Order Date",
            time_format="iso",
            separator=",",
            category="Category",
            price="Purchase Price Per Unit",
            quantity="Quantity",
            text="Title",
            identity=("Shipping Address State",),
            attributes=self.place(1),
            **only("purchase"),
        )

    def fingerprint(self, cache=None) -> str:
        return f"{super().fingerprint(cache)}-{self.home_state_only}"

    def scan(self) -> Scan:
        scan = super().scan()
        until = instant(CENSORED_AFTER)
        facts = {**scan.facts, "until": f"{date_text(until)}: later histories end with each user's survey"}
        scan = replace(scan, until=until, facts=facts)
        attributes = scan.attributes
        if not self.home_state_only or attributes is None or HOME not in attributes.collect_schema():
            return scan
        return replace(scan, **_of_home_states(scan, attributes))


HOME = "home_state_in_subset"


def _of_home_states(scan: Scan, attributes: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """The events and attributes of the users whose home state's file is there."""
    home = attributes.filter(pl.col(HOME) == "1")
    users = home.select("user").collect().to_series()
    if not len(users):
        raise InputError(
            f"source.home_state_only: no user has {HOME}=1; switch it off with --source.no-home-state-only."
        )
    return {"frame": scan.frame.filter(pl.col("user").is_in(users.implode())), "attributes": home}
