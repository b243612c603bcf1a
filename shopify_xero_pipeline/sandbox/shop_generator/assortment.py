"""The fixed range of the generated shop as a table of products, SKUs and prices.

The range contains what breaks bookkeeping: SKUs that are missing, empty, used twice, equal but for their case, too long
for an Item code or full of punctuation; prices from seven cents up that no discount or tax divides evenly. This module
only contains the table and its parser.
"""

from typing import NamedTuple

_TABLE = """
Merino Beanie | Headwear | Southerly | wool,winter | Charcoal=BEA-CHA@34.95, Kōwhai=BEA-KOW@34.95
Merino Socks | Socks | Southerly | wool | S=SOCK-S@19.99, M=SOCK-M@19.99, L=SOCK-L@20.99
Possum Scarf | Scarves | Southerly | wool,winter | SCARF 01@89.33
Flat White Blend 250 g | Coffee | Harbour Roasters | coffee | Whole bean=COF-250-W@17.33, Ground=COF-250-G@17.33
Flat White Blend 1 kg | Coffee | Harbour Roasters | coffee | Whole bean=COF-1000-W@58.67, Ground=COF-1000-G@58.67
Pour-over Kettle | Kitchen | Harbour Roasters | - | KETTLE/0.9L@119.99
Filter Papers | Kitchen | Harbour Roasters | - | 40=FILT-40@7.07, 100=FILT-100@13.13
Espresso Cup | Kitchen | Clay & Co | ceramic | White=CUP@16.67, Black=CUP@16.67
Dinner Plate | Kitchen | Clay & Co | ceramic | cup@33.33
Serving Bowl | Kitchen | Clay & Co | ceramic | none@68.49
Tea Towel | Kitchen | Clay & Co | - | @14.95
Mānuka Honey 250 g | Food | Te Puke Apiaries | food | UMF 10+=HON-10@42.89, UMF 20+=HON-20@119.89
Honey Dipper | Kitchen | Te Puke Apiaries | - | HON DIP (wood) #2@8.99
Beeswax Wraps | Kitchen | Te Puke Apiaries | - | NSRN-RT-2507-$0.98@26.11
Rātā Soap | Body | Native Suds | body | SOAP-RATA@10.49
Kawakawa Balm | Body | Native Suds | body | 15 g=BALM-15@12.07, 60 g=BALM-60@29.93
Shampoo Bar | Body | Native Suds | body | SHAMPOO-BAR-FOR-NORMAL-TO-OILY-HAIR-2026@18.99
Sunscreen SPF 50 | Body | Native Suds | body,summer | SUN-50@31.79
Linen Shirt | Clothing | Tasman Thread | clothing | S=LIN-S@129.00, M=LIN-M@129.00, L=LIN-L@129.00, XL=LIN-XL@134.50
Wool Jumper | Clothing | Tasman Thread | clothing,wool | S=JUM-S@189.99, M=JUM-M@189.99, L=JUM-L@189.99
Rain Jacket | Clothing | Tasman Thread | clothing | S=RAIN-S@249.95, M=RAIN-M@249.95
Canvas Tote | Bags | Tasman Thread | - | Natural=TOTE-N@25.00, Navy=TOTE-N@25.00
Leather Belt | Accessories | Tasman Thread | - | BELT@77.77
Enamel Pin | Accessories | Tasman Thread | small | PIN@0.07
Postcard | Paper | Letterpress Otago | paper | PC-01@3.33
Postcard Set of 12 | Paper | Letterpress Otago | paper | PC-12@35.99
Notebook A5 | Paper | Letterpress Otago | paper | Plain=NOTE A5/plain@16.11, Ruled=NOTE A5/ruled@16.11
Wall Calendar | Paper | Letterpress Otago | paper | CAL-2027@29.07
Greeting Card | Paper | Letterpress Otago | paper | none@5.99
Tent Peg | Outdoor | Ranger Supply | small | PEG@1.19
Enamel Mug | Outdoor | Ranger Supply | - | Green=MUG-GRN@18.49, Cream=MUG-CRM@18.49
Head Torch | Outdoor | Ranger Supply | - | TORCH-400LM@64.01
Dry Bag | Outdoor | Ranger Supply | - | 10 L=DRY-10@29.99, 20 L=DRY-20@37.99
Camp Chair | Outdoor | Ranger Supply | oversize | CHAIR@154.49
Picnic Rug | Outdoor | Ranger Supply | wool | RUG@99.51
Fishing Line | Outdoor | Ranger Supply | - | LINE-3KG@12.71
Carbon Rod | Outdoor | Ranger Supply | oversize | ROD-7FT@1234.56
Wooden Blocks | Toys | Kauri Toys | - | BLOCKS@52.39
Kea Puppet | Toys | Kauri Toys | - | KEA@27.67
Marbles | Toys | Kauri Toys | small | Single=MARBLE@0.29, Bag of 50=MARBLE-50@11.51
"""
"""One product a line: title, type, vendor, tags (`-` for none), variants as `title=SKU@price`; `none` means no SKU."""


class Article(NamedTuple):
    """A product of the range; its variants are (title, SKU, price in cents)."""

    title: str
    product_type: str
    vendor: str
    tags: tuple[str, ...]
    variants: tuple[tuple[str, str | None, int], ...]


def _parse_article(line: str) -> Article:
    title, product_type, vendor, tags, variants = line.split(" | ")
    parsed = tuple(_parse_variant(text) for text in variants.split(", "))
    return Article(title, product_type, vendor, () if tags == "-" else tuple(tags.split(",")), parsed)


def _parse_variant(text: str) -> tuple[str, str | None, int]:
    named, price = text.rsplit("@", 1)
    title, equals, sku = named.partition("=")
    if not equals:
        title, sku = "Default Title", named
    return title, None if sku == "none" else sku, int(price.replace(".", ""))


ARTICLES = tuple(_parse_article(line) for line in _TABLE.strip().splitlines())
