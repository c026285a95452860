"""The cart of a Tilda shop: `payment[...]` -> texts for the deal."""

import json
from typing import Any

from connectors.bodies import Pairs, flatten
from connectors.formfields import order_line
from leads.normalize import clean_text

_NAMES = {
    "orderid": "order_id",
    "amount": "order_amount",
    "subtotal": "order_subtotal",
    "sys": "payment_system",
    "systranid": "payment_id",
    "promocode": "promocode",
    "discount": "discount",
    "delivery": "delivery",
    "delivery_price": "delivery_price",
    "delivery_address": "delivery_address",
    "delivery_comment": "delivery_comment",
}


def order_of(pairs: Pairs) -> tuple[Pairs, dict[str, str]]:
    """(the other fields, what the order says). Of parts that have no name here the path is kept."""
    rest: Pairs = []
    payment: Pairs = []
    for path, value in pairs:
        if path == "payment" and value.lstrip().startswith("{"):
            payment += _from_json(value)
        elif path.startswith("payment."):
            payment.append((path.removeprefix("payment."), value))
        else:
            rest.append((path, value))
    order: dict[str, str] = {}
    items: dict[str, dict[str, str]] = {}
    whole: list[str] = []
    for path, value in payment:
        text = clean_text(value)
        head, _, tail = path.partition(".")
        if not text:
            continue
        if head == "products" and tail:
            index, _, name = tail.partition(".")
            items.setdefault(index, {})[name] = text
        elif head == "products":
            whole.append(text)
        else:
            order[_NAMES.get(path, f"payment.{path}")] = text
    lines = [*whole, *filter(None, map(_item, items.values()))]
    if lines:
        order["order_items"] = "; ".join(lines)
    return rest, order


def _item(item: dict[str, str]) -> str:
    """Options come as `options.0.option` and `options.0.variant`."""
    details = [value for name, value in item.items() if name.startswith("options") and name.endswith("variant")]
    if item.get("sku"):
        details.append(item["sku"])
    name, count, total = item.get("name") or item.get(""), item.get("quantity", ""), item.get("amount", "")
    return order_line(name, count, total, ", ".join(details), price=item.get("price", ""))


def _from_json(text: str) -> Pairs:
    try:
        tree: Any = json.loads(text, parse_float=str, strict=False)
    except (ValueError, RecursionError):
        return [("text", text)]
    return flatten(tree)
