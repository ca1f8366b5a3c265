"""The closed lists of the data model. Every other place derives from these."""

from __future__ import annotations

CHANNELS = ("app", "web", "wechat")
ORDER_CHANNELS = (*CHANNELS, "outlet", "hotline", "sms")
BUSINESSES = ("broadband", "plan", "data", "topup", "sim", "handset")
EVENT_TYPES = (
    "launch",
    "login",
    "page_view",
    "product_view",
    "impression",
    "click",
    "search",
    "query",
    "form_step",
    "order_submit",
    "order_paid",
    "order_failed",
    "topup",
    "sign_in",
    "share",
    "share_visit",
    "coupon_claim",
    "coupon_redeem",
    "push_receive",
    "push_open",
    "bot_message",
    "human_service",
    "feedback",
    "error",
    "logout",
    "unsubscribe",
)
# Call-backs and passive events make nobody active (metric catalogue, decisions on edge cases).
PASSIVE_TYPES = ("push_receive", "order_paid", "order_failed", "error", "logout", "unsubscribe")
ACTIVE_TYPES = tuple(t for t in EVENT_TYPES if t not in PASSIVE_TYPES)
# Deliberate actions: what a bounced visit does not have beyond its one page.
ACTION_TYPES = tuple(
    t for t in ACTIVE_TYPES if t not in ("launch", "login", "product_view", "impression", "share_visit", "push_open")
)
ORDER_STATUSES = ("created", "paid", "fulfilled", "failed", "cancelled")
SUBSCRIBER_STATUSES = ("active", "arrears_stop", "suspended", "cancelled", "ported_out")
IN_SERVICE = ("active", "arrears_stop", "suspended")
ENTRY_SOURCES = (
    "direct",
    "push",
    "sms",
    "share",
    "ad",
    "search_engine",
    "qr",
    "wechat_menu",
    "outlet",
    "other",
)
