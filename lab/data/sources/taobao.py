"""Taobao UserBehavior (Tianchi 649): nine days of a marketplace."""

from dataclasses import dataclass, replace
from typing import ClassVar

from lab.data.sources.base import Scan
from lab.data.sources.public import PublicLog
from lab.data.sources.table import Table
from lab.data.timeline import instant

FIRST, LAST = "2017-11-24T16:00:00", "2017-12-03T15:59:59"
"""The nine days that the data set covers, 2017-11-25 to 2017-12-03 in China (UTC+8)."""


@dataclass(frozen=True, kw_only=True)
class Taobao(PublicLog):
    """Views, carts, favourites and purchases on Taobao (UserBehavior), by second, nine days of 2017.

    Events outside the nine days that the data set states are left out.
    """

    name: ClassVar[str] = "taobao"
    licence: ClassVar[str | None] = "research only"
    citation: ClassVar[str | None] = (
        "Zhu, Li, Zhang, Li, He, Li, Gai: Learning Tree-based Deep Model for Recommender Systems. KDD 2018. "
        "doi:10.1145/3219819.3219826"
    )
    homepage: ClassVar[str | None] = "https://tianchi.aliyun.com/dataset/649"
    path: str = "data/taobao"
    """The folder of UserBehavior.csv, or the file itself."""

    def names(self) -> tuple[tuple[str, ...], ...]:
        return (("UserBehavior.csv", "UserBehavior.csv.gz", "UserBehavior_first84k.csv.gz"),)

    def table(self) -> Table:
        return Table(
            path=self.place(),
            user="1",
            item="2",
            category="3",
            behaviour="4",
            time="5",
            time_format="s",
            header=False,
            separator=",",
            behaviours={"pv": "view", "fav": "favourite", "cart": "cart", "buy": "purchase"},
        )

    def scan(self) -> Scan:
        return replace(super().scan(), since=instant(FIRST), until=instant(LAST))
