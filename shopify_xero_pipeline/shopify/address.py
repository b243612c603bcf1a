"""Where requests may go: a shop on myshopify.com, or a sandbox on this very machine.

Only the check of addresses belongs here. Credentials are never sent to an unknown host, so everything else is refused.
"""

import ipaddress
import re

import httpx

from shopify_xero_pipeline.shopify.errors import SettingError

_SHOP = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")


def admin_address(shop: str, base_url: str | None) -> str:
    """Return the address to send to, without a slash at the end.

    Args:
        shop: The shop's permanent domain, such as `name.myshopify.com`.
        base_url: A sandbox's address instead; only a loopback address is accepted.

    Raises:
        SettingError: naming the setting and what it must look like.
    """
    if not _SHOP.fullmatch(shop):
        raise SettingError(
            "SHOPIFY_SHOP is no shop's permanent domain. Set it to name.myshopify.com, in small letters and without "
            "https:// (Shopify admin, Settings, Domains)."
        )
    if base_url is None:
        return f"https://{shop}"
    if not _is_loopback(base_url):
        raise SettingError(
            "SHOPIFY_BASE_URL is only for a sandbox on this machine, such as http://127.0.0.1:8765; credentials are "
            "not sent anywhere else. Remove the setting to talk to Shopify itself."
        )
    return base_url.rstrip("/")


def _is_loopback(address: str) -> bool:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return False
    if url.scheme not in {"http", "https"} or url.userinfo or url.query or url.fragment:
        return False
    if url.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return False
