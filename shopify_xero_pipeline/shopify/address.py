"""Validation of the address of the Admin API: a shop on myshopify.com, or a sandbox on this machine.

This module only validates addresses. It refuses all other addresses, so that credentials never go to an unknown host.
"""

import re

from shopify_xero_pipeline.http.transport import is_loopback
from shopify_xero_pipeline.shopify.errors import SettingError

_SHOP = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")


def admin_address(shop: str, base_url: str | None) -> str:
    """Return the base address for requests, without a trailing slash.

    Args:
        shop: the shop's permanent domain, such as `name.myshopify.com`.
        base_url: the address of a sandbox, which replaces the shop's; it must be a loopback address.

    Raises:
        SettingError: a setting is invalid; the message names the setting and its format.
    """
    if not _SHOP.fullmatch(shop):
        raise SettingError(
            "SHOPIFY_SHOP is not the permanent domain of a shop. Set it to name.myshopify.com, in lower case and "
            "without https:// (Shopify admin, Settings, Domains)."
        )
    if base_url is None:
        return f"https://{shop}"
    if not is_loopback(base_url):
        raise SettingError(
            "SHOPIFY_BASE_URL is only for a sandbox on this machine, such as http://127.0.0.1:8765; credentials are "
            "sent to no other address. Remove the setting to connect to Shopify."
        )
    return base_url.rstrip("/")
