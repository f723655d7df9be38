"""Where logs come from. Imported lazily: naming a source must not load polars."""

from typing import TYPE_CHECKING

from lab.core.lazy import lazy_exports

if TYPE_CHECKING:
    from lab.data.sources.amazon_reviews import AmazonReviews
    from lab.data.sources.base import Scan, Source
    from lab.data.sources.lookup import Lookup
    from lab.data.sources.movielens import MovieLens
    from lab.data.sources.online_retail import OnlineRetail
    from lab.data.sources.open_ecommerce import OpenEcommerce
    from lab.data.sources.otto import Otto
    from lab.data.sources.rees46 import Rees46
    from lab.data.sources.retail_rocket import RetailRocket
    from lab.data.sources.synthetic import SyntheticShop
    from lab.data.sources.table import Table
    from lab.data.sources.taobao import Taobao

__all__ = [
    "AmazonReviews",
    "Lookup",
    "MovieLens",
    "OnlineRetail",
    "OpenEcommerce",
    "Otto",
    "Rees46",
    "RetailRocket",
    "Scan",
    "Source",
    "SyntheticShop",
    "Table",
    "Taobao",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "AmazonReviews": "amazon_reviews",
        "Lookup": "lookup",
        "MovieLens": "movielens",
        "OnlineRetail": "online_retail",
        "OpenEcommerce": "open_ecommerce",
        "Otto": "otto",
        "Rees46": "rees46",
        "RetailRocket": "retail_rocket",
        "Scan": "base",
        "Source": "base",
        "SyntheticShop": "synthetic",
        "Table": "table",
        "Taobao": "taobao",
    },
)
